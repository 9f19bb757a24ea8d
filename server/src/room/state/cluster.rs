//! The same map on other nodes: what they say is taken in, what is shown here is told, and who lacks something asks.
//!
//! What another node has shown is on disk already, so it is shown without being saved again; unless it says that it is not, or
//! it lets something in that waited at the gate. Nothing is taken in while a batch of our own is on its way to disk: so the
//! document is what is stored, or one batch ahead.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use synapti_crdt::{Op, Sender};
use synapti_protocol::{
    DecodeError, awareness,
    envelope::{self, Answer, Envelope, Foreign, Gossip, Message, NodeId, Presence, Question, RoomMessage, Update},
    message, update,
};

use super::{Effect, Life, RoomState, Size};
use crate::{
    bus::News,
    room::{
        Principal,
        peers::{Ask, Heard, Peers, Wanted},
        recorded::Recorded,
    },
};

/// Bytes that have come from other nodes and wait to be taken in; beyond it nothing more is read from the bus.
const ARRIVED_BYTES_MAX: usize = 8 << 20;

/// Two nodes that write the topic within so short a time may each have overwritten the other's in listings.
const TOPICS_CROSS_WITHIN_MS: u64 = 10_000;

/// How far the clock of another node may be ahead of ours, for its word on when a map was changed to count.
const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_mins(1);

/// What the room knows of the cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) peers: Peers,
    pub(super) recorded: Recorded,
    /// What has come and is not in the document yet, in this order.
    pub(super) arrived: Vec<Arrived>,
    arrived_bytes: usize,
    /// Questions of other nodes that wait until nothing is on its way to disk; one of each.
    questions: BTreeMap<NodeId, (u64, Bytes)>,
    /// The digest, and of which version.
    digest: Option<(u64, [u8; 16])>,
}

/// Something from another node, or from the store.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) from: Sender,
    pub(super) update: Bytes,
    /// Whether it is on disk.
    pub(super) is_saved: bool,
    pub(super) at: Option<Timestamp>,
    pub(super) then: Then,
}

/// What is true once it is in the document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    Nothing,
    /// A record of the store is.
    Record(u64),
    /// All records up to this one are.
    AllRecords(u64),
    /// All that a node has published up to this number is, and all records up to this one.
    Answered {
        node: NodeId,
        head: u64,
        recorded: u64,
    },
}

/// What was done with something on the bus, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// An update was missing before this one.
    Gap,
    /// An answer to a question has come.
    Repair,
    /// A node that has heard the same has another document.
    Divergence,
}

impl Cluster {
    pub(super) fn new(me: NodeId, epoch: u64, recorded: u64) -> Self {
        Self {
            peers: Peers::new(me, epoch),
            recorded: Recorded::up_to(recorded),
            arrived: Vec::new(),
            arrived_bytes: 0,
            questions: BTreeMap::new(),
            digest: None,
        }
    }

    pub(super) fn push(&mut self, arrived: Arrived) {
        self.arrived_bytes += arrived.update.len();
        self.arrived.push(arrived);
    }
}

impl RoomState {
    /// Whether more of what is on the bus should be heard.
    pub fn has_room_for_news(&self) -> bool {
        self.cluster.arrived_bytes < ARRIVED_BYTES_MAX
    }

    /// Whether something waits to be [taken in](Self::take_in), and how many bytes it has.
    pub fn arrived_bytes(&self) -> Option<usize> {
        (!self.cluster.arrived.is_empty()).then_some(self.cluster.arrived_bytes)
    }

    /// All records of the store up to this one are in the document.
    pub fn recorded(&self) -> u64 {
        self.cluster.recorded.all_up_to()
    }

    /// Something has come over the bus.
    ///
    /// # Errors
    /// [`Foreign`] when it is nothing for this room; nothing came of it.
    pub fn hear(&mut self, news: News, now_ms: u64) -> Result<(), Foreign> {
        match news {
            News::Joined => self.cluster.peers.joined(now_ms),
            News::Away => self.cluster.peers.away(),
            News::Missed => self.cluster.peers.ask_around(now_ms),
            News::Gone(node) => self.node_gone(node, None, now_ms),
            News::Envelope(bytes) => {
                let Envelope { node, message } = envelope::read(&bytes)?;
                let Message::Room { room, epoch, message } = message else { return Err(Foreign::Unknown) };
                if room != self.id.as_str() {
                    return Err(Foreign::Unknown);
                }
                if self.life != Life::Deleted {
                    self.hear_of_room(node, epoch, message, &bytes, now_ms)?;
                }
            }
        }
        self.tell_others(now_ms);
        Ok(())
    }

