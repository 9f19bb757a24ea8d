//! Versions of maps: states that are kept, shown and restored.

mod due;
mod retention;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use synapti_crdt::{AsideLimits, Replica, Restorable};
use synapti_protocol::graph_id::GraphId;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    clock::Clock,
    compaction::{Compactor, SnapshotError},
    config::HistoryConfig,
    hub::{Hub, in_time},
    room::{GraphView, Restoring, RoomError},
    store::{
        GraphKey, GraphRecord, Lookup, NewVersion, SharedStore, StoreError, VersionId, VersionKind, VersionRecord,
    },
};
pub use due::Schedule;
pub use retention::{Rule, superseded};

/// Named versions of one map at most.
pub const NAMED_MAX: usize = 1_000;

/// Versions decoded at once.
const DECODED_AT_ONCE_MAX: usize = 2;

/// Versions that are asked of the store at once.
const VERSIONS_AT_ONCE: u32 = 500;

/// How long whoever asks for a version waits for it; other maps' snapshots may come first.
const KEPT_WITHIN: Duration = Duration::from_secs(15);

/// Why something could not be done with a version.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// As with every call on a map.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The map has no such version.
    #[error("no such version")]
    NotFound,
    /// The map has as many named versions as it may have.
    #[error("this map has {NAMED_MAX} named versions already: remove some first")]
    TooMany,
}

/// Makes, shows and restores versions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct History {
    store: SharedStore,
    compactor: Arc<Compactor>,
    hub: Hub,
    /// Each holds a whole map in memory.
    decoding: Arc<Semaphore>,
    clock: Clock,
    rule: Rule,
}

impl History {
    /// The history of all maps in a store.
    pub fn new(store: SharedStore, compactor: Arc<Compactor>, hub: Hub, clock: Clock, config: HistoryConfig) -> Self {
        let decoding = Arc::new(Semaphore::new(DECODED_AT_ONCE_MAX));
        Self { store, compactor, hub, decoding, clock, rule: rule(config) }
    }

    /// Versions of a map, newest first: those before `before`, at most `limit`.
    pub async fn list(
        &self,
        id: &GraphId,
        before: Option<VersionId>,
        limit: u32,
    ) -> Result<Vec<VersionRecord>, HistoryError> {
        let graph = self.find(id).await?;
        Ok(in_time(self.store.versions(graph.key, before, limit)).await?)
    }

    /// Keeps the map as it is now under a name.
    pub async fn keep(
        &self,
        id: &GraphId,
        name: String,
        author: Option<String>,
    ) -> Result<VersionRecord, HistoryError> {
        if self.hub.is_behind() {
            return Err(RoomError::NotSaved.into());
        }
        let graph = self.find(id).await?;
        self.check_named(graph.key).await?;
        // What is on its way to disk has been seen by whoever made it.
        self.hub.settle(id).await?;
        let version = NewVersion { kind: VersionKind::Named, name: Some(name), author, at: self.clock.now() };
        self.add(graph.key, &version).await
    }

    /// A version with the map as it was then.
    pub async fn preview(&self, id: &GraphId, version: VersionId) -> Result<(VersionRecord, GraphView), HistoryError> {
        let graph = self.find(id).await?;
        // The semaphore is never closed.
        let _turn = self.decoding.acquire().await;
        let (record, state) = self.load(graph.key, version).await?;
        let (id, created_at, at) = (id.clone(), graph.created_at, record.version.at);
        let view = decoded(move || {
            let replica = Replica::load(0, AsideLimits::default(), [&state[..]])?;
            Ok(GraphView::of(&id, &replica, created_at, at))
        });
        Ok((record, view.await?))
    }

    /// Makes the map what it was in a version, as an edit that everybody sees; before that, what it is now becomes a
    /// version. Answers the map when that is on disk.
    pub async fn restore(
        &self,
        id: &GraphId,
        version: VersionId,
        author: Option<String>,
    ) -> Result<Arc<GraphView>, HistoryError> {
        let graph = self.find(id).await?;
        let turn = self.decoding.acquire().await;
        let (_, state) = self.load(graph.key, version).await?;
        let older = decoded(move || Restorable::read(&state)).await?;
        drop(turn);
        Ok(self.hub.restore(id, Restoring { older: Arc::new(older), author }).await?)
    }

