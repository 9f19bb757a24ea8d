//! When the store is behind: the room does not wait for it. Edits are shown at once, and everybody who can be told is told
//! that they are not saved. They are with the journal all the same, in order, and are acknowledged when they are on disk.

use super::{Effect, Life, RoomState};
use crate::room::{RoomError, reads::Answer};

impl RoomState {
    /// The store has fallen behind, or is in order again.
    pub fn store_is_behind(&mut self, is_behind: bool, now_ms: u64) {
        self.is_ahead = is_behind;
        if is_behind {
            self.give_up_deleting();
            self.give_up_restoring(|| RoomError::NotSaved);
            self.show_unsaved(now_ms);
        }
        self.settle();
    }

    /// Whether the room shows edits before they are on disk.
    pub fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// Whether something is on its way to disk.
    pub fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// The room ends before what is in flight is on disk: whoever waits for that is told. It stays with the journal.
    pub fn abandon_waiting(&mut self) {
        let waiting = self.in_flight.iter_mut().flat_map(|batch| std::mem::take(&mut batch.waiting));
        self.effects
            .extend(waiting.map(|awaited| Effect::Answer(awaited.request(), Answer::Failed(RoomError::NotSaved))));
    }

    /// Shows everything that is on its way to disk.
    pub(super) fn show_unsaved(&mut self, now_ms: u64) {
        if self.in_flight.is_empty() {
            return;
        }
        if !self.has_unsaved {
            self.has_unsaved = true;
            self.cache.invalidate();
            self.effects.push(Effect::Unsaved(true));
        }
        for at in 0..self.in_flight.len() {
            if let Some(frame) = self.in_flight[at].frame.take() {
                let at = self.in_flight[at].at;
                self.modified_at = self.modified_at.max(at);
                self.tell_update(&frame, None, at, now_ms);
                self.publish(frame);
            }
        }
    }

    /// Everything that was shown is on disk.
    pub(super) fn show_saved(&mut self) {
        if self.in_flight.is_empty() && std::mem::take(&mut self.has_unsaved) {
            self.cache.invalidate();
            self.effects.push(Effect::Unsaved(false));
        }
    }

    /// A deletion waits for what is in flight, and would keep the room from going on.
    fn give_up_deleting(&mut self) {
        if let Life::Deleting { asked_store: false, .. } = self.life {
            self.life = Life::Open;
            let deleters = std::mem::take(&mut self.deleters);
            let failed = |request| Effect::Answer(request, Answer::Failed(RoomError::NotSaved));
            self.effects.extend(deleters.into_iter().map(failed));
        }
    }
}
