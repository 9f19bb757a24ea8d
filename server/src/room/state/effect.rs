//! What goes into a room's state at the start, and what comes out of it.

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::Replica;

use super::tail::Tail;
use crate::{
    room::{Refusal, RequestId, SessionId, reads::Answer},
    store::RecordId,
};

/// Bounds of one room.
#[derive(Clone, Copy, Debug)]
pub struct RoomLimits {
    /// Sessions in the room; 0 = no limit.
    pub sessions_max: usize,
    /// Encoded size of the map; 0 = no limit.
    pub document_bytes_max: usize,
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
    /// Note in the feed, at its head, that its readers have this state vector.
    Checkpoint(Bytes),
    /// Answer a question.
    Answer(RequestId, Answer),
    /// Ask a session's client for what it has beyond the room's state.
    Ask(SessionId, Bytes),
    /// End a session.
    Refuse(SessionId, Refusal),
    /// Replace the stored tail up to `covers` by a snapshot, then call [`RoomState::compacted`].
    Compact {
        /// The newest record that `state` contains.
        covers: RecordId,
        /// The whole state as one update.
        state: Bytes,
    },
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
    /// Size of the snapshot and tail as stored.
    pub bytes: usize,
    /// Whether something of the map could not be read, so that a snapshot of what there is must not take its place.
    pub is_damaged: bool,
}
