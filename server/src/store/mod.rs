//! Where maps are kept.
//!
//! A graph is a row with an id, a snapshot that covers its updates up to one record, and the tail of records
//! after it. The journal appends; compaction replaces a tail by a snapshot in slices; nothing else writes.

mod budget;
mod checksum;
mod choose;
mod error;
mod follow;
mod job_rows;
mod jobs;
mod postgres;
mod sqlite;
mod version;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use synapti_protocol::graph_id::GraphId;
use uuid::Uuid;

pub use choose::{migrate, open, open_to_check};
pub use error::StoreError;
pub use follow::{Covered, HEADS_MAX, Head, LOOK_EVERY, SINCE_BYTES_MAX, SINCE_RECORDS_MAX, SharedLog, Since};
pub use job_rows::JOB_TEXT_BYTES_MAX;
pub use jobs::{
    Claim, JobChange, JobEnd, JobId, JobKind, JobLease, JobRecord, JobStatus, JobStore, NewJob, Renewed, Spent,
    Submitted,
};
pub use postgres::PostgresStore;
pub use sqlite::{MigrationReport, SqliteStore};
pub use version::{NewVersion, VersionId, VersionKind, VersionRecord};

/// The store's own handle of a graph: small, stable for the life of the graph, meaningless elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GraphKey(pub i64);

/// Position of one record in the journal. Records of one graph have increasing ids in the order of their commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId(pub i64);

/// Handle of a snapshot that is being written and that no reader sees yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotId(pub i64);

/// What a snapshot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To take the place of the records that it covers.
    Compaction,
    /// To be kept as a version.
    Version,
}

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
    /// Size of the tail, for the compaction policy.
    pub tail_bytes: u64,
    /// What could not be read, and what was done about it. Empty for a graph in good order.
    pub damage: Vec<Damage>,
}

/// Stored bytes of a graph that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which row, and how it differs.
    pub what: String,
    /// Whether something is missing from what was read: not when an older snapshot and its records make up for it.
    pub is_loss: bool,
}

