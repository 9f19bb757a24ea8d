//! What this node says of the map to others.

use bytes::Bytes;
use jiff::Timestamp;
use synapti_protocol::{
    awareness,
    envelope::{Answer, Envelope, Gossip, Message, NodeId, Presence, Question, RoomMessage, Update},
    message, update,
};

use super::{Effect, RoomState};
use crate::{
    bus::INBOX_BYTES_MAX,
    room::{
        Principal,
        peers::{Ask, Wanted},
    },
};

/// Bytes of one answer to another node, unless a single part is larger. Whoever lacks more asks again when it has taken that in: its
/// inbox has room for so much.
const ANSWER_BYTES_MAX: usize = INBOX_BYTES_MAX / 4;

impl RoomState {
    /// Answers what other nodes have asked.
    pub(super) fn answer_peers(&mut self) {
        for (node, (number, state_vector)) in std::mem::take(&mut self.cluster.questions) {
            self.answer_peer(node, number, &state_vector);
        }
    }

    /// Tells other nodes that the map is deleted.
    pub(super) fn tell_deleted(&mut self) {
        if self.cluster.peers.has_company() {
            self.broadcast(RoomMessage::Deleted);
        }
    }

    /// Tells other nodes what is shown now; `record` when it is on disk.
    pub(super) fn tell_update(&mut self, frame: &Bytes, record: Option<u64>, at: Timestamp, now_ms: u64) {
        let seq = self.cluster.peers.next_seq(now_ms);
        if !self.cluster.peers.has_company() {
            return;
        }
        let Ok(message::Message::Sync(message::SyncMessage::Update(update))) = message::parse(frame) else { return };
        self.tell(RoomMessage::Update(Update { seq, record, at_us: micros(at), update }));
    }

    /// Tells other nodes what our people show.
    pub(super) fn tell_presence(&mut self) {
        let Some(payload) = self.presence.take_own_changes() else { return };
        if self.cluster.peers.has_company() {
            let owners = self.owners_in(&payload);
            self.tell(RoomMessage::Presence(Presence { is_whole: false, owners, payload: &payload }));
        }
    }

    /// Answers a question of another node: everything beyond a state vector.
    pub(super) fn answer_peer(&mut self, node: NodeId, number: u64, state_vector: &[u8]) {
        let frames = self.cache.diff(&self.replica, state_vector);
        let (head, recorded) = (self.cluster.peers.own_gossip(false).head, self.recorded());
        let (at_us, is_saved) = (micros(self.modified_at), !self.has_unsaved);
        let mut bytes = 0;
        for (part, frame) in frames.iter().enumerate() {
            let update = match message::parse(frame) {
                Ok(message::Message::Sync(
                    message::SyncMessage::Update(update) | message::SyncMessage::Step2(update),
                )) => update,
                _ => &update::EMPTY_UPDATE,
            };
            bytes += frame.len();
            let is_end = part + 1 == frames.len();
            let has_more = bytes >= ANSWER_BYTES_MAX && !is_end;
            let (part, is_last) = (part as u64, is_end || has_more);
            let answer = Answer { number, part, head, recorded, at_us, is_saved, is_last, has_more, update };
            self.send(node, RoomMessage::Answer(answer));
            if has_more {
                break;
            }
        }
    }

    /// Asks, and says where we are, as far as that is due.
    pub(super) fn tell_others(&mut self, now_ms: u64) {
        for Ask { node, number, what } in self.cluster.peers.due_questions(now_ms) {
            let (wants_presence, state_vector) = match what {
                Wanted::Edits => (false, self.cache.state_vector(&self.replica)),
                Wanted::Presence => (true, Bytes::new()),
            };
            let question = Question { number, wants_presence, state_vector: &state_vector };
            self.send(node, RoomMessage::Question(question));
        }
        if let Some(wants_reply) = self.cluster.peers.due_gossip(self.version, now_ms) {
            let gossip = self.gossip(wants_reply);
            self.broadcast(RoomMessage::Gossip(gossip));
        }
    }

    pub(super) fn gossip(&mut self, wants_reply: bool) -> Gossip {
        // Its name is compared with what others have been told.
        if self.presence.has_own_changes() {
            self.tell_presence();
        }
        let digest = (self.cluster.peers.has_company() && self.is_still()).then(|| self.digest());
        let presence = self.presence.name_of_all(None);
        Gossip { recorded: self.recorded(), presence, digest, ..self.cluster.peers.own_gossip(wants_reply) }
    }

    /// Says who is here, to one node or to all.
    pub(super) fn tell_whole_presence(&mut self, to: Option<NodeId>) {
        let payload = self.presence.own();
        let owners = self.owners_in(&payload);
        let said = RoomMessage::Presence(Presence { is_whole: true, owners, payload: &payload });
        match to {
            Some(node) => self.send(node, said),
            None => self.broadcast(said),
        }
    }

    /// To whom the client ids in an awareness payload belong, where people sign in.
    pub(super) fn owners_in(&self, payload: &[u8]) -> Vec<(u64, u64)> {
        let entries = awareness::scan(payload).into_iter().flat_map(|view| view.iter());
        let owner = |client| self.owners.principal_of(client).filter(|owner| *owner != Principal::default());
        entries.filter_map(|entry| Some((entry.client, owner(entry.client)?.0))).collect()
    }

    /// Tells all who are known. A single one is told directly: what is broadcast comes back to us as well. Somebody of whom nothing was
    /// heard yet misses it, and finds the gap by our next gossip.
    pub(super) fn tell(&mut self, said: RoomMessage<'_>) {
        let only = self.cluster.peers.only();
        match only {
            Some(node) => self.send(node, said),
            None => self.broadcast(said),
        }
    }

    pub(super) fn broadcast(&mut self, said: RoomMessage<'_>) {
        let envelope = self.envelope(said);
        self.effects.push(Effect::Broadcast(envelope));
    }

    pub(super) fn send(&mut self, node: NodeId, said: RoomMessage<'_>) {
        let envelope = self.envelope(said);
        self.effects.push(Effect::Send(node, envelope));
    }

    pub(super) fn envelope(&self, message: RoomMessage<'_>) -> Bytes {
        let peers = &self.cluster.peers;
        let message = Message::Room { room: self.id.as_str(), epoch: peers.epoch(), message };
        Envelope { node: peers.me(), message }.encode().into()
    }
}

fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.as_microsecond()).unwrap_or(0)
}
