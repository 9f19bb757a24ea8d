//! What nodes say to each other: one envelope is one message on the bus between them.
//!
//! ```text
//! 0xe7  version  varUint node  varUint kind  …
//! of a room (kinds 0 to 6):  varString room  varUint epoch  …
//! 0 update    varUint seq, varUint record, varUint at (µs), varBytes update
//! 1 presence  u8 is_whole, varUint n, n × (varUint client, varUint principal), varBytes awareness
//! 2 gossip    varUint head, varUint recorded, varUint presence, u8 flags (1 reply wanted, 2 digest), [16 bytes digest],
//!             varUint n, n × (varUint node, varUint epoch, varUint seq)
//! 3 question  varUint number, u8 flags (1 presence too), varBytes state vector
//! 4 answer    varUint number, varUint part, varUint head, varUint recorded, varUint at (µs), u8 flags (1 not saved, 2 last, 4 ask
//!             for more),
//!             varBytes update
//! 5 leave
//! 6 deleted
//! of a node (kinds 16 to 18):  16 alive  17 bye  18 probe: varString client
//! ```
//!
//! A node is a number that a process chose at its start; an epoch is one opening of a room by that process, and rises. Updates
//! of one epoch are numbered from 1, so whoever listens sees what it has missed. Numbers are at most 2^53 − 1.

mod read;
mod write;

use std::fmt;

pub use read::{Foreign, read, sender};

/// The first byte of every envelope: tells ours from what others put on the same channel.
const MAGIC: u8 = 0xe7;

/// The version of the format. A node ignores what is newer.
const VERSION: u8 = 1;

/// Streams that one gossip tells of at most: other nodes that have the same map open.
pub const STREAMS_MAX: usize = 1024;

/// One run of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014x}", self.0)
    }
}

/// An envelope as it was read; what it carries is borrowed and has not been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Who says it.
    pub node: NodeId,
    /// What it says.
    pub message: Message<'a>,
}

/// What one node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Of a map that it has open.
    Room {
        /// The map.
        room: &'a str,
        /// Its opening.
        epoch: u64,
        /// What.
        message: RoomMessage<'a>,
    },
    /// Of itself.
    Node(NodeMessage<'a>),
}

/// What a node says of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomMessage<'a> {
    /// It has shown this to its viewers.
    Update(Update<'a>),
    /// What its people show of themselves.
    Presence(Presence<'a>),
    /// What it has said, and what it has heard of others.
    Gossip(Gossip),
    /// To one node: what do you have beyond this?
    Question(Question<'a>),
    /// To the node that asked.
    Answer(Answer<'a>),
    /// It has closed the map: nothing more comes of this epoch.
    Leave,
    /// The map is deleted: look it up.
    Deleted,
}

/// An update as a room has shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// Its number in its epoch, from 1.
    pub seq: u64,
    /// Its record in the store; `None` when it is not on disk, so that whoever gets it has to save it as well.
    pub record: Option<u64>,
    /// When it was integrated, in microseconds since 1970.
    pub at_us: u64,
    /// Yjs update (v1), without holes.
    pub update: &'a [u8],
}

/// Presence of a node's own people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence<'a> {
    /// Whether nobody else is there: who is not in it has gone.
    pub is_whole: bool,
    /// To whom client ids belong, where people sign in.
    pub owners: Vec<(u64, u64)>,
    /// As [`crate::awareness`] encodes it.
    pub payload: &'a [u8],
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gossip {
    /// The number of its newest update.
    pub head: u64,
    /// All records of the store up to this one are in its document.
    pub recorded: u64,
    /// Names what its people show.
    pub presence: u64,
    /// Whether it has just come, and wants to hear the same of others.
    pub wants_reply: bool,
    /// Names its document, when that has been still for a while.
    pub digest: Option<[u8; 16]>,
    /// Up to where it has heard others: node, epoch, number.
    pub heard: Vec<(NodeId, u64, u64)>,
}

/// What one node asks another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Comes back with the answer.
    pub number: u64,
    /// Whether presence is wanted too.
    pub wants_presence: bool,
    /// What it has, encoded; empty when it wants nothing but presence.
    pub state_vector: &'a [u8],
}

/// A part of an answer. Parts join on to each other in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Of the question.
    pub number: u64,
    /// Which part, from 0.
    pub part: u64,
    /// The answer contains everything that its node has published up to this number.
    pub head: u64,
    /// And all records of the store up to this one.
    pub recorded: u64,
    /// When the map was last changed, in microseconds since 1970.
    pub at_us: u64,
    /// Whether all of it is on disk.
    pub is_saved: bool,
    /// Whether it is the last part; the numbers above count once it has come.
    pub is_last: bool,
    /// Whether there is more than one answer holds: the last part leaves it to the next question, and no number counts.
    pub has_more: bool,
    /// Yjs update (v1).
    pub update: &'a [u8],
}

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeMessage<'a> {
    /// It is there.
    Alive,
    /// It goes.
    Bye,
    /// Let go of this client's connections if they are dead: it is at its limit.
    Probe {
        /// The client, as limits name it.
        client: &'a str,
    },
}
