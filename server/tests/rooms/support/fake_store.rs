//! A store in memory that fails, stalls and panics when a test says so. What it holds survives a crash.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use synapti_protocol::graph_id::GraphId;
use synapti_server::store::{
    GraphKey, GraphRecord, JobStore, JournalRecord, ListQuery, Lookup, NewVersion, PoolSize, Purpose, RecordId,
    SharedLog, SharedStore, SnapshotId, Store, StoreError, StoredGraph, VersionId, VersionRecord,
};
use tokio::sync::watch;
use uuid::Uuid;

/// What happened to one graph, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// A room was opened on it.
    Loaded,
    /// An update was committed.
    Appended(Vec<u8>),
}

/// Cheap to clone; clones share what is stored.
#[derive(Clone)]
pub struct FakeStore {
    disk: Arc<Mutex<Disk>>,
    /// How many calls of `append` have begun.
    pub begun: watch::Sender<usize>,
    appends_at_once: Arc<AtomicUsize>,
    down: watch::Sender<bool>,
    stalled: watch::Sender<bool>,
}

#[derive(Default)]
struct Disk {
    graphs: Vec<Graph>,
    last: i64,
    batches: Vec<usize>,
    tombstone_panics: bool,
}

struct Graph {
    record: GraphRecord,
    deleted: Option<Timestamp>,
    updates: Vec<(RecordId, Vec<u8>)>,
    events: Vec<StoreEvent>,
}

impl FakeStore {
    pub fn new() -> Self {
        let switch = || watch::Sender::new(false);
        Self {
            disk: Arc::default(),
            begun: watch::Sender::new(0),
            appends_at_once: Arc::new(AtomicUsize::new(1)),
            down: switch(),
            stalled: switch(),
        }
    }

    pub fn shared(&self) -> SharedStore {
        Arc::new(self.clone())
    }

    pub fn set_appends_at_once(&self, at_once: usize) {
        self.appends_at_once.store(at_once, Ordering::Relaxed);
    }

    /// Whether every call fails.
    pub fn set_down(&self, down: bool) {
        self.down.send_replace(down);
    }

    /// Whether commits wait.
    pub fn set_stalled(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    pub fn let_tombstones_panic(&self) {
        self.disk.lock().tombstone_panics = true;
    }

    /// Waits until so many commits have begun.
    pub async fn begun(&self, commits: usize) {
        self.begun.subscribe().wait_for(|begun| *begun >= commits).await.unwrap();
    }

    pub fn key(&self, id: &str) -> GraphKey {
        let Lookup::Live(record) = self.disk.lock().find(&id.parse().unwrap()) else { panic!("there is no {id}") };
        record.key
    }

    /// Records in each commit that succeeded.
    pub fn batches(&self) -> Vec<usize> {
        self.disk.lock().batches.clone()
    }

    pub fn events(&self, id: &str) -> Vec<StoreEvent> {
        let id = GraphId::try_from(id).unwrap();
        let disk = self.disk.lock();
        disk.graphs.iter().find(|graph| graph.record.id == id).map(|graph| graph.events.clone()).unwrap_or_default()
    }

    /// The updates of a graph in the order of their commits.
    pub fn updates(&self, key: GraphKey) -> Vec<Vec<u8>> {
        self.disk.lock().graph(key).updates.iter().map(|(_, update)| update.clone()).collect()
    }

    /// A graph that is there already.
    pub fn with_graph(self, id: &str) -> Self {
        self.disk.lock().create(&GraphId::try_from(id).unwrap(), "", Timestamp::UNIX_EPOCH);
        self
    }

    fn answers(&self) -> Result<(), StoreError> {
        if *self.down.borrow() { Err(StoreError::Backend(sqlx::Error::PoolTimedOut)) } else { Ok(()) }
    }
}

impl Disk {
    fn graph(&mut self, key: GraphKey) -> &mut Graph {
        &mut self.graphs[key.0 as usize]
    }

    fn find(&self, id: &GraphId) -> Lookup {
        match self.graphs.iter().find(|graph| graph.record.id == *id) {
            None => Lookup::Missing,
            Some(Graph { deleted: Some(at), .. }) => Lookup::Deleted { at: *at },
            Some(graph) => Lookup::Live(graph.record.clone()),
        }
    }

    fn create(&mut self, id: &GraphId, topic: &str, at: Timestamp) -> (Lookup, bool) {
        let found = self.find(id);
        if found != Lookup::Missing {
            return (found, false);
        }
        let key = GraphKey(self.graphs.len() as i64);
        let record = GraphRecord { key, id: id.clone(), topic: topic.to_owned(), created_at: at, modified_at: at };
        self.graphs.push(Graph { record, deleted: None, updates: Vec::new(), events: Vec::new() });
        (self.find(id), true)
    }
}

#[async_trait]
impl Store for FakeStore {
    fn identity(&self) -> Uuid {
        Uuid::nil()
    }

    fn shared_log(&self) -> Option<&dyn SharedLog> {
        None
    }