/// One page of a listing: newest change first.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// Continue after this graph of the page before.
    pub after: Option<ListCursor>,
    /// Rows wanted, 1 to 1000.
    pub limit: u32,
    /// The only graphs that count; `None` = all.
    pub among: Option<Vec<GraphId>>,
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
/// - `append` is all or nothing, and after `Err` (or when the call is dropped half way) the same batch may be appended
///   again: updates are idempotent, so a batch that was durable in spite of the error does no harm when it is stored twice;
/// - of one graph, a record becomes visible only after those with smaller ids, on every node: "up to record n" never gains
///   a member afterwards;
/// - `load` sees snapshot and tail in one consistent view, whatever compaction does meanwhile, and checks every byte;
/// - a snapshot that was replaced stays, with the records between the two, until the next one is whole: when the current
///   one is damaged the graph is read from those;
/// - snapshot and trim calls are slices: none blocks `append` for longer than one slice takes.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Names this database for good: told apart from every other one, also from one made anew in its place.
    fn identity(&self) -> Uuid;

    /// How to follow what other nodes write; `None` when this process is the only one that has the store.
    fn shared_log(&self) -> Option<&dyn SharedLog>;

    /// The queue of the AI's jobs.
    fn jobs(&self) -> &dyn JobStore;

    /// Batches that may be under way at once.
    fn appends_at_once(&self) -> usize;

    /// Looks a graph up by its public id.
    async fn find(&self, id: &GraphId) -> Result<Lookup, StoreError>;

    /// Creates the graph unless the id is in use; answers what stands there afterwards, and whether this call made it.
    async fn create(&self, id: &GraphId, topic: &str, at: Timestamp) -> Result<(Lookup, bool), StoreError>;

    /// Lists live graphs, last modified first.
    async fn list(&self, query: &ListQuery) -> Result<Vec<GraphRecord>, StoreError>;

    /// Live graphs with keys above `after`, by key, at most `limit`: a walk over the whole store.
    async fn walk(&self, after: GraphKey, limit: u32) -> Result<Vec<GraphRecord>, StoreError>;

    /// Reads a graph's document, as much of it as can be read: see [`StoredGraph::damage`]. When its base is lost, so that
    /// the rest would be a torso, the answer is [`StoreError::Damaged`]; never an empty document for one that was not.
    async fn load(&self, key: GraphKey) -> Result<StoredGraph, StoreError>;

    /// Makes a batch durable in one commit. Answers one id for each record, in the batch's order.
    async fn append(&self, batch: &[JournalRecord]) -> Result<Vec<RecordId>, StoreError>;

    /// Marks the graph deleted. Its data, versions included, is removed by later `trim` calls.
    async fn tombstone(&self, key: GraphKey, at: Timestamp) -> Result<(), StoreError>;

    /// Starts a snapshot that covers the graph's records up to and including `covers`. `None` when it is for
    /// [`Purpose::Compaction`] and another node is at that.
    async fn begin_snapshot(
        &self,
        key: GraphKey,
        covers: RecordId,
        purpose: Purpose,
    ) -> Result<Option<SnapshotId>, StoreError>;

    /// Adds the next slice of the snapshot's bytes (at most [`SNAPSHOT_SLICE_BYTES_MAX`]).
    async fn append_snapshot(&self, snapshot: SnapshotId, index: u32, slice: &[u8]) -> Result<(), StoreError>;

    /// Makes a complete snapshot the graph's current one. An older one than the current is refused silently.
    async fn commit_snapshot(&self, snapshot: SnapshotId, slices: u32, bytes: u64) -> Result<(), StoreError>;

    /// Keeps a complete snapshot as a version of the graph.
    async fn commit_version(
        &self,
        snapshot: SnapshotId,
        slices: u32,
        bytes: u64,
        version: &NewVersion,
    ) -> Result<VersionRecord, StoreError>;

    /// Versions of a graph, newest first: those below `before`, at most `limit`.
    async fn versions(
        &self,
        key: GraphKey,
        before: Option<VersionId>,
        limit: u32,
    ) -> Result<Vec<VersionRecord>, StoreError>;

    /// One version with its state (Yjs update v1); `None` when the graph has no such version. Damage is an error.
    async fn load_version(
        &self,
        key: GraphKey,
        version: VersionId,
    ) -> Result<Option<(VersionRecord, Vec<u8>)>, StoreError>;

    /// Names a version, which then is [`VersionKind::Named`]; answers it, or `None` when there is no such version.
    async fn name_version(
        &self,
        key: GraphKey,
        version: VersionId,
        name: &str,
    ) -> Result<Option<VersionRecord>, StoreError>;

    /// Removes versions; answers how many there were. Their snapshots go with later `trim` calls.
    async fn remove_versions(&self, key: GraphKey, versions: &[VersionId]) -> Result<u64, StoreError>;

    /// Removes at most `rows_max` rows that nothing needs any more: records that the snapshot before the current one
    /// covers, snapshots older than that one which no version keeps, abandoned ones, everything of a deleted graph.
    /// Answers whether more is left.
    async fn trim(&self, key: GraphKey, rows_max: u32) -> Result<bool, StoreError>;

    /// Graphs that have rows for `trim`, at most `limit`: what a crash left in the middle of a compaction or a removal.
    async fn untidy(&self, limit: u32) -> Result<Vec<GraphKey>, StoreError>;

    /// Looks for damage outside of single graphs (pages, indexes, rows without an owner); one line for each finding. Changes
    /// nothing.
    async fn examine(&self) -> Result<Vec<String>, StoreError>;

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
    /// How many there may be.
    pub max: u32,
}

/// Largest slice of a snapshot: what one write may add to a commit's wait (about a millisecond of disk).
pub const SNAPSHOT_SLICE_BYTES_MAX: usize = 256 * 1024;

/// A store shared by everything that needs one.
pub type SharedStore = Arc<dyn Store>;
