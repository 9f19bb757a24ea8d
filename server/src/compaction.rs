//! Snapshots, written in slices beside the edits: of a whole tail that one takes the place of, or to keep as a version.
//!
//! A snapshot is made from what is stored, on a thread of its own that gives way to all others: an open room has nothing to do
//! with it and waits for nothing, and the snapshot contains exactly the records that it covers, whoever wrote them.

use std::time::Duration;

use jiff::SignedDuration;
use synapti_protocol::update::EMPTY_UPDATE;
use tokio::{
    sync::{Mutex, Semaphore},
    task::spawn_blocking,
    time::{Instant, sleep},
};

use crate::{
    quiet,
    room::decode,
    store::{
        Covered, GraphKey, NewVersion, Purpose, RecordId, SNAPSHOT_SLICE_BYTES_MAX, SharedStore, SnapshotId,
        StoreError, StoredGraph, VersionKind, VersionRecord,
    },
    telemetry::metrics,
};

/// Rows that one trim removes: a fraction of a millisecond of the writer's time.
const TRIM_ROWS_MAX: u32 = 200;

/// Graphs looked up at once when tidying.
const TIDY_AT_ONCE: u32 = 100;

/// A tail that is shorter has just been replaced by another node.
const TAIL_RECORDS_WORTH_COMPACTING: i64 = 64;

/// Snapshots made at once; they share the writer with the journal, and each needs its map in memory.
const AT_ONCE_MAX: usize = 1;

/// What is written at once beside the edits. A commit may have to wait for it, and its flush takes it along.
const SLICE_BYTES: usize = 64 * 1024;
const _: () = assert!(SLICE_BYTES <= SNAPSHOT_SLICE_BYTES_MAX);

/// How long the writer is left to commits after something took it: so many times as long as that was, within bounds, and so
/// long in all.
const REST: u32 = 3;
const REST_MAX: Duration = Duration::from_millis(50);
const RESTS_MAX: Duration = Duration::from_secs(5);

/// Between two automatic versions of a map that is opened and closed again and again.
const RECENT: SignedDuration = SignedDuration::from_secs(60);

/// Makes snapshots for all rooms of the process.
#[derive(Debug)]
pub struct Compactor {
    turns: Semaphore,
    /// Held while a version is written: stores expect one at a time of one map.
    versions: Mutex<()>,
}

/// What a compaction has replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Records of the tail that the snapshot took the place of.
    pub records: u32,
    /// Their size.
    pub bytes: u64,
    /// Size of the snapshot.
    pub snapshot_bytes: u64,
    /// The newest record that it covers.
    pub covers: u64,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store refused or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is not a whole map; a snapshot of it would take the place of what is left.
    #[error("the stored map is damaged: {0}")]
    Damaged(String),
    /// Another node is making one.
    #[error("another node is compacting this map")]
    Busy,
}

/// How a snapshot is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Nobody waits for it, so it gives way to all others.
    Quiet,
    /// Somebody waits for it.
    Prompt,
}

/// A map as it is stored, in one piece.
struct State {
    covers: RecordId,
    update: Vec<u8>,
    records: u32,
    bytes: u64,
}

impl Default for Compactor {
    fn default() -> Self {
        Self { turns: Semaphore::new(AT_ONCE_MAX), versions: Mutex::new(()) }
    }
}

impl Compactor {
    /// Replaces the stored tail by a snapshot, and removes what nothing needs any more.
    ///
    /// # Errors
    /// [`SnapshotError`]; the tail is still there then, whole.
    pub async fn compact(&self, store: &SharedStore, key: GraphKey) -> Result<Compacted, SnapshotError> {
        // The semaphore is never closed; a turn that could not be had would only mean one more at once.
        let _turn = self.turns.acquire().await;
        if let Some(done) = done_elsewhere(store, key).await? {
            return Ok(done);
        }
        let State { covers, update, records, bytes } = stored_state(store, key, Pace::Quiet).await?;
        let begun = begin(store, key, covers, Purpose::Compaction).await?;
        let (snapshot, slices) = write(store, begun, &update, Pace::Quiet).await?;
        store.commit_snapshot(snapshot, slices, update.len() as u64).await?;
        trim(store, key).await?;
        metrics::get().compactions.increment(1);
        Ok(Compacted { records, bytes, snapshot_bytes: update.len() as u64, covers: covers.0.unsigned_abs() })
    }

    /// Keeps the stored state as a version.
    ///
    /// # Errors
    /// [`SnapshotError`]; then there is no version.
    pub async fn keep(
        &self,
        store: &SharedStore,
        key: GraphKey,
        version: &NewVersion,
    ) -> Result<VersionRecord, SnapshotError> {
        let _turn = self.turns.acquire().await;
        self.keep_now(store, key, version).await
    }

    /// As [`Compactor::keep`], unless the newest version is an automatic one and hardly older than this.
    ///
    /// # Errors
    /// [`SnapshotError`]; then there is no version.
    pub async fn keep_unless_recent(
        &self,
        store: &SharedStore,
        key: GraphKey,
        version: &NewVersion,
    ) -> Result<(), SnapshotError> {
        let newest = store.versions(key, None, 1).await?.pop();
        let is_recent = newest.is_some_and(|newest| {
            let age = version.at.duration_since(newest.version.at);
            newest.version.kind == VersionKind::Automatic && age.abs() < RECENT
        });
        if is_recent { Ok(()) } else { self.keep(store, key, version).await.map(|_| ()) }
    }

