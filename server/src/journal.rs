//! Process-wide group commit.
//!
//! Rooms hand over what they integrated; while one commit is on its way to disk, the next batch gathers. The
//! journal never gives a record up: a batch that fails is tried again, in the same order, until it is durable.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    store::{JournalRecord, RecordId, SharedStore, StoreError},
    telemetry::metrics,
};

/// Records in one commit at most.
const COMMIT_RECORDS_MAX: usize = 4096;

/// Bytes in one commit at most, unless a single record is larger: bounds how long a commit takes.
const COMMIT_BYTES_MAX: usize = 8 << 20;

/// Commits begin at most so often. Edits that come seldom are not kept waiting; of edits that come faster than this more
/// share a commit, whose price is that of the flush.
const COMMIT_EVERY: Duration = Duration::from_millis(3);

/// How long to wait before a batch that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A commit that takes longer than this is a store in trouble.
const COMMIT_SLOW_AFTER: Duration = Duration::from_secs(1);

/// Resolves when a record is on disk.
pub type Receipt = oneshot::Receiver<RecordId>;

/// The rooms' end of the journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    // Unbounded, and bounded all the same: a room has one record in flight, and a record is one room's batch.
    entries: mpsc::UnboundedSender<Entry>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Entry {
    record: JournalRecord,
    done: oneshot::Sender<RecordId>,
}

#[derive(Debug, Default)]
struct Shared {
    backlog_bytes: AtomicU64,
    last_commit_us: AtomicU64,
    commits: AtomicU64,
    submitted: AtomicU64,
    /// Records that are done with; the largest number once the journal has ended.
    done: watch::Sender<u64>,
    trouble: Mutex<Option<Trouble>>,
    started: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Trouble {
    error: String,
    since: Instant,
}

/// How the journal is.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalHealth {
    /// Whether the last commit succeeded and none is overdue.
    pub healthy: bool,
    /// Bytes that are not on disk yet.
    pub backlog_bytes: u64,
    /// How long the last commit took, in milliseconds.
    pub last_commit_ms: f64,
    /// Why the last commit failed, if it did.
    pub last_error: Option<String>,
}

impl Journal {
    /// Starts the journal on a store. It ends when every clone of the handle is gone and all is on disk, or, once
    /// `give_up` is cancelled, at the first commit that fails.
    pub fn start(store: SharedStore, tracker: &TaskTracker, give_up: CancellationToken) -> Self {
        let (entries, lane) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let worker = Worker { store, lane, shared: shared.clone(), give_up };
        tracker.spawn(worker.run());
        Self { entries, shared }
    }

    /// Hands a record over. Never waits.
    pub fn submit(&self, record: JournalRecord) -> Receipt {
        let (done, receipt) = oneshot::channel();
        self.shared.backlog_bytes.fetch_add(record.update.len() as u64, Ordering::Relaxed);
        self.shared.submitted.fetch_add(1, Ordering::Relaxed);
        // When the worker is gone the receipt says so.
        let _ = self.entries.send(Entry { record, done });
        receipt
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
        let trouble = self.shared.trouble.lock().clone();
        let overdue = self.shared.started.lock().is_some_and(|started| started.elapsed() > COMMIT_SLOW_AFTER);
        JournalHealth {
            healthy: trouble.is_none() && !overdue,
            backlog_bytes: self.shared.backlog_bytes.load(Ordering::Relaxed),
            last_commit_ms: self.shared.last_commit_us.load(Ordering::Relaxed) as f64 / 1000.0,
            last_error: trouble.map(|trouble| trouble.error),
        }
    }
}

struct Worker {
    store: SharedStore,
    lane: mpsc::UnboundedReceiver<Entry>,
    shared: Arc<Shared>,
    give_up: CancellationToken,
}

impl Worker {
    async fn run(mut self) {
        let mut next = Instant::now();
        while let Some(first) = self.lane.recv().await {
            tokio::time::sleep_until(next).await;
            next = Instant::now() + COMMIT_EVERY;
            let (records, done) = self.gather(first);
            let Some(ids) = self.commit(&records).await else { break };
            let bytes: usize = records.iter().map(|record| record.update.len()).sum();
            self.shared.backlog_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
            self.shared.done.send_modify(|count| *count += records.len() as u64);
            for (done, id) in done.into_iter().zip(ids) {
                // A room that is gone needs no receipt.
                let _ = done.send(id);
            }
        }
        self.shared.done.send_replace(u64::MAX);
    }

    /// Takes everything that came while the last commit was under way.
    fn gather(&mut self, first: Entry) -> (Vec<JournalRecord>, Vec<oneshot::Sender<RecordId>>) {
        let mut bytes = first.record.update.len();
        let (mut records, mut done) = (vec![first.record], vec![first.done]);
        while records.len() < COMMIT_RECORDS_MAX && bytes < COMMIT_BYTES_MAX {
            let Ok(entry) = self.lane.try_recv() else { break };
            bytes += entry.record.update.len();
            records.push(entry.record);
            done.push(entry.done);
        }
        (records, done)
    }

    /// Commits a batch, again and again until it is durable; `None` only when told to give up.
    async fn commit(&self, records: &[JournalRecord]) -> Option<Vec<RecordId>> {
        loop {
            let started = Instant::now();
            *self.shared.started.lock() = Some(started);
            // A panic in the store must not end the journal: every room would end with it.
            let append = AssertUnwindSafe(self.store.append(records)).catch_unwind();
            let result =
                append.await.unwrap_or_else(|_| Err(StoreError::Unusable("the store failed inside".to_owned())));
            *self.shared.started.lock() = None;
            let took = started.elapsed();
            metrics::get().commit_seconds.record(took.as_secs_f64());
            self.shared.last_commit_us.store(took.as_micros() as u64, Ordering::Relaxed);
            match result {
                Ok(ids) => {
                    self.shared.commits.fetch_add(1, Ordering::Relaxed);
                    self.recovered();
                    return Some(ids);
                }
                Err(error) => self.failed(&error, records.len()),
            }
            if self.give_up.is_cancelled() {
                tracing::error!(records = records.len(), "stopping with edits that could not be saved");
                return None;
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_AFTER) => {}
                () = self.give_up.cancelled() => {}
            }
        }
    }

    fn failed(&self, error: &StoreError, records: usize) {
        let mut trouble = self.shared.trouble.lock();
        let since = trouble.as_ref().map_or_else(Instant::now, |trouble| trouble.since);
        if trouble.is_none() {
            tracing::error!(%error, records, "commit failed; edits wait and are tried again every second");
        }
        metrics::get().commit_failures.increment(1);
        *trouble = Some(Trouble { error: error.to_string(), since });
    }

    fn recovered(&self) {
        if let Some(trouble) = self.shared.trouble.lock().take() {
            tracing::info!(seconds = trouble.since.elapsed().as_secs_f64(), "commits succeed again");
        }
    }
}
