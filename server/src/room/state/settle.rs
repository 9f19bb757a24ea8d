//! What happens when the document and the disk agree: frames are published, questions are answered.

use super::{Awaited, Effect, Life, RoomState};
use std::sync::Arc;

use crate::room::{
    GraphView, SyncReply,
    reads::{Answer, Read},
};

/// Frames between two checkpoints: what a viewer that falls off the ring is sent twice at most.
const CHECKPOINT_FRAMES: u64 = 128;

impl RoomState {
    /// The oldest batch in flight is on disk, as this record; zero where records of a map are not numbered one by one.
    pub fn committed(&mut self, record: u64, now_ms: u64) {
        let Some(batch) = self.in_flight.pop_front() else { return };
        self.tail.records += 1;
        self.tail.bytes += batch.update_bytes as u64;
        if let Some(frame) = batch.frame {
            self.modified_at = self.modified_at.max(batch.at);
            self.tell_update(&frame, Some(record), batch.at, now_ms);
            self.publish(frame);
        }
        self.cluster.recorded.note(record);
        let acks = batch.acks.into_iter().filter(|(session, _)| self.members.contains_key(session));
        self.effects.extend(acks.map(|(session, edits)| Effect::Ack(session, edits)));
        self.answer_awaited(batch.waiting);
        self.show_saved();
        self.settle();
        self.compact_if_due();
    }

    /// An edit is on disk: who waits for that is answered, with the map as soon as it may be shown.
    pub(super) fn answer_awaited(&mut self, waiting: Vec<Awaited>) {
        for awaited in waiting {
            match awaited {
                Awaited::View(request) => self.reads.push((request, Read::View)),
                Awaited::Outcome(request, outcome) => {
                    self.effects.push(Effect::Answer(request, Answer::Outcome(outcome)));
                }
            }
        }
    }

    /// Does what had to wait until the document may be shown: until it agrees with the disk, or the room runs ahead.
    pub(super) fn settle(&mut self) {
        if !self.in_flight.is_empty() && !self.is_ahead {
            return;
        }
        if self.published >= self.checkpoint + CHECKPOINT_FRAMES {
            self.checkpoint = self.published;
            self.effects.push(Effect::Checkpoint(self.cache.state_vector(&self.replica)));
        }
        if let Life::Deleting { at, asked_store: false } = self.life
            && self.in_flight.is_empty()
        {
            self.life = Life::Deleting { at, asked_store: true };
            self.effects.push(Effect::Tombstone(at));
        }
        self.begin_restore();
        for session in std::mem::take(&mut self.to_ask) {
            let question = self.cache.question(&self.replica);
            self.effects.push(Effect::Ask(session, question));
        }
        self.answer_peers();
        for (request, read) in std::mem::take(&mut self.reads) {
            if self.is_early(&read) {
                self.reads.push((request, read));
                continue;
            }
            let answer = self.answer(&read);
            self.effects.push(Effect::Answer(request, answer));
        }
    }

    /// Whether edits that the reader sent before are still in the lane: everybody reads their own writes.
    fn is_early(&self, read: &Read) -> bool {
        match read {
            Read::Sync { after: Some((session, edits)), .. } | Read::Turn { after: (session, edits) } => {
                self.members.get(session).is_some_and(|member| member.edits < *edits)
            }
            _ => false,
        }
    }

    fn answer(&mut self, read: &Read) -> Answer {
        match read {
            Read::Sync { state_vector, .. } => Answer::Sync(SyncReply {
                frames: self.cache.diff(&self.replica, state_vector),
                state_vector: self.cache.state_vector(&self.replica),
                presence: self.presence.everybody(),
                cursor: self.published,
            }),
            Read::View => {
                let Self { id, replica, created_at, modified_at, has_unsaved, .. } = self;
                Answer::View(self.cache.view(|| {
                    let view = GraphView::of(id, replica, *created_at, *modified_at);
                    GraphView { is_saved: !*has_unsaved, ..view }
                }))
            }
            Read::Map => Answer::Map(Arc::new(self.replica.map())),
            Read::Snapshot => {
                let is_saved = !self.has_unsaved;
                Answer::Snapshot(self.cache.snapshot(&self.replica, self.published, is_saved))
            }
            Read::Turn { .. } => Answer::Turn(self.cache.question(&self.replica)),
            Read::Presence => Answer::Presence(self.presence.everybody()),
            Read::PresenceNews => Answer::Presence(self.presence.news()),
        }
    }
}
