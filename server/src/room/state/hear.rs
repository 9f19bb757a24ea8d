//! What other nodes say of the map.

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::Sender;
use synapti_protocol::{
    DecodeError, awareness,
    envelope::{Answer, Foreign, Gossip, NodeId, Presence, Question, RoomMessage, Update},
    update,
};

use super::{
    Effect, RoomState,
    cluster::{Arrived, Tally, Then},
};
use crate::room::{Principal, peers::Heard};

impl RoomState {
    pub(super) fn hear_of_room(
        &mut self,
        node: NodeId,
        epoch: u64,
        said: RoomMessage<'_>,
        bytes: &Bytes,
        now_ms: u64,
    ) -> Result<(), Foreign> {
        if let RoomMessage::Leave = said {
            self.node_gone(node, Some(epoch), now_ms);
            return Ok(());
        }
        let was_alone = !self.cluster.peers.has_company();
        if !self.cluster.peers.hear(node, epoch, now_ms) {
            return Ok(());
        }
        if was_alone {
            // Until now nobody was told.
            drop(self.presence.take_own_changes());
            self.tell_whole_presence(None);
        }
        match said {
            RoomMessage::Update(said) => self.hear_update(node, said, bytes, now_ms)?,
            RoomMessage::Presence(said) => self.hear_presence(node, &said, now_ms)?,
            RoomMessage::Gossip(said) => self.hear_gossip(node, &said, now_ms),
            RoomMessage::Question(said) => self.hear_question(node, said)?,
            RoomMessage::Answer(said) => self.hear_answer(node, said, bytes, now_ms)?,
            RoomMessage::Deleted => self.read_tail(),
            RoomMessage::Leave => {}
        }
        Ok(())
    }

    pub(super) fn hear_update(
        &mut self,
        node: NodeId,
        said: Update<'_>,
        bytes: &Bytes,
        now_ms: u64,
    ) -> Result<(), DecodeError> {
        update::scan(said.update)?;
        let had_gap = self.cluster.peers.has_gap(node);
        if self.cluster.peers.take(node, said.seq, now_ms) == Heard::Stale {
            return Ok(());
        }
        if !had_gap && self.cluster.peers.has_gap(node) {
            self.effects.push(Effect::Tally(Tally::Gap));
        }
        self.cluster.push(Arrived {
            from: Sender::peer(node.0),
            update: bytes.slice_ref(said.update),
            is_saved: said.record.is_some(),
            at: timestamp(said.at_us),
            then: said.record.map_or(Then::Nothing, Then::Record),
        });
        Ok(())
    }

    pub(super) fn hear_presence(&mut self, node: NodeId, said: &Presence<'_>, now_ms: u64) -> Result<(), DecodeError> {
        let view = awareness::scan(said.payload)?;
        self.presence.hear(node, &view, said.is_whole, now_ms);
        for &(client, principal) in &said.owners {
            self.owners.claim(client, Principal(principal));
        }
        if said.is_whole {
            self.cluster.peers.note_presence(node);
        }
        self.flush_presence(now_ms);
        Ok(())
    }

    pub(super) fn hear_gossip(&mut self, node: NodeId, said: &Gossip, now_ms: u64) {
        let is_still = self.is_still();
        let presence = self.presence.name_of_all(Some(node));
        let reaction = self.cluster.peers.gossip(node, said, presence, is_still, now_ms);
        if reaction.reply {
            let gossip = self.gossip(false);
            self.send(node, RoomMessage::Gossip(gossip));
        }
        if reaction.compare
            && let Some(theirs) = said.digest
        {
            let is_same = self.digest() == theirs;
            if !is_same {
                self.effects.push(Effect::Tally(Tally::Divergence));
            }
            self.cluster.peers.compared(node, is_same, self.version);
        }
    }

    pub(super) fn hear_question(&mut self, node: NodeId, said: Question<'_>) -> Result<(), DecodeError> {
        if said.wants_presence {
            self.tell_whole_presence(Some(node));
        }
        if said.state_vector.is_empty() {
            return Ok(());
        }
        update::scan_state_vector(said.state_vector)?;
        let state_vector = Bytes::copy_from_slice(said.state_vector);
        self.cluster.questions.insert(node, (said.number, state_vector));
        self.settle();
        Ok(())
    }

    pub(super) fn hear_answer(
        &mut self,
        node: NodeId,
        said: Answer<'_>,
        bytes: &Bytes,
        now_ms: u64,
    ) -> Result<(), DecodeError> {
        update::scan(said.update)?;
        let Some(is_whole) = self.cluster.peers.answered(node, said.number, said.part, said.is_last, now_ms) else {
            return Ok(());
        };
        let then = if is_whole && said.has_more {
            Then::AnsweredInPart { node }
        } else if is_whole {
            self.effects.push(Effect::Tally(Tally::Repair));
            Then::Answered { node, head: said.head, recorded: said.recorded }
        } else {
            Then::Nothing
        };
        let update = bytes.slice_ref(said.update);
        let at = timestamp(said.at_us);
        self.cluster.push(Arrived { from: Sender::peer(node.0), update, is_saved: said.is_saved, at, then });
        Ok(())
    }

    pub(super) fn node_gone(&mut self, node: NodeId, epoch: Option<u64>, now_ms: u64) {
        if self.cluster.peers.leave(node, epoch) {
            self.presence.node_gone(node, now_ms);
            self.flush_presence(now_ms);
            if epoch.is_none() {
                // It died: its last words may have been saved and not said.
                self.read_tail();
            }
        }
    }
}

fn timestamp(micros: u64) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
}
