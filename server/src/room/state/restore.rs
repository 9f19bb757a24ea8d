//! A map becomes what it was: first what it is becomes a version, and nothing is integrated until that is kept, so that the
//! version holds everything that the restoring takes away.

use jiff::Timestamp;
use synapti_crdt::Op;

use super::{Awaited, Effect, Life, RoomState};
use crate::room::{
    RequestId, Restoring, RoomError,
    reads::{Answer, Read},
};

/// One at a time: who hears nothing for long tries again, and the map must not jump back when nobody waits for it any more.
#[derive(Debug, Default)]
pub(super) struct Restore {
    waiting: Option<(RequestId, Restoring)>,
    pub(super) under_way: Option<(RequestId, Restoring)>,
}

impl Restore {
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_none() && self.under_way.is_none()
    }
}

impl RoomState {
    /// The map is to become what it was.
    pub fn restore(&mut self, request: RequestId, restoring: Restoring) {
        let refusal = match self.life {
            Life::Deleted => Some(RoomError::Gone),
            // What cannot be saved cannot be kept either.
            _ if self.is_ahead => Some(RoomError::NotSaved),
            _ if self.is_damaged => {
                Some(RoomError::Unreadable("it is damaged, so that no version of it can be kept".to_owned()))
            }
            _ if !self.restore.is_idle() => Some(RoomError::AtCapacity { what: "this map is being restored already" }),
            _ if !self.has_room_for(restoring.older.bytes()) => Some(RoomError::TooLarge {
                what: "the map with what is restored",
                bytes_max: self.limits.document_bytes_max,
            }),
            _ => None,
        };
        if let Some(error) = refusal {
            self.effects.push(Effect::Answer(request, Answer::Failed(error)));
            return;
        }
        self.restore.waiting = Some((request, restoring));
        self.settle();
    }

    /// What the map was is kept for a restoring, or could not be: the map becomes what it is to be, or stays.
    pub fn kept_before_restore(&mut self, kept_for: RequestId, is_kept: bool, now: Timestamp, now_ms: u64) {
        // That one may have been given up meanwhile.
        let Some((request, restoring)) = self.restore.under_way.take_if(|(request, _)| *request == kept_for) else {
            return;
        };
        if !is_kept || self.life != Life::Open {
            self.effects.push(Effect::Answer(request, Answer::Failed(RoomError::NotSaved)));
            return self.settle();
        }
        let mut applied = self.replica.apply([Op::Restore(&restoring.older)], now_ms);
        match (applied.results.pop(), applied.update) {
            (Some(Err(error)), _) => {
                let error = RoomError::Unreadable(error.to_string());
                self.effects.push(Effect::Answer(request, Answer::Failed(error)));
            }
            (_, Some(update)) => {
                self.history.schedule.changed(now_ms);
                self.begin_commit(&update, vec![Awaited::View(request)], Vec::new(), now, now_ms);
            }
            // It is what it was already.
            (_, None) => self.reads.push((request, Read::View)),
        }
        self.settle();
    }

    /// Begins the next restoring when the document is what is stored.
    pub(super) fn begin_restore(&mut self) {
        if self.in_flight.is_empty() && !self.is_ahead && self.life == Life::Open && self.restore.under_way.is_none() {
            self.restore.under_way = self.restore.waiting.take();
            if let Some((request, restoring)) = &self.restore.under_way {
                let author = restoring.author.clone();
                self.effects.push(Effect::KeepVersion { before: Some(*request), author });
            }
        }
    }

    /// The store is behind, or the map is gone: nobody is kept waiting for what may never be.
    pub(super) fn give_up_restoring(&mut self, why: impl Fn() -> RoomError) {
        let waiting = std::mem::take(&mut self.restore);
        for (request, _) in waiting.under_way.into_iter().chain(waiting.waiting) {
            self.effects.push(Effect::Answer(request, Answer::Failed(why())));
        }
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        let limit = self.limits.document_bytes_max;
        limit == 0 || bytes <= self.size.bytes || self.size.bytes + bytes <= limit
    }
}