    /// Time has passed: whoever has to be asked is asked, and others are told where we are.
    pub fn tick_cluster(&mut self, now_ms: u64) {
        for node in self.cluster.peers.expire(now_ms) {
            self.presence.node_gone(node, now_ms);
        }
        self.note_held_of_peers(now_ms);
        self.tell_others(now_ms);
    }

    /// When [`RoomState::tick_cluster`] has something to do.
    pub fn cluster_due_ms(&self) -> Option<u64> {
        self.cluster.peers.due_ms()
    }

    /// The room closes: others need not wait to hear of it.
    pub fn say_leave(&mut self) {
        if self.cluster.peers.has_company() {
            self.broadcast(RoomMessage::Leave);
        }
    }

    /// Takes in what has come from other nodes and from the store.
    pub fn take_in(&mut self, now: Timestamp, now_ms: u64) {
        debug_assert!(self.can_integrate(true), "it would be shown with what is not on disk");
        self.cluster.arrived_bytes = 0;
        let arrived = std::mem::take(&mut self.cluster.arrived);
        if self.life == Life::Open {
            // What waits at the gate and is let in by this may be on nobody's disk.
            let is_saved = self.replica.held_bytes() == 0 && arrived.iter().all(|arrived| arrived.is_saved);
            let ops = arrived.iter().map(|arrived| Op::Update { update: &arrived.update, from: arrived.from });
            let applied = self.replica.apply(ops, now_ms);
            let is_plausible = |at: &Timestamp| *at <= now + CLOCKS_DIFFER_MAX;
            let at = arrived.iter().filter_map(|arrived| arrived.at).filter(is_plausible).max();
            self.turn_away_all(applied.refused);
            self.note_left_out(applied.left_out, now_ms);
            let acks = self.due_acks(&[]);
            match applied.update {
                Some(update) if is_saved => {
                    self.show_saved_elsewhere(&update, now_ms);
                    self.wait_with_newest(Vec::new(), acks);
                }
                Some(update) => self.begin_commit(&update, Vec::new(), acks, now, now_ms),
                None => self.wait_with_newest(Vec::new(), acks),
            }
            if let Some(at) = at.filter(|at| is_saved && *at > self.modified_at) {
                self.modified_at = at;
                self.cache.invalidate();
            }
        }
        for arrived in arrived {
            self.conclude_arrived(arrived.then, now_ms);
        }
        self.answer_ready();
        self.note_held_of_peers(now_ms);
        if self.listed.is_doubtful && self.in_flight.is_empty() && self.life == Life::Open {
            // Whoever wrote last is listed, which need not be who won.
            self.begin_commit(&update::EMPTY_UPDATE, Vec::new(), Vec::new(), now, now_ms);
        }
        self.settle();
        self.tell_others(now_ms);
    }

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
    fn answer_peer(&mut self, node: NodeId, number: u64, state_vector: &[u8]) {
        let frames = self.cache.diff(&self.replica, state_vector);
        let (head, recorded) = (self.cluster.peers.own_gossip(false).head, self.recorded());
        let (at_us, is_saved) = (micros(self.modified_at), !self.has_unsaved);
        for (part, frame) in frames.iter().enumerate() {
            let update = match message::parse(frame) {
                Ok(message::Message::Sync(
                    message::SyncMessage::Update(update) | message::SyncMessage::Step2(update),
                )) => update,
                _ => &update::EMPTY_UPDATE,
            };
            let (part, is_last) = (part as u64, part + 1 == frames.len());
            let answer = Answer { number, part, head, recorded, at_us, is_saved, is_last, update };
            self.send(node, RoomMessage::Answer(answer));
        }
    }

