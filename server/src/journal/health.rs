//! What the journal's worker and its handles share, and how the journal is.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use crate::{store::StoreError, telemetry::metrics};

/// Written by the worker, read by everybody.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) unsaved_bytes_max: usize,
    pub(super) backlog_bytes: AtomicU64,
    pub(super) submitted: AtomicU64,
    pub(super) commits: AtomicU64,
    last_commit_us: AtomicU64,
    /// The number up to which all records are done with; the largest there is once the journal has ended.
    pub(super) done: watch::Sender<u64>,
    /// Whether a commit is older than a store in order needs.
    pub(super) behind: watch::Sender<bool>,
    trouble: Mutex<Option<Trouble>>,
}

#[derive(Clone, Debug)]
struct Trouble {
    error: Option<String>,
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

impl Shared {
    pub(super) fn new(unsaved_bytes_max: usize) -> Self {
        Self {
            unsaved_bytes_max,
            backlog_bytes: AtomicU64::new(0),
            submitted: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            last_commit_us: AtomicU64::new(0),
            done: watch::Sender::new(0),
            behind: watch::Sender::new(false),
            trouble: Mutex::new(None),
        }
    }

    pub(super) fn health(&self) -> JournalHealth {
        let trouble = self.trouble.lock().clone();
        JournalHealth {
            healthy: trouble.is_none(),
            backlog_bytes: self.backlog_bytes.load(Ordering::Relaxed),
            last_commit_ms: self.last_commit_us.load(Ordering::Relaxed) as f64 / 1000.0,
            last_error: trouble.and_then(|trouble| trouble.error),
        }
    }

    /// An attempt has ended, well or not.
    pub(super) fn attempted(&self, took: Duration) {
        metrics::get().commit_seconds.record(took.as_secs_f64());
        self.last_commit_us.store(took.as_micros() as u64, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, error: &StoreError, records: usize) {
        metrics::get().commit_failures.increment(1);
        let error_text = error.to_string();
        let mut trouble = self.trouble.lock();
        let is_news = trouble.as_ref().is_none_or(|trouble| trouble.error.is_none());
        let since = trouble.as_ref().map_or_else(Instant::now, |trouble| trouble.since);
        *trouble = Some(Trouble { error: Some(error_text), since });
        drop(trouble);
        if is_news {
            tracing::error!(%error, records, "commit failed; it is tried again every second");
        }
    }

    /// A commit is older than a store in order needs.
    pub(super) fn fall_behind(&self) {
        if self.behind.send_replace(true) {
            return;
        }
        self.trouble.lock().get_or_insert_with(|| Trouble { error: None, since: Instant::now() });
        metrics::get().journal_behind.set(1.0);
        tracing::warn!("the store is behind: open maps go on, and what is shown is marked as not saved");
    }

    /// A commit has succeeded within the time that a store in order needs.
    pub(super) fn recover(&self) {
        if self.behind.send_if_modified(std::mem::take) {
            metrics::get().journal_behind.set(0.0);
        }
        let trouble = self.trouble.lock().take();
        if let Some(trouble) = trouble {
            tracing::info!(seconds = trouble.since.elapsed().as_secs_f64(), "commits succeed again");
        }
    }
}
