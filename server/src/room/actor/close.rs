//! When a room closes.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::Actor;
use crate::hub::ROOMS_CROWDED_FROM;

impl Actor {
    pub(super) fn should_close(&mut self) -> bool {
        let idle = self.is_done();
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
            self.state.keep_version_before_close(self.now_ms());
            self.state.compact_before_close();
            self.perform_effects();
        }
        let done = self.is_done();
        if done {
            self.state.abandon_waiting();
            self.perform_effects();
        }
        done
    }

    /// Whether nothing is left to do here.
    fn is_done(&self) -> bool {
        match self.closing {
            // What is not on disk is with the journal, which spills it.
            true if self.state.is_ahead() => self.state.is_handed_over(),
            true => self.state.is_saved(),
            false => self.state.is_idle(),
        }
    }
}