    fn jobs(&self) -> &dyn JobStore {
        unreachable!("rooms know nothing of jobs")
    }

    fn appends_at_once(&self) -> usize {
        self.appends_at_once.load(Ordering::Relaxed)
    }

    async fn find(&self, id: &GraphId) -> Result<Lookup, StoreError> {
        self.answers()?;
        tokio::task::yield_now().await;
        Ok(self.disk.lock().find(id))
    }

    async fn create(&self, id: &GraphId, topic: &str, at: Timestamp) -> Result<(Lookup, bool), StoreError> {
        self.answers()?;
        Ok(self.disk.lock().create(id, topic, at))
    }

    async fn list(&self, _query: &ListQuery) -> Result<Vec<GraphRecord>, StoreError> {
        self.answers()?;
        Ok(self.disk.lock().graphs.iter().map(|graph| graph.record.clone()).collect())
    }

    async fn load(&self, key: GraphKey) -> Result<StoredGraph, StoreError> {
        self.answers()?;
        let stored = {
            let mut disk = self.disk.lock();
            let graph = disk.graph(key);
            graph.events.push(StoreEvent::Loaded);
            let tail: Vec<Vec<u8>> = graph.updates.iter().map(|(_, update)| update.clone()).collect();
            let tail_bytes = tail.iter().map(|update| update.len() as u64).sum();
            let last = graph.updates.last().map(|(id, _)| *id).unwrap_or_default();
            StoredGraph { tail, last, tail_bytes, ..StoredGraph::default() }
        };
        tokio::task::yield_now().await;
        Ok(stored)
    }

    async fn append(&self, batch: &[JournalRecord]) -> Result<Vec<RecordId>, StoreError> {
        self.begun.send_modify(|begun| *begun += 1);
        let _ = self.stalled.subscribe().wait_for(|stalled| !stalled).await;
        self.answers()?;
        tokio::task::yield_now().await;
        let mut disk = self.disk.lock();
        disk.batches.push(batch.len());
        let mut ids = Vec::new();
        for record in batch {
            disk.last += 1;
            let id = RecordId(disk.last);
            let graph = disk.graph(record.key);
            graph.updates.push((id, record.update.to_vec()));
            graph.events.push(StoreEvent::Appended(record.update.to_vec()));
            ids.push(id);
        }
        Ok(ids)
    }

    async fn tombstone(&self, key: GraphKey, at: Timestamp) -> Result<(), StoreError> {
        self.answers()?;
        let mut disk = self.disk.lock();
        assert!(!disk.tombstone_panics, "as the test wants");
        disk.graph(key).deleted = Some(at);
        Ok(())
    }

    // Rooms in these tests are too short-lived for snapshots: the real store has its own tests of them.
    async fn begin_snapshot(
        &self,
        _key: GraphKey,
        covers: RecordId,
        _purpose: Purpose,
    ) -> Result<Option<SnapshotId>, StoreError> {
        Err(StoreError::Gone(format!("snapshot of {covers:?}")))
    }

    async fn append_snapshot(&self, snapshot: SnapshotId, _index: u32, _slice: &[u8]) -> Result<(), StoreError> {
        Err(StoreError::Gone(format!("{snapshot:?}")))
    }

    async fn commit_snapshot(&self, snapshot: SnapshotId, _slices: u32, _bytes: u64) -> Result<(), StoreError> {
        Err(StoreError::Gone(format!("{snapshot:?}")))
    }

    async fn commit_version(
        &self,
        _snapshot: SnapshotId,
        _slices: u32,
        _bytes: u64,
        _version: &NewVersion,
    ) -> Result<VersionRecord, StoreError> {
        Err(StoreError::Gone("version".to_owned()))
    }

    async fn versions(
        &self,
        _key: GraphKey,
        _before: Option<VersionId>,
        _limit: u32,
    ) -> Result<Vec<VersionRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn load_version(
        &self,
        _key: GraphKey,
        _version: VersionId,
    ) -> Result<Option<(VersionRecord, Vec<u8>)>, StoreError> {
        Ok(None)
    }

    async fn name_version(
        &self,
        _key: GraphKey,
        _version: VersionId,
        _name: &str,
    ) -> Result<Option<VersionRecord>, StoreError> {
        Ok(None)
    }

    async fn remove_versions(&self, _key: GraphKey, _versions: &[VersionId]) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn examine(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn walk(&self, _after: GraphKey, _limit: u32) -> Result<Vec<GraphRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn trim(&self, _key: GraphKey, _rows_max: u32) -> Result<bool, StoreError> {
        self.answers().map(|()| false)
    }

    async fn untidy(&self, _limit: u32) -> Result<Vec<GraphKey>, StoreError> {
        self.answers()?;
        // It trims at once.
        Ok(Vec::new())
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        self.answers()
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        self.answers().map(|()| Duration::ZERO)
    }

    fn pool_size(&self) -> PoolSize {
        PoolSize::default()
    }

    fn describe(&self) -> String {
        "in memory".into()
    }

    async fn close(&self) {}
}

impl fmt::Debug for FakeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeStore")
    }
}
