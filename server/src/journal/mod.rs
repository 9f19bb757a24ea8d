//! Process-wide group commit.
//!
//! Rooms hand over what they integrated; while a commit is on its way to disk, the next batch gathers. The journal
//! never gives a record up: a batch that fails is tried again until it is durable, and records of one graph become
//! durable in the order in which they were handed over. What is left when the process has to end goes into a spill file.

mod backlog;
mod format;
mod health;
mod spill;
mod worker;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::store::{JournalRecord, RecordId, SharedStore};
pub use health::JournalHealth;
use health::Shared;
pub use spill::{SpillError, recover, spilled};
use worker::Worker;

/// What a record costs besides its update: a bound in bytes must hold for many tiny records, too.
const RECORD_OVERHEAD_BYTES: usize = 256;

/// Resolves when a record is on disk.
pub type Receipt = oneshot::Receiver<RecordId>;

/// The rooms' end of the journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    // Unbounded, and bounded all the same: a room has one record here, or, while the store is behind, as many as
    // `has_room` lets it have.
    entries: mpsc::UnboundedSender<Entry>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Entry {
    /// Counts what was handed over, from 1.
    number: u64,
    record: JournalRecord,
    done: oneshot::Sender<RecordId>,
}

/// How a journal is run.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Bytes that rooms may run ahead of a store that is behind, all together; 0 = no limit.
    pub unsaved_bytes_max: usize,
    /// Folders to spill to, in this order, what could not be saved when the process ends.
    pub spill_folders: Vec<PathBuf>,
}

/// How a journal has ended.
#[derive(Debug)]
pub enum JournalEnd {
    /// Everything is in the store.
    Saved,
    /// What is not is in this file, which the next start reads.
    Spilled {
        /// How many records.
        records: usize,
        /// Where they are.
        path: PathBuf,
    },
    /// These could not even be spilled.
    Lost {
        /// How many records.
        records: usize,
        /// Why.
        error: SpillError,
    },
}

impl Journal {
    /// Starts the journal on a store. It ends when every clone of the handle is gone and all is on disk, or, once
    /// `give_up` is cancelled, by spilling what is not; it then tells how it ended.
    pub fn start(
        store: SharedStore,
        options: JournalOptions,
        tracker: &TaskTracker,
        give_up: CancellationToken,
    ) -> (Self, oneshot::Receiver<JournalEnd>) {
        let (entries, lane) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let shared = Arc::new(Shared::new(options.unsaved_bytes_max));
        let worker = Worker::new(store, lane, shared.clone(), give_up, options.spill_folders);
        tracker.spawn(async move {
            // Whoever started it may not want to know.
            let _ = end.send(worker.run().await);
        });
        (Self { entries, shared }, ended)
    }

    /// Hands a record over. Never waits.
    pub fn submit(&self, record: JournalRecord) -> Receipt {
        let (done, receipt) = oneshot::channel();
        self.shared.backlog_bytes.fetch_add(cost(&record), Ordering::Relaxed);
        let number = self.shared.submitted.fetch_add(1, Ordering::Relaxed) + 1;
        // When the worker is gone the receipt says so.
        let _ = self.entries.send(Entry { number, record, done });
        receipt
    }

    /// Whether the store is behind: the oldest commit has been under way for more than a second. While it is, rooms go on
    /// without waiting for it.
    pub fn is_behind(&self) -> bool {
        *self.shared.behind.borrow()
    }

    /// Tells when [`Journal::is_behind`] changes.
    pub fn behind(&self) -> watch::Receiver<bool> {
        self.shared.behind.subscribe()
    }

    /// Whether rooms may run further ahead of a store that is behind.
    pub fn has_room(&self) -> bool {
        let max = self.shared.unsaved_bytes_max as u64;
        max == 0 || self.shared.backlog_bytes.load(Ordering::Relaxed) < max
    }

    /// Waits until everything that was handed over before is on disk, or is known never to be: after this, the store
    /// tells all there is.
    pub async fn barrier(&self) {
        let submitted = self.shared.submitted.load(Ordering::Relaxed);
        // The sender lives as long as this handle.
        let _ = self.shared.done.subscribe().wait_for(|done| *done >= submitted).await;
    }

    /// Commits since the start: tells whether there was one since somebody last looked.
    pub fn commit_count(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// How the journal is.
    pub fn health(&self) -> JournalHealth {
        self.shared.health()
    }
}

/// What a record adds to the backlog, in bytes.
fn cost(record: &JournalRecord) -> u64 {
    (record.update.len() + RECORD_OVERHEAD_BYTES) as u64
}
