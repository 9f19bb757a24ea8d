//! What goes into a room's state at the start, and what comes out of it.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::Replica;
use synapti_protocol::envelope::NodeId;

use super::{cluster::Tally, size::Size, tail::Tail};
use crate::room::{Refusal, RequestId, SessionId, reads::Answer};

/// Bounds of one room.
#[derive(Clone, Copy, Debug)]
pub struct RoomLimits {
    /// Sessions in the room; 0 = no limit.
    pub sessions_max: usize,
    /// Encoded size of the map; 0 = no limit.
    pub document_bytes_max: usize,
    /// Nodes of the map; 0 = no limit.
    pub nodes_max: usize,
    /// Time between two automatic versions; zero = none are made.
    pub version_every: Duration,
}

/// What the room wants done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Make this update durable, then call [`RoomState::committed`].
    Commit {
        /// What was integrated.
        update: Bytes,
        /// The new topic, if this update changed it.
        topic: Option<String>,
        /// When it was integrated.
        at: Timestamp,
    },
    /// Put a frame into the feed.
    Publish(Bytes),
    /// Tell an extended session that so many of its edits are on disk.
    Ack(SessionId, u64),
    /// Tell extended sessions whether something was shown that is not on disk.
    Unsaved(bool),
    /// Note in the feed, at its head, that its readers have this state vector.
    Checkpoint(Bytes),
    /// Answer a question.
    Answer(RequestId, Answer),
    /// Ask a session's client for what it has beyond the room's state.
    Ask(SessionId, Bytes),
    /// Tell a session's client something about its own presence.
    SayPresence(SessionId, Bytes),
    /// End a session.
    Refuse(SessionId, Refusal),
    /// Replace the stored tail by a snapshot, then call [`RoomState::compacted`].
    Compact,
    /// Keep the stored state as a version, then call [`RoomState::version_kept`], or [`RoomState::kept_before_restore`]
    /// when that is what it is for.
    KeepVersion {
        /// The restoring that waits for it; else it is an automatic one.
        before: Option<RequestId>,
        /// Names of those who edited, as far as they said.
        author: Option<String>,
    },
    /// Tell other nodes that have the map open.
    Broadcast(Bytes),
    /// Tell one of them.
    Send(NodeId, Bytes),
    /// Read what the store has after this record, then call [`RoomState::tail_read`].
    ReadTail(u64),
    /// Count something.
    Tally(Tally),
    /// Mark the graph deleted in the store, then call [`RoomState::tombstoned`].
    Tombstone(Timestamp),
}

/// What a room starts from.
#[derive(Debug)]
pub struct Loaded {
    /// The document.
    pub replica: Replica,
    /// When the graph was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
    /// The topic that listings show.
    pub topic: String,
    /// The stored tail.
    pub tail: Tail,
    /// The map's size, or more.
    pub size: Size,
    /// This node, and which opening of the map this is; openings of one node rise.
    pub opening: (NodeId, u64),
    /// The newest record of the store that the document has.
    pub recorded: u64,
    /// Whether something of the map could not be read, so that a snapshot of what there is must not take its place.
    pub is_damaged: bool,
}