    /// Gives a version a name, so that it stays.
    pub async fn rename(&self, id: &GraphId, version: VersionId, name: &str) -> Result<VersionRecord, HistoryError> {
        let graph = self.find(id).await?;
        self.check_named(graph.key).await?;
        in_time(self.store.name_version(graph.key, version, name)).await?.ok_or(HistoryError::NotFound)
    }

    /// Removes a version.
    pub async fn remove(&self, id: &GraphId, version: VersionId) -> Result<(), HistoryError> {
        let graph = self.find(id).await?;
        if in_time(self.store.remove_versions(graph.key, &[version])).await? == 0 {
            return Err(HistoryError::NotFound);
        }
        self.tidy(graph.key).await;
        Ok(())
    }

    async fn check_named(&self, key: GraphKey) -> Result<(), HistoryError> {
        let versions = in_time(all_versions(&self.store, key)).await?;
        let named = versions.iter().filter(|record| record.version.kind == VersionKind::Named).count();
        if named >= NAMED_MAX { Err(HistoryError::TooMany) } else { Ok(()) }
    }

    async fn find(&self, id: &GraphId) -> Result<GraphRecord, HistoryError> {
        match in_time(self.store.find(id)).await? {
            Lookup::Live(record) => Ok(record),
            Lookup::Deleted { .. } => Err(RoomError::Gone.into()),
            Lookup::Missing => Err(RoomError::NotFound.into()),
        }
    }

    async fn load(&self, key: GraphKey, version: VersionId) -> Result<(VersionRecord, Vec<u8>), HistoryError> {
        in_time(self.store.load_version(key, version)).await?.ok_or(HistoryError::NotFound)
    }

    async fn add(&self, key: GraphKey, version: &NewVersion) -> Result<VersionRecord, HistoryError> {
        let keep = self.compactor.keep(&self.store, key, version);
        let kept = timeout(KEPT_WITHIN, keep).await.map_err(|_| RoomError::NotSaved)?.map_err(room_error)?;
        thin_out(&self.store, &self.compactor, key, self.clock.now(), &self.rule).await;
        Ok(kept)
    }

    async fn tidy(&self, key: GraphKey) {
        if let Err(error) = self.compactor.purge(&self.store, key).await {
            tracing::warn!(%error, "the data of a removed version stays for now");
        }
    }
}

/// How long versions stay, by the settings.
pub fn rule(config: HistoryConfig) -> Rule {
    let keep_for = match config.keep_days {
        0 => Duration::MAX,
        days => Duration::from_hours(24 * u64::from(days)),
    };
    Rule { keep_for, ..Rule::default() }
}

/// Removes the versions of a map that others have made superfluous. What fails is left for the next time.
pub async fn thin_out(store: &SharedStore, compactor: &Compactor, key: GraphKey, now: Timestamp, rule: &Rule) {
    let thinned = async {
        let versions = all_versions(store, key).await?;
        let superfluous = superseded(&versions, now, rule);
        if !superfluous.is_empty() {
            store.remove_versions(key, &superfluous).await?;
            compactor.purge(store, key).await?;
        }
        Ok::<_, StoreError>(())
    };
    if let Err(error) = thinned.await {
        tracing::warn!(%error, "old versions could not be removed");
    }
}

/// All versions of a map, newest first; there are as many as [`NAMED_MAX`] and the retention rule allow.
async fn all_versions(store: &SharedStore, key: GraphKey) -> Result<Vec<VersionRecord>, StoreError> {
    let mut versions = Vec::new();
    loop {
        let before = versions.last().map(|record: &VersionRecord| record.id);
        let page = store.versions(key, before, VERSIONS_AT_ONCE).await?;
        let is_last = page.len() < VERSIONS_AT_ONCE as usize;
        versions.extend(page);
        if is_last {
            return Ok(versions);
        }
    }
}

/// Decoding a large map takes tens of milliseconds, which a worker thread owes to others.
async fn decoded<T: Send + 'static>(
    decode: impl FnOnce() -> Result<T, synapti_crdt::ApplyError> + Send + 'static,
) -> Result<T, RoomError> {
    match tokio::task::spawn_blocking(decode).await {
        Ok(decoded) => decoded.map_err(|error| RoomError::Unreadable(error.to_string())),
        Err(_) => Err(RoomError::Unreadable("decoding a version failed".to_owned())),
    }
}

fn room_error(error: SnapshotError) -> RoomError {
    match error {
        SnapshotError::Store(error) => RoomError::Store(error),
        SnapshotError::Damaged(what) => RoomError::Unreadable(what),
        SnapshotError::Busy => RoomError::Unavailable(error.to_string()),
    }
}
