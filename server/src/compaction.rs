//! Replaces a map's tail of records by a snapshot, in slices beside the edits.

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::store::{GraphKey, Purpose, RecordId, SNAPSHOT_SLICE_BYTES_MAX, SharedStore, StoreError};

/// Rows that one trim removes: a fraction of a millisecond of the writer's time.
const TRIM_ROWS_MAX: u32 = 200;

/// Graphs looked up at once when tidying.
const TIDY_AT_ONCE: u32 = 100;

/// Compactions under way at once; they share the writer with the journal.
const COMPACTIONS_MAX: usize = 1;

/// Writes snapshots for all rooms of the process.
#[derive(Debug)]
pub struct Compactor {
    turns: Semaphore,
}

impl Default for Compactor {
    fn default() -> Self {
        Self { turns: Semaphore::new(COMPACTIONS_MAX) }
    }
}

impl Compactor {
    /// Stores `state` as the snapshot that covers everything up to `covers`, then removes what it covers.
    ///
    /// # Errors
    /// [`StoreError`]; the tail is still there then, whole.
    pub async fn run(
        &self,
        store: &SharedStore,
        key: GraphKey,
        covers: RecordId,
        state: &Bytes,
    ) -> Result<(), StoreError> {
        // The semaphore is never closed; a turn that could not be had would only mean one more at once.
        let _turn = self.turns.acquire().await;
        let Some(snapshot) = store.begin_snapshot(key, covers, Purpose::Compaction).await? else { return Ok(()) };
        let mut slices = 0;
        for slice in state.chunks(SNAPSHOT_SLICE_BYTES_MAX) {
            store.append_snapshot(snapshot, slices, slice).await?;
            slices += 1;
        }
        store.commit_snapshot(snapshot, slices, state.len() as u64).await?;
        while store.trim(key, TRIM_ROWS_MAX).await? {
            tokio::task::yield_now().await;
        }
        Ok(())
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
        while store.trim(key, TRIM_ROWS_MAX).await? {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
