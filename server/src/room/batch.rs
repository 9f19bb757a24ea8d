//! Edits on their way into a room's document: gathered, cut, committed.

use std::collections::VecDeque;

use bytes::Bytes;
use synapti_crdt::map::MapEdit;
use tokio::sync::OwnedSemaphorePermit;

use super::{RequestId, SessionId};

/// An edit that has not been integrated yet.
#[derive(Debug)]
pub enum Edit {
    /// A Yjs update of a client.
    Update {
        /// Whose it is.
        session: SessionId,
        /// The encoded update.
        update: Bytes,
    },
    /// An edit of the map through the API.
    Map {
        /// Who waits for it to be durable.
        request: RequestId,
        /// What to do.
        edit: Box<MapEdit>,
    },
}

impl Edit {
    /// What it may add to the document.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Update { update, .. } => update.len(),
            // Titles and summaries; the rest is small.
            Self::Map { .. } => 1024,
        }
    }
}

/// An edit in the edits lane, with the share of the lane's bytes that it holds until it is integrated.
#[derive(Debug)]
pub struct LaneEdit {
    /// The edit.
    pub edit: Edit,
    /// Returned to the lane when the edit is dropped.
    pub permit: OwnedSemaphorePermit,
}

/// Edits gather here while a commit is on its way to disk.
#[derive(Debug, Default)]
pub struct Gathering {
    edits: VecDeque<LaneEdit>,
    bytes: usize,
}

/// Updates in one batch at most: bounds how long a room integrates without looking up.
pub const BATCH_EDITS_MAX: usize = 4096;

/// Bytes in one batch at most, unless a single edit is larger: bounds one frame and one journal record.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

impl Gathering {
    /// Adds an edit at the end.
    pub fn push(&mut self, edit: LaneEdit) {
        self.bytes += edit.edit.bytes();
        self.edits.push_back(edit);
    }

    /// Whether more should be taken out of the lane: what stays in the lane slows its writers.
    pub fn has_room(&self) -> bool {
        self.edits.len() < BATCH_EDITS_MAX && self.bytes < BATCH_BYTES_MAX
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Takes everything that has gathered.
    pub fn cut(&mut self) -> VecDeque<LaneEdit> {
        self.bytes = 0;
        std::mem::take(&mut self.edits)
    }
}