    fn hear_of_room(
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

    fn hear_update(&mut self, node: NodeId, said: Update<'_>, bytes: &Bytes, now_ms: u64) -> Result<(), DecodeError> {
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

    fn hear_presence(&mut self, node: NodeId, said: &Presence<'_>, now_ms: u64) -> Result<(), DecodeError> {
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

    fn hear_gossip(&mut self, node: NodeId, said: &Gossip, now_ms: u64) {
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

    fn hear_question(&mut self, node: NodeId, said: Question<'_>) -> Result<(), DecodeError> {
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

    fn hear_answer(&mut self, node: NodeId, said: Answer<'_>, bytes: &Bytes, now_ms: u64) -> Result<(), DecodeError> {
        update::scan(said.update)?;
        let Some(is_whole) = self.cluster.peers.answered(node, said.number, said.part, said.is_last, now_ms) else {
            return Ok(());
        };
        let then = if is_whole {
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

    fn node_gone(&mut self, node: NodeId, epoch: Option<u64>, now_ms: u64) {
        if self.cluster.peers.leave(node, epoch) {
            self.presence.node_gone(node, now_ms);
            self.flush_presence(now_ms);
            // Its last words may have been saved and not said.
            self.read_tail();
        }
    }

    /// Shows what is on disk, by another node.
    fn show_saved_elsewhere(&mut self, update: &[u8], now_ms: u64) {
        self.version += 1;
        self.size.add(Size::of_update(update));
        self.cache.invalidate();
        self.tail.records += 1;
        self.tail.bytes += update.len() as u64;
        if let Some(topic) = self.replica.topic().filter(|topic| *topic != self.topic) {
            self.topic = topic;
            let is_recent = |written_ms: u64| now_ms < written_ms + TOPICS_CROSS_WITHIN_MS;
            self.listed.is_doubtful |= self.listed.written_ms.is_some_and(is_recent);
        }
        self.publish(message::encode_update(update).into());
    }

    fn conclude_arrived(&mut self, then: Then, now_ms: u64) {
        match then {
            Then::Nothing => {}
            Then::Record(record) => self.cluster.recorded.note(record),
            Then::AllRecords(record) => self.cluster.recorded.note_all_up_to(record),
            Then::Answered { node, head, recorded } => {
                self.cluster.recorded.note_all_up_to(recorded);
                self.cluster.peers.repaired(node, head, now_ms);
            }
        }
    }

    /// Asks, and says where we are, as far as that is due.
    fn tell_others(&mut self, now_ms: u64) {
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

    fn gossip(&mut self, wants_reply: bool) -> Gossip {
        // Its name is compared with what others have been told.
        if self.presence.has_own_changes() {
            self.tell_presence();
        }
        let digest = (self.cluster.peers.has_company() && self.is_still()).then(|| self.digest());
        let presence = self.presence.name_of_all(None);
        Gossip { recorded: self.recorded(), presence, digest, ..self.cluster.peers.own_gossip(wants_reply) }
    }

    /// Whether the document can be compared: nothing is under way, and nothing has changed for a while. What waits at the gate
    /// does not count: others may have what it lacks.
    fn is_still(&self) -> bool {
        self.cluster.peers.is_quiet() && self.cluster.arrived.is_empty() && self.in_flight.is_empty()
    }

    fn digest(&mut self) -> [u8; 16] {
        if let Some((version, digest)) = self.cluster.digest
            && version == self.version
        {
            return digest;
        }
        let digest = self.replica.digest().to_bytes();
        self.cluster.digest = Some((self.version, digest));
        digest
    }

    fn note_held_of_peers(&mut self, now_ms: u64) {
        let Self { cluster, replica, .. } = self;
        cluster.peers.note_held(|node| replica.held_from(Sender::peer(node.0)) > 0, now_ms);
    }

    /// Says who is here, to one node or to all.
    fn tell_whole_presence(&mut self, to: Option<NodeId>) {
        let payload = self.presence.own();
        let owners = self.owners_in(&payload);
        let said = RoomMessage::Presence(Presence { is_whole: true, owners, payload: &payload });
        match to {
            Some(node) => self.send(node, said),
            None => self.broadcast(said),
        }
    }

    /// To whom the client ids in an awareness payload belong, where people sign in.
    fn owners_in(&self, payload: &[u8]) -> Vec<(u64, u64)> {
        let entries = awareness::scan(payload).into_iter().flat_map(|view| view.iter());
        let owner = |client| self.owners.principal_of(client).filter(|owner| *owner != Principal::default());
        entries.filter_map(|entry| Some((entry.client, owner(entry.client)?.0))).collect()
    }

    /// Tells all who are known. A single one is told directly: what is broadcast comes back to us as well.
    fn tell(&mut self, said: RoomMessage<'_>) {
        let only = self.cluster.peers.only();
        match only {
            Some(node) => self.send(node, said),
            None => self.broadcast(said),
        }
    }

    fn broadcast(&mut self, said: RoomMessage<'_>) {
        let envelope = self.envelope(said);
        self.effects.push(Effect::Broadcast(envelope));
    }

    fn send(&mut self, node: NodeId, said: RoomMessage<'_>) {
        let envelope = self.envelope(said);
        self.effects.push(Effect::Send(node, envelope));
    }

    fn envelope(&self, message: RoomMessage<'_>) -> Bytes {
        let peers = &self.cluster.peers;
        let message = Message::Room { room: self.id.as_str(), epoch: peers.epoch(), message };
        Envelope { node: peers.me(), message }.encode().into()
    }
}

fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.as_microsecond()).unwrap_or(0)
}

fn timestamp(micros: u64) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
}
