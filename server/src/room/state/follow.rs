//! The store, where other nodes write too: what it has and the room has not is read from it.
//!
//! The bus is faster, and may lose things; a node may die between saving and saying; there may be no bus at all. The store's
//! records are numbered without gaps, so what is missing shows.

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::Sender;
use synapti_protocol::update::EMPTY_UPDATE;

use super::{
    Effect, Life, RoomState,
    cluster::{Arrived, Then},
};
use crate::room::{RequestId, RoomError, reads::Answer};

/// Callers that wait until the room has what is stored.
const WAITING_MAX: usize = 4096;

/// What the room is reading, and for whom.
#[derive(Debug, Default)]
pub(super) struct Follow {
    is_reading: bool,
    /// What was read last, which may not be in the document yet.
    read_up_to: u64,
    /// Whether it has to be read again after that: something was asked meanwhile.
    again: bool,
    /// Who waits for what is being read, and for the reading after it.
    waiting: Vec<RequestId>,
    waiting_for_next: Vec<RequestId>,
    /// Who is answered once what was read is in the document.
    ready: Vec<RequestId>,
    /// What the store had at the last look, when that was more than the room had.
    missing_at_last_look: Option<u64>,
}

/// What the store has after some record.
#[derive(Debug)]
pub struct TailRead {
    /// Updates in the order of their records; or one that says all that they say.
    pub updates: Vec<Bytes>,
    /// The record up to which there is nothing else.
    pub up_to: u64,
    /// When the map was last changed, if that is known.
    pub modified_at: Option<Timestamp>,
    /// Whether there is more.
    pub has_more: bool,
}

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailError {
    /// The map is deleted.
    Gone,
    /// The store did not answer, or not with what can be read.
    Unread,
}

impl RoomState {
    /// Somebody has looked: the store has so many records of the map, or has deleted it. What the bus will bring in a moment is
    /// not read.
    pub fn store_has(&mut self, records: u64, is_deleted: bool) {
        let missing = records > self.recorded();
        let was_missing = self.follow.missing_at_last_look.is_some_and(|records| records > self.recorded());
        self.follow.missing_at_last_look = missing.then_some(records);
        if is_deleted || (missing && (was_missing || !self.cluster.peers.is_up())) {
            self.read_tail();
        }
    }

    /// Answers when the document has everything that the store has now.
    pub fn freshen(&mut self, request: RequestId) {
        if self.life == Life::Deleted {
            self.effects.push(Effect::Answer(request, Answer::Failed(RoomError::Gone)));
        } else if self.follow.waiting_for_next.len() >= WAITING_MAX {
            let error = RoomError::AtCapacity { what: "readers that wait for this map" };
            self.effects.push(Effect::Answer(request, Answer::Failed(error)));
        } else {
            self.follow.waiting_for_next.push(request);
            self.read_tail();
        }
    }

    /// What the store has beyond what the room has is to be read.
    pub(super) fn read_tail(&mut self) {
        if self.follow.is_reading {
            self.follow.again = true;
            return;
        }
        self.follow.is_reading = true;
        let next = std::mem::take(&mut self.follow.waiting_for_next);
        self.follow.waiting.extend(next);
        self.effects.push(Effect::ReadTail(self.recorded().max(self.follow.read_up_to)));
    }

    /// The answer to [`Effect::ReadTail`].
    pub fn tail_read(&mut self, read: Result<TailRead, TailError>) {
        self.follow.is_reading = false;
        match read {
            Ok(TailRead { updates, up_to, modified_at, has_more }) => {
                let has_more = has_more && up_to > self.follow.read_up_to;
                self.follow.again |= has_more;
                if !has_more {
                    let waiting = std::mem::take(&mut self.follow.waiting);
                    self.follow.ready.extend(waiting);
                }
                self.push_stored(updates, up_to, modified_at);
            }
            Err(TailError::Gone) => self.gone_elsewhere(),
            Err(TailError::Unread) => {
                // Better what there is than nothing; it is looked for again soon.
                let waiting = std::mem::take(&mut self.follow.waiting);
                self.follow.ready.extend(waiting);
            }
        }
        if self.cluster.arrived.is_empty() {
            self.answer_ready();
        }
        if std::mem::take(&mut self.follow.again) && self.life != Life::Deleted {
            self.read_tail();
        }
    }

    /// What had come is in the document.
    pub(super) fn answer_ready(&mut self) {
        let ready = std::mem::take(&mut self.follow.ready);
        let answer = || match self.life {
            Life::Deleted => Answer::Failed(RoomError::Gone),
            _ => Answer::Fresh,
        };
        self.effects.extend(ready.into_iter().map(|request| Effect::Answer(request, answer())));
    }

    /// Another node has deleted the map.
    fn gone_elsewhere(&mut self) {
        let waiting = std::mem::take(&mut self.follow.waiting);
        let next = std::mem::take(&mut self.follow.waiting_for_next);
        self.follow.ready.extend(waiting.into_iter().chain(next));
        if self.life != Life::Deleted {
            self.deleted();
        }
    }

    fn push_stored(&mut self, updates: Vec<Bytes>, up_to: u64, at: Option<Timestamp>) {
        self.follow.read_up_to = self.follow.read_up_to.max(up_to);
        let is_newer = at.is_some_and(|at| at > self.modified_at);
        if updates.is_empty() && !is_newer && self.cluster.arrived.is_empty() {
            self.cluster.recorded.note_all_up_to(up_to);
            return;
        }
        let from = Sender::default();
        for update in updates {
            self.cluster.push(Arrived { from, update, is_saved: true, at, then: Then::Nothing });
        }
        let update = Bytes::from_static(&EMPTY_UPDATE);
        let then = Then::AllRecords(up_to);
        self.cluster.push(Arrived { from, update, is_saved: true, at, then });
    }
}
