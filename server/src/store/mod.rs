//! Where maps are kept.
//!
//! A graph is a row with an id, a snapshot that covers its updates up to one record, and the tail of records
//! after it. The journal appends; compaction replaces a tail by a snapshot in slices; nothing else writes.

mod error;
mod sqlite;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use synapti_protocol::graph_id::GraphId;

pub use error::StoreError;
pub use sqlite::{MigrationReport, SqliteStore};

/// The store's own handle of a graph: small, stable for the life of the graph, meaningless elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GraphKey(pub i64);

/// Position of one record in the journal. Records of one graph have increasing ids in the order of their commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId(pub i64);

/// Handle of a snapshot that is being written and that no reader sees yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotId(pub i64);

/// What is known of a graph without reading its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphRecord {
    /// The store's handle.
    pub key: GraphKey,
    /// The public id.
    pub id: GraphId,
    /// Last committed `meta.topic`, for listings.
    pub topic: String,
    /// When the graph was created.
    pub created_at: Timestamp,
    /// When its last record was committed; `created_at` while it has none.
    pub modified_at: Timestamp,
}

/// Answer to "is there such a graph?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Never created.
    Missing,
    /// Deleted: its tombstone stays, and the id is not given out again.
    Deleted {
        /// When it was deleted.
        at: Timestamp,
    },
    /// There, and readable.
    Live(GraphRecord),
}

/// One room's part of a commit.
#[derive(Clone, Debug)]
pub struct JournalRecord {
    /// The graph that it belongs to.
    pub key: GraphKey,
    /// A Yjs update (v1): exactly what the room integrated.
    pub update: Bytes,
    /// The new `meta.topic`, when this record changed it.
    pub topic: Option<String>,
    /// When the room handed it over.
    pub at: Timestamp,
}

/// A graph's document as stored: apply `snapshot`, then `tail` in order.
#[derive(Clone, Debug, Default)]
pub struct StoredGraph {
    /// The state that covers all records up to some id (Yjs update v1), if compaction ever ran.
    pub snapshot: Option<Vec<u8>>,
    /// Records after the snapshot, in commit order.
    pub tail: Vec<Vec<u8>>,
    /// The newest record that the two contain; zero when there is none.
    pub last: RecordId,
    /// Records in the tail and their size, for the compaction policy.
    pub tail_bytes: u64,
}

/// One page of a listing: newest change first.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Continue after this graph of the page before.
    pub after: Option<ListCursor>,
    /// Rows wanted, 1 to 1000.
    pub limit: u32,
}

/// Where a page of a listing ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCursor {
    /// `modified_at` of the last row.
    pub modified_at: Timestamp,
    /// Id of the last row; breaks ties.
    pub id: GraphId,
}

/// Durable storage of graphs.
///
/// Guarantees every backend gives:
/// - a method that returns `Ok` has made its effect durable: it survives `kill -9` and power loss;
/// - `append` is all or nothing, and after `Err` the same batch may be appended again: updates are idempotent,
///   so a batch that was durable in spite of the error does no harm when it is stored twice;
/// - `load` sees snapshot and tail in one consistent view, whatever compaction does meanwhile;
/// - snapshot and trim calls are slices: none blocks `append` for longer than one slice takes.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Looks a graph up by its public id.
    async fn find(&self, id: &GraphId) -> Result<Lookup, StoreError>;

    /// Creates the graph unless the id is in use; answers what stands there afterwards, and whether this call made it.
    async fn create(&self, id: &GraphId, topic: &str, at: Timestamp) -> Result<(Lookup, bool), StoreError>;

    /// Lists live graphs, last modified first.
    async fn list(&self, query: &ListQuery) -> Result<Vec<GraphRecord>, StoreError>;

    /// Reads a graph's document. Damage is an error, never an empty document.
    async fn load(&self, key: GraphKey) -> Result<StoredGraph, StoreError>;

    /// Makes a batch durable in one commit. Answers one id for each record, in the batch's order.
    async fn append(&self, batch: &[JournalRecord]) -> Result<Vec<RecordId>, StoreError>;

    /// Marks the graph deleted. Its data is removed by later `trim` calls.
    async fn tombstone(&self, key: GraphKey, at: Timestamp) -> Result<(), StoreError>;

    /// Starts a snapshot that covers the graph's records up to and including `covers`.
    async fn begin_snapshot(&self, key: GraphKey, covers: RecordId) -> Result<SnapshotId, StoreError>;

    /// Adds the next slice of the snapshot's bytes (at most [`SNAPSHOT_SLICE_BYTES_MAX`]).
    async fn append_snapshot(&self, snapshot: SnapshotId, index: u32, slice: &[u8]) -> Result<(), StoreError>;

    /// Makes a complete snapshot the graph's current one. An older one than the current is refused silently.
    async fn commit_snapshot(&self, snapshot: SnapshotId, slices: u32, bytes: u64) -> Result<(), StoreError>;

    /// Removes at most `rows_max` rows that nothing needs any more: records that the current snapshot covers,
    /// superseded or abandoned snapshots, everything of a deleted graph. Answers whether more is left.
    async fn trim(&self, key: GraphKey, rows_max: u32) -> Result<bool, StoreError>;

    /// Graphs that have rows for `trim`, at most `limit`: what a crash left in the middle of a compaction or a removal.
    async fn untidy(&self, limit: u32) -> Result<Vec<GraphKey>, StoreError>;

    /// Copies committed pages from the write-ahead log to the main file, off the commit path. A no-op where there is none.
    async fn checkpoint(&self) -> Result<(), StoreError>;

    /// Asks the database for an answer; how long it took.
    async fn ping(&self) -> Result<Duration, StoreError>;

    /// Connections open and idle, for metrics.
    fn pool_size(&self) -> PoolSize;

    /// What to say at start: backend and place, without secrets.
    fn describe(&self) -> String;

    /// Finishes work under way and closes every connection.
    async fn close(&self);
}

/// How many connections a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolSize {
    /// Open connections.
    pub open: u32,
    /// Of these, waiting for work.
    pub idle: u32,
}

/// Largest slice of a snapshot: what one write may add to a commit's wait (about a millisecond of disk).
pub const SNAPSHOT_SLICE_BYTES_MAX: usize = 256 * 1024;

/// A store shared by everything that needs one.
pub type SharedStore = Arc<dyn Store>;
