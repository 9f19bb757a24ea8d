//! The embedded store: one `SQLite` file beside its write-ahead log, used by one process.
//!
//! A commit appends to one table and is one page, one write and one fdatasync of the log; beside the commits, records are
//! filed under their graphs. One connection appends, one does all other writing and never at the same time, some only read,
//! and one copies the log into the main file. Everything slow (copying, compaction, listing) happens on the other connections
//! or in slices.

mod append;
mod appender;
mod audit;
mod checkpoint;
mod compact;
mod connection;
mod create;
mod file;
mod filing;
mod jobs;
mod load;
mod open;
mod place;
mod read;
mod refusal;
mod reread;
mod salvage;
mod schema;
mod snapshot;
mod trim;
mod versions;

use std::{fmt, fs::File, path::PathBuf, sync::atomic::AtomicI64, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use sqlx::SqlitePool;
use synapti_protocol::graph_id::GraphId;
use uuid::Uuid;

pub use open::MigrationReport;

use self::{appender::Appender, connection::SoloConnection, create::Creations, file::FileIdentity, refusal::unusable};
use super::{
    GraphKey, GraphRecord, JobStore, JournalRecord, ListQuery, Lookup, NewVersion, PoolSize, Purpose, RecordId,
    SharedLog, SnapshotId, Store, StoreError, StoredGraph, VersionId, VersionRecord, checksum,
};

/// Instead of the newest record's number: it has to be read from the file.
const UNKNOWN: i64 = i64::MAX;

/// A [`Store`] in one `SQLite` file. Made by [`SqliteStore::open`].
pub struct SqliteStore {
    path: PathBuf,
    identity: Uuid,
    /// Which file `path` named when it was opened.
    file: FileIdentity,
    appender: tokio::sync::Mutex<Option<Appender>>,
    /// All other writing; appends wait for it, and it for them.
    writer: SoloConnection,
    checkpointer: SoloConnection,
    readers: SqlitePool,
    page_bytes: u64,
    /// The newest record; [`UNKNOWN`] after a commit that failed.
    newest_record: AtomicI64,
    /// Records up to this one are in `updates`, later ones in `journal`.
    filed_to: AtomicI64,
    /// Snapshots below this id were begun by an earlier process: those of them that are incomplete stay so.
    first_own_snapshot: i64,
    /// Whether a graph may be there although no index names it.
    are_graphs_in_doubt: bool,
    creations: Creations,
    /// Keeps other processes out until the last connection is closed.
    lock: Mutex<Option<File>>,
}

#[async_trait]
impl Store for SqliteStore {
    fn identity(&self) -> Uuid {
        self.identity
    }

    fn shared_log(&self) -> Option<&dyn SharedLog> {
        None
    }

    fn jobs(&self) -> &dyn JobStore {
        self
    }

    fn appends_at_once(&self) -> usize {
        1
    }

    async fn find(&self, id: &GraphId) -> Result<Lookup, StoreError> {
        self.find_graph(id).await
    }

    async fn create(&self, id: &GraphId, topic: &str, at: Timestamp) -> Result<(Lookup, bool), StoreError> {
        self.create_graph(id, topic, at).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<GraphRecord>, StoreError> {
        self.list_graphs(query).await
    }

    async fn load(&self, key: GraphKey) -> Result<StoredGraph, StoreError> {
        self.load_graph(key).await
    }

    async fn append(&self, batch: &[JournalRecord]) -> Result<Vec<RecordId>, StoreError> {
        self.append_batch(batch).await
    }

    async fn tombstone(&self, key: GraphKey, at: Timestamp) -> Result<(), StoreError> {
        self.tombstone_graph(key, at).await
    }

    async fn begin_snapshot(
        &self,
        key: GraphKey,
        covers: RecordId,
        purpose: Purpose,
    ) -> Result<Option<SnapshotId>, StoreError> {
        self.start_snapshot(key, covers, purpose).await.map(Some)
    }

    async fn append_snapshot(&self, snapshot: SnapshotId, index: u32, slice: &[u8]) -> Result<(), StoreError> {
        self.add_slice(snapshot, index, slice).await
    }

    async fn commit_snapshot(&self, snapshot: SnapshotId, slices: u32, bytes: u64) -> Result<(), StoreError> {
        self.finish_snapshot(snapshot, slices, bytes).await
    }

    async fn commit_version(
        &self,
        snapshot: SnapshotId,
        slices: u32,
        bytes: u64,
        version: &NewVersion,
    ) -> Result<VersionRecord, StoreError> {
        self.keep_version(snapshot, slices, bytes, version).await
    }

    async fn versions(
        &self,
        key: GraphKey,
        before: Option<VersionId>,
        limit: u32,
    ) -> Result<Vec<VersionRecord>, StoreError> {
        self.list_versions(key, before, limit).await
    }

    async fn load_version(
        &self,
        key: GraphKey,
        version: VersionId,
    ) -> Result<Option<(VersionRecord, Vec<u8>)>, StoreError> {
        self.read_version(key, version).await
    }

    async fn name_version(
        &self,
        key: GraphKey,
        version: VersionId,
        name: &str,
    ) -> Result<Option<VersionRecord>, StoreError> {
        self.give_name(key, version, name).await
    }

    async fn remove_versions(&self, key: GraphKey, versions: &[VersionId]) -> Result<u64, StoreError> {
        self.drop_versions(key, versions).await
    }

    async fn examine(&self) -> Result<Vec<String>, StoreError> {
        self.audit().await
    }

    async fn walk(&self, after: GraphKey, limit: u32) -> Result<Vec<GraphRecord>, StoreError> {
        self.walk_graphs(after, limit).await
    }

    async fn trim(&self, key: GraphKey, rows_max: u32) -> Result<bool, StoreError> {
        self.trim_graph(key, rows_max).await
    }

    async fn untidy(&self, limit: u32) -> Result<Vec<GraphKey>, StoreError> {
        self.untidy_graphs(limit).await
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        self.check_in_place()?;
        self.keep_house().await
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        self.check_in_place()?;
        self.measure_ping().await
    }

    fn pool_size(&self) -> PoolSize {
        let (writer_open, writer_idle) = self.writer.open_and_idle();
        let (checkpointer_open, checkpointer_idle) = self.checkpointer.open_and_idle();
        let readers_idle = u32::try_from(self.readers.num_idle()).unwrap_or(u32::MAX);
        PoolSize {
            // The appender's connection lives as long as the writer, and works while the writer is held.
            open: self.readers.size() + 2 * writer_open + checkpointer_open,
            idle: readers_idle + 2 * writer_idle + checkpointer_idle,
            max: self.readers.options().get_max_connections() + 2 * writer_open + checkpointer_open,
        }
    }

    fn describe(&self) -> String {
        format!("SQLite file {}", self.path.display())
    }

    async fn close(&self) {
        if let Err(error) = self.file_records().await {
            tracing::warn!(%error, "the newest records are filed at the next start");
        }
        self.readers.close().await;
        if let Some(appender) = self.appender.lock().await.take() {
            appender.close().await;
        }
        // The last connection to close copies the rest of the log into the main file and removes the log.
        for (name, connection) in [("checkpoint", &self.checkpointer), ("writer", &self.writer)] {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, connection = name, "a database connection did not close cleanly");
            }
        }
        self.lock.lock().take();
    }
}

impl SqliteStore {
    /// Commits go on into a file that was removed or replaced under us, but the next start would not find them.
    pub(super) fn check_in_place(&self) -> Result<(), StoreError> {
        if FileIdentity::of(&self.path).is_ok_and(|now| now == self.file) {
            return Ok(());
        }
        Err(unusable(format!(
            "{} was removed or replaced while in use: stop synapti and restore the file",
            self.path.display()
        )))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("place", &self.describe()).finish_non_exhaustive()
    }
}
