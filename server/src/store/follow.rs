//! Following what other nodes write to the same store.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::{GraphKey, RecordId, StoreError};

/// How far a graph's records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The graph.
    pub key: GraphKey,
    /// Its newest record.
    pub last: RecordId,
    /// Whether it is deleted.
    pub is_deleted: bool,
    /// When it was last changed.
    pub modified_at: Timestamp,
}

/// What a graph's snapshot covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// All records up to this one.
    pub covers: RecordId,
    /// The graph's newest record.
    pub last: RecordId,
    /// Size of the snapshot.
    pub bytes: u64,
}

/// Records after some other one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// All of them, or the first so many, in order and without a gap.
    Records {
        /// Their updates.
        updates: Vec<Bytes>,
        /// The last of them, or the one asked about.
        up_to: RecordId,
        /// Whether there are more.
        has_more: bool,
        /// When the graph was last changed.
        modified_at: Timestamp,
    },
    /// Some of them have gone into a snapshot, or cannot be read: the graph has to be loaded.
    Load,
}

/// Records that are read at once at most, and their bytes, unless a single one is larger.
pub const SINCE_RECORDS_MAX: i64 = 1_000;
/// See [`SINCE_RECORDS_MAX`].
pub const SINCE_BYTES_MAX: usize = 4 << 20;

/// Graphs that are asked for at once.
pub const HEADS_MAX: usize = 1_000;

/// How long a node may take to notice that the store has more than it has.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A store that several nodes write to at the same time.
///
/// It numbers the records of each graph from 1 without gaps, and shows a record only after all before it: whoever has all records
/// up to n lacks nothing else that was committed when n was the last.
#[async_trait]
pub trait SharedLog: Send + Sync {
    /// How far graphs go, at most [`HEADS_MAX`] of them; those that are unknown are left out.
    async fn heads(&self, keys: &[GraphKey]) -> Result<Vec<Head>, StoreError>;

    /// What a graph's current snapshot covers, if there is one.
    async fn covered(&self, key: GraphKey) -> Result<Option<Covered>, StoreError>;

    /// What a graph has after a record, with everything that was committed before this call.
    ///
    /// # Errors
    /// [`StoreError::Gone`] when it is deleted.
    async fn since(&self, key: GraphKey, after: RecordId) -> Result<Since, StoreError>;
}
