//! When a room closes.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::Actor;
use crate::hub::ROOMS_CROWDED_FROM;

impl Actor {
    pub(super) fn should_close(&mut self) -> bool {
        let idle = if self.closing { self.state.is_saved() } else { self.state.is_idle() };
        let empty = idle
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
        if self.closing { self.state.is_saved() } else { self.state.is_idle() }
    }
}
