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
    envelope::{self, Envelope, Foreign, Message, NodeId, RoomMessage},
    message, update,
};

use super::{Life, RoomState, Size};
use crate::{
    bus::News,
    room::{peers::Peers, recorded::Recorded},
};

/// Bytes that have come from other nodes and wait to be taken in; beyond it nothing more is read from the bus.
const ARRIVED_BYTES_MAX: usize = 8 << 20;

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
    pub(super) questions: BTreeMap<NodeId, (u64, Bytes)>,
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
    /// A part of what a node has and we had not is: it is asked for the rest.
    AnsweredInPart {
        node: NodeId,
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

    /// Shows what is on disk, by another node.
    fn show_saved_elsewhere(&mut self, update: &[u8], now_ms: u64) {
        self.version += 1;
        self.size.add(Size::of_update(update));
        self.cache.invalidate();
        self.tail.records += 1;
        self.tail.bytes += update.len() as u64;
        self.note_topic(now_ms);
        self.publish(message::encode_update(update).into());
    }

    fn conclude_arrived(&mut self, then: Then, now_ms: u64) {
        match then {
            Then::Nothing => {}
            Then::Record(record) => self.cluster.recorded.note(record),
            Then::AllRecords(record) => self.cluster.recorded.note_all_up_to(record),
            Then::AnsweredInPart { node } => self.cluster.peers.ask_on(node, now_ms),
            Then::Answered { node, head, recorded } => {
                self.cluster.recorded.note_all_up_to(recorded);
                self.cluster.peers.repaired(node, head, now_ms);
            }
        }
    }

    /// Whether the document can be compared: nothing is under way, and nothing has changed for a while. What waits at the gate
    /// does not count: others may have what it lacks.
    pub(super) fn is_still(&self) -> bool {
        self.cluster.peers.is_quiet() && self.cluster.arrived.is_empty() && self.in_flight.is_empty()
    }

    pub(super) fn digest(&mut self) -> [u8; 16] {
        if let Some((version, digest)) = self.cluster.digest
            && version == self.version
        {
            return digest;
        }
        let digest = self.replica.digest().to_bytes();
        self.cluster.digest = Some((self.version, digest));
        digest
    }

    pub(super) fn note_held_of_peers(&mut self, now_ms: u64) {
        let Self { cluster, replica, .. } = self;
        cluster.peers.note_held(|node| replica.held_from(Sender::peer(node.0)) > 0, now_ms);
    }
}
