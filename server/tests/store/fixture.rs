//! A database of one's own, and short names for what every test does.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;
use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use synapti_protocol::graph_id::GraphId;
use synapti_server::store::{
    GraphKey, JournalRecord, Lookup, NewVersion, Purpose, RecordId, SharedStore, SnapshotId, SqliteStore, Store,
    StoreError, VersionKind, VersionRecord,
};
use tempfile::TempDir;

/// A folder with a database in it, removed at the end of the test.
pub struct Home {
    pub folder: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("synapti.db")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("synapti.db-wal")
    }

    pub fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    pub async fn open(&self) -> SharedStore {
        Arc::new(SqliteStore::open(&self.url()).await.unwrap())
    }

    /// What opening says when it must not succeed.
    pub async fn refusal(&self) -> String {
        refusal(&self.url()).await
    }
}

pub async fn refusal(url: &str) -> String {
    match SqliteStore::open(url).await {
        Err(StoreError::Unusable(message)) => message,
        Err(other) => panic!("expected Unusable, got {other:?}"),
        Ok(_) => panic!("{url} was opened"),
    }
}

/// Seconds of the test's clock.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub fn graph_id(text: &str) -> GraphId {
    text.parse().unwrap()
}

pub fn record(key: GraphKey, update: &[u8], second: i64) -> JournalRecord {
    JournalRecord { key, update: Bytes::copy_from_slice(update), topic: None, at: at(second) }
}

/// Creates a graph and answers its key.
pub async fn create(store: &dyn Store, id: &str) -> GraphKey {
    match store.create(&graph_id(id), "topic", at(0)).await.unwrap() {
        (Lookup::Live(graph), true) => graph.key,
        other => panic!("{other:?}"),
    }
}

/// Appends one record and answers its id.
pub async fn append(store: &dyn Store, key: GraphKey, update: &[u8]) -> RecordId {
    store.append(&[record(key, update, 1)]).await.unwrap()[0]
}

/// Writes a whole snapshot in the given slices and makes it current.
pub async fn compact(store: &dyn Store, key: GraphKey, covers: RecordId, slices: &[&[u8]]) -> SnapshotId {
    let snapshot = store.begin_snapshot(key, covers, Purpose::Compaction).await.unwrap().unwrap();
    for (index, slice) in slices.iter().enumerate() {
        store.append_snapshot(snapshot, u32::try_from(index).unwrap(), slice).await.unwrap();
    }
    let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
    store.commit_snapshot(snapshot, u32::try_from(slices.len()).unwrap(), bytes as u64).await.unwrap();
    snapshot
}

/// Writes a whole state in the given slices and keeps it as a version.
pub async fn keep(
    store: &dyn Store,
    key: GraphKey,
    covers: RecordId,
    slices: &[&[u8]],
    version: &NewVersion,
) -> VersionRecord {
    let snapshot = store.begin_snapshot(key, covers, Purpose::Version).await.unwrap().unwrap();
    for (index, slice) in slices.iter().enumerate() {
        store.append_snapshot(snapshot, u32::try_from(index).unwrap(), slice).await.unwrap();
    }
    let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
    store.commit_version(snapshot, u32::try_from(slices.len()).unwrap(), bytes as u64, version).await.unwrap()
}

/// A version that the server makes by itself.
pub fn automatic(second: i64) -> NewVersion {
    NewVersion { kind: VersionKind::Automatic, name: None, author: Some("Ada".to_owned()), at: at(second) }
}

/// Trims until nothing is left, at most `rows` at a time; answers the number of calls.
pub async fn trim_all(store: &dyn Store, key: GraphKey, rows: u32) -> usize {
    for calls in 1..10_000 {
        if !store.trim(key, rows).await.unwrap() {
            return calls;
        }
    }
    panic!("trim never ends");
}

/// Runs statements on the file behind the store's back.
pub async fn raw(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(false);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Copies the database as a crash would leave it: the main file, and the first bytes of the log.
pub fn crash_copy(from: &Home, log_bytes: usize) -> Home {
    let copy = Home::new();
    std::fs::copy(from.path(), copy.path()).unwrap();
    let log = std::fs::read(from.log()).unwrap();
    std::fs::write(copy.log(), &log[..log_bytes.min(log.len())]).unwrap();
    copy
}

/// A write transaction of somebody else's.
pub struct Blocker(SqliteConnection);

impl Blocker {
    pub async fn release(self) {
        self.0.close().await.unwrap();
    }
}

impl Home {
    /// Holds the database's write lock until released.
    pub async fn block_writes(&self) -> Blocker {
        let options = SqliteConnectOptions::new().filename(self.path());
        let mut connection = options.connect().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        Blocker(connection)
    }

    /// Records, snapshots and slices of all graphs.
    pub async fn count_rows(&self) -> (i64, i64, i64) {
        let options = SqliteConnectOptions::new().filename(self.path());
        let mut connection = options.connect().await.unwrap();
        let counts = sqlx::query_as(
            "SELECT (SELECT count(*) FROM updates) + (SELECT count(*) FROM journal), \
             (SELECT count(*) FROM snapshots), (SELECT count(*) FROM snapshot_slices)",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        counts
    }
}