    /// As [`Compactor::keep`], without waiting for its turn.
    ///
    /// # Errors
    /// [`SnapshotError`]; then there is no version.
    pub async fn keep_now(
        &self,
        store: &SharedStore,
        key: GraphKey,
        version: &NewVersion,
    ) -> Result<VersionRecord, SnapshotError> {
        let _one_at_a_time = self.versions.lock().await;
        let State { covers, update, .. } = stored_state(store, key, Pace::Prompt).await?;
        let begun = begin(store, key, covers, Purpose::Version).await?;
        let (snapshot, slices) = write(store, begun, &update, Pace::Prompt).await?;
        Ok(store.commit_version(snapshot, slices, update.len() as u64, version).await?)
    }

    /// Finishes what a crash interrupted: rows that nothing needs any more, of all graphs.
    ///
    /// # Errors
    /// [`StoreError`]; the rest is left for the next start.
    pub async fn tidy(&self, store: &SharedStore) -> Result<usize, StoreError> {
        let (mut graphs, mut before) = (0, Vec::new());
        loop {
            let untidy = store.untidy(TIDY_AT_ONCE).await?;
            // The same ones again: what is left of them belongs to a compaction that is under way.
            if untidy.is_empty() || untidy == before {
                return Ok(graphs);
            }
            for &key in &untidy {
                self.purge(store, key).await?;
                graphs += 1;
            }
            before = untidy;
        }
    }

    /// Removes what nothing needs of one graph: of a deleted one, everything.
    ///
    /// # Errors
    /// [`StoreError`]; a tombstone stands all the same.
    pub async fn purge(&self, store: &SharedStore, key: GraphKey) -> Result<(), StoreError> {
        let _turn = self.turns.acquire().await;
        trim(store, key).await
    }
}

/// What another node has done already of the same: a room counts the records of all nodes, and not their snapshots.
async fn done_elsewhere(store: &SharedStore, key: GraphKey) -> Result<Option<Compacted>, SnapshotError> {
    let Some(log) = store.shared_log() else { return Ok(None) };
    let Some(Covered { covers, last, bytes }) = log.covered(key).await? else { return Ok(None) };
    let is_short = last.0 - covers.0 < TAIL_RECORDS_WORTH_COMPACTING;
    let done = Compacted { records: 0, bytes: 0, snapshot_bytes: bytes, covers: covers.0.unsigned_abs() };
    Ok(is_short.then_some(done))
}

async fn stored_state(store: &SharedStore, key: GraphKey, pace: Pace) -> Result<State, SnapshotError> {
    let stored = store.load(key).await?;
    if let Some(loss) = stored.damage.iter().find(|damage| damage.is_loss) {
        return Err(SnapshotError::Damaged(loss.what.clone()));
    }
    let (covers, records, bytes) = (stored.last, stored.tail.len() as u32, stored.tail_bytes);
    let encoded = match pace {
        Pace::Quiet => quiet::run("compaction", move || encode(&stored)).await,
        Pace::Prompt => spawn_blocking(move || encode(&stored)).await.map_err(Into::into),
    };
    let update = encoded.map_err(|error| SnapshotError::Damaged(format!("decoding it failed: {error}")))??;
    Ok(State { covers, update, records, bytes })
}

fn encode(stored: &StoredGraph) -> Result<Vec<u8>, SnapshotError> {
    if stored.snapshot.is_none() && stored.tail.is_empty() {
        return Ok(EMPTY_UPDATE.to_vec());
    }
    // Nothing is edited here, so the id is of no account.
    let replica = decode(0, stored).map_err(SnapshotError::Damaged)?;
    Ok(replica.snapshot())
}

async fn begin(
    store: &SharedStore,
    key: GraphKey,
    covers: RecordId,
    purpose: Purpose,
) -> Result<SnapshotId, SnapshotError> {
    store.begin_snapshot(key, covers, purpose).await?.ok_or(SnapshotError::Busy)
}

/// Writes a state in slices; nobody reads them before they are committed. Answers how many there are.
async fn write(
    store: &SharedStore,
    snapshot: SnapshotId,
    state: &[u8],
    pace: Pace,
) -> Result<(SnapshotId, u32), SnapshotError> {
    let (mut slices, mut rests) = (0, Rests::default());
    let slice_bytes = if pace == Pace::Quiet { SLICE_BYTES } else { SNAPSHOT_SLICE_BYTES_MAX };
    for slice in state.chunks(slice_bytes) {
        let begun = Instant::now();
        store.append_snapshot(snapshot, slices, slice).await?;
        slices += 1;
        if pace == Pace::Quiet {
            rests.after(begun).await;
        }
    }
    Ok((snapshot, slices))
}

/// Removes in slices what nothing needs any more.
async fn trim(store: &SharedStore, key: GraphKey) -> Result<(), StoreError> {
    let mut rests = Rests::default();
    loop {
        let begun = Instant::now();
        if !store.trim(key, TRIM_ROWS_MAX).await? {
            return Ok(());
        }
        rests.after(begun).await;
    }
}

/// What a piece of work has rested so far.
#[derive(Debug, Default)]
struct Rests(Duration);

impl Rests {
    /// Commits go on between two slices, and the disk takes in what was written.
    async fn after(&mut self, begun: Instant) {
        if self.0 < RESTS_MAX {
            let rest = (begun.elapsed() * REST).min(REST_MAX);
            self.0 += rest;
            sleep(rest).await;
        }
    }
}
