//! The store on a `PostgreSQL` server, shared by any number of nodes.
//!
//! An append is one statement in a commit of its own; it takes the locks of its graphs' rows, under which records are
//! numbered. Snapshots and versions are decided under the same lock. Everything else reads, each call in one view.

mod append;
mod examine;
mod follow;
mod jobs;
mod lease;
mod load;
mod open;
mod place;
mod read;
mod refusal;
mod replica;
mod schema;
mod server;
mod session;
mod snapshot;
mod text;
mod trim;
mod turn;
mod version;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::PgPool;
use synapti_protocol::graph_id::GraphId;
use tokio::time::timeout;
use uuid::Uuid;

use self::{jobs::Changes, lease::Lease, place::Place, replica::Replica, turn::Turns};
use super::{
    GraphKey, GraphRecord, JobStore, JournalRecord, ListQuery, Lookup, NewVersion, PoolSize, Purpose, RecordId,
    SharedLog, SnapshotId, Store, StoreError, StoredGraph, VersionId, VersionRecord,
};

/// Appends of one process that may be under way at once: while one waits for the disk or for another node's lock, the
/// others go on.
const APPENDS_AT_ONCE: usize = 4;

/// How long a call may take. Above the server's limit for a statement: it is reached only when the network or the server
/// is gone without a word.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);

/// How long reading a document may take.
const READ_WITHIN: Duration = Duration::from_mins(2);

/// How long looking for damage may take.
const EXAMINED_WITHIN: Duration = Duration::from_hours(1);

/// How long closing waits for calls under way.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// A [`Store`] in a `PostgreSQL` database. Made by [`PostgresStore::open`].
pub struct PostgresStore {
    place: Place,
    pool: PgPool,
    identity: Uuid,
    turns: Turns,
    replica: Option<Replica>,
    changes: Changes,
}

#[async_trait]
impl Store for PostgresStore {
    fn identity(&self) -> Uuid {
        self.identity
    }

    fn shared_log(&self) -> Option<&dyn SharedLog> {
        Some(self)
    }

    fn jobs(&self) -> &dyn JobStore {
        self
    }

    fn appends_at_once(&self) -> usize {
        APPENDS_AT_ONCE
    }

    async fn find(&self, id: &GraphId) -> Result<Lookup, StoreError> {
        within(ANSWERED_WITHIN, self.find_graph(id)).await
    }

    async fn create(&self, id: &GraphId, topic: &str, at: Timestamp) -> Result<(Lookup, bool), StoreError> {
        within(ANSWERED_WITHIN, self.create_graph(id, topic, at)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Vec<GraphRecord>, StoreError> {
        within(ANSWERED_WITHIN, self.list_graphs(query)).await
    }

    async fn walk(&self, after: GraphKey, limit: u32) -> Result<Vec<GraphRecord>, StoreError> {
        within(ANSWERED_WITHIN, self.walk_graphs(after, limit)).await
    }

    async fn load(&self, key: GraphKey) -> Result<StoredGraph, StoreError> {
        within(READ_WITHIN, self.load_graph(key)).await
    }

    async fn append(&self, batch: &[JournalRecord]) -> Result<Vec<RecordId>, StoreError> {
        within(ANSWERED_WITHIN, self.append_batch(batch)).await
    }

    async fn tombstone(&self, key: GraphKey, at: Timestamp) -> Result<(), StoreError> {
        within(ANSWERED_WITHIN, self.tombstone_graph(key, at)).await
    }

    async fn begin_snapshot(
        &self,
        key: GraphKey,
        covers: RecordId,
        purpose: Purpose,
    ) -> Result<Option<SnapshotId>, StoreError> {
        within(ANSWERED_WITHIN, self.start_snapshot(key, covers, purpose)).await
    }

    async fn append_snapshot(&self, snapshot: SnapshotId, index: u32, slice: &[u8]) -> Result<(), StoreError> {
        within(ANSWERED_WITHIN, self.add_slice(snapshot, index, slice)).await
    }

    async fn commit_snapshot(&self, snapshot: SnapshotId, slices: u32, bytes: u64) -> Result<(), StoreError> {
        within(ANSWERED_WITHIN, self.finish_snapshot(snapshot, slices, bytes)).await
    }

    async fn commit_version(
        &self,
        snapshot: SnapshotId,
        slices: u32,
        bytes: u64,
        version: &NewVersion,
    ) -> Result<VersionRecord, StoreError> {
        within(ANSWERED_WITHIN, self.keep_version(snapshot, slices, bytes, version)).await
    }

    async fn versions(
        &self,
        key: GraphKey,
        before: Option<VersionId>,
        limit: u32,
    ) -> Result<Vec<VersionRecord>, StoreError> {
        within(ANSWERED_WITHIN, self.list_versions(key, before, limit)).await
    }

    async fn load_version(
        &self,
        key: GraphKey,
        version: VersionId,
    ) -> Result<Option<(VersionRecord, Vec<u8>)>, StoreError> {
        within(READ_WITHIN, self.read_version(key, version)).await
    }

    async fn name_version(
        &self,
        key: GraphKey,
        version: VersionId,
        name: &str,
    ) -> Result<Option<VersionRecord>, StoreError> {
        within(ANSWERED_WITHIN, self.rename_version(key, version, name)).await
    }

    async fn remove_versions(&self, key: GraphKey, versions: &[VersionId]) -> Result<u64, StoreError> {
        within(ANSWERED_WITHIN, self.drop_versions(key, versions)).await
    }

    async fn trim(&self, key: GraphKey, rows_max: u32) -> Result<bool, StoreError> {
        within(ANSWERED_WITHIN, self.trim_graph(key, rows_max)).await
    }

    async fn untidy(&self, limit: u32) -> Result<Vec<GraphKey>, StoreError> {
        within(ANSWERED_WITHIN, self.untidy_graphs(limit)).await
    }

    async fn examine(&self) -> Result<Vec<String>, StoreError> {
        within(EXAMINED_WITHIN, self.find_damage()).await
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        within(ANSWERED_WITHIN, self.measure_ping()).await
    }

    fn pool_size(&self) -> PoolSize {
        let (replica_open, replica_idle) = self.replica.as_ref().map_or((0, 0), Replica::open_and_idle);
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        PoolSize {
            open: self.pool.size() + self.turns.open() + self.changes.open() + replica_open,
            idle: idle + replica_idle,
            max: self.pool.options().get_max_connections()
                + self.turns.open()
                + self.changes.open()
                + self.replica.as_ref().map_or(0, Replica::connections_max),
        }
    }

    fn describe(&self) -> String {
        match &self.replica {
            Some(replica) => format!("{}, read replica {replica}", self.place),
            None => self.place.to_string(),
        }
    }

    async fn close(&self) {
        let closing = async {
            self.turns.close().await;
            self.changes.close().await;
            if let Some(replica) = &self.replica {
                replica.close().await;
            }
            self.pool.close().await;
        };
        if timeout(CLOSED_WITHIN, closing).await.is_err() {
            tracing::warn!("the connections to the database did not close in time; the server will end them");
        }
    }
}

impl PostgresStore {
    /// A connection that answers.
    async fn lease(&self) -> Result<Lease, StoreError> {
        Lease::take(&self.pool, &self.place).await
    }
}

/// Bounds a call. Dropped half way it closes its connection; what it had begun is rolled back by the server.
async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match timeout(limit, call).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            format!("PostgreSQL did not answer within {} s: check the server and the network", limit.as_secs()),
        ))
        .into()),
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("place", &self.describe()).finish_non_exhaustive()
    }
}
