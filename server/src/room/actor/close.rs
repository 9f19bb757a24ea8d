//! When a room closes, and how nobody loses anything by it.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::Actor;
use crate::{
    hub::ROOMS_CROWDED_FROM,
    room::handle::{CallError, Control, LaneEdit},
};

impl Actor {
    pub(super) fn should_close(&mut self) -> bool {
        let empty = self.state.is_idle()
            && self.gathering.is_empty()
            && (self.work.is_empty() || self.closing)
            && self.lanes.control.is_empty()
            && self.lanes.edits.is_empty();
        if !empty {
            self.idle_since = None;
            return false;
        }
        let now = Instant::now();
        let idle_since = *self.idle_since.get_or_insert(now);
        let crowded = self.env.open_rooms.load(Ordering::Relaxed) >= ROOMS_CROWDED_FROM;
        let hurry = self.closing || crowded || self.state.is_deleted();
        if !hurry && now < idle_since + self.idle_close_after {
            return false;
        }
        if !hurry {
            self.state.compact_before_close();
            self.perform_effects();
        }
        self.state.is_idle()
    }

    /// Answers what came in the last moment: nothing of it was done, and the caller opens the room again. A client's
    /// update cannot be among it: its session would be in the room.
    pub(super) async fn close_lanes(&mut self) {
        self.lanes.control.close();
        self.lanes.edits.close();
        while let Some(message) = self.lanes.control.recv().await {
            match message {
                Control::Join { reply, .. } => drop(reply.send(Err(CallError::Closed))),
                Control::Read { reply, .. } | Control::Delete { reply } => drop(reply.send(Err(CallError::Closed))),
                Control::Leave { .. } | Control::Awareness { .. } => {}
            }
        }
        while let Some(message) = self.lanes.edits.recv().await {
            if let LaneEdit::Map { reply, .. } = message {
                let _ = reply.send(Err(CallError::Closed));
            }
        }
    }
}
