//! What has been handed over and is not under way yet.

use std::collections::HashSet;

use tokio::sync::{mpsc, oneshot};

use super::{Entry, cost};
use crate::store::{GraphKey, JournalRecord, RecordId};

/// Records in one commit at most.
const COMMIT_RECORDS_MAX: usize = 4096;

/// Bytes in one commit at most, unless a single record is larger: bounds how long a commit takes.
const COMMIT_BYTES_MAX: u64 = 8 << 20;

/// One commit's worth of records, with those who wait for them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<JournalRecord>,
    pub(super) numbers: Vec<u64>,
    pub(super) done: Vec<oneshot::Sender<RecordId>>,
    pub(super) cost: u64,
}

/// The lane, and the one entry that was looked at already.
#[derive(Debug)]
pub(super) struct Backlog {
    lane: mpsc::UnboundedReceiver<Entry>,
    head: Option<Entry>,
    has_ended: bool,
}

impl Backlog {
    pub(super) fn new(lane: mpsc::UnboundedReceiver<Entry>) -> Self {
        Self { lane, head: None, has_ended: false }
    }

    /// Waits until there is something, or until nothing can come any more. Cancel-safe.
    pub(super) async fn wait(&mut self) {
        if self.head.is_none() && !self.has_ended {
            self.head = self.lane.recv().await;
            self.has_ended = self.head.is_none();
        }
    }

    /// Whether nothing is there, and nothing can come.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended && self.head.is_none()
    }

    /// Whether what comes next has to wait for a record of its graph.
    pub(super) fn is_blocked(&self, under_way: &HashSet<GraphKey>) -> bool {
        self.head.as_ref().is_some_and(|entry| under_way.contains(&entry.record.key))
    }

    /// Whether something is there already.
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none() && self.lane.is_empty()
    }

    /// Takes the next batch: everything up to the first record of a graph that has one under way, since the records of a
    /// graph become durable one after the other.
    pub(super) fn cut(&mut self, under_way: &HashSet<GraphKey>) -> Option<Batch> {
        let mut batch = Batch::default();
        while batch.records.len() < COMMIT_RECORDS_MAX && batch.cost < COMMIT_BYTES_MAX {
            let Some(entry) = self.head.take().or_else(|| self.lane.try_recv().ok()) else { break };
            if under_way.contains(&entry.record.key) {
                self.head = Some(entry);
                break;
            }
            batch.push(entry);
        }
        (!batch.records.is_empty()).then_some(batch)
    }

    /// Takes everything.
    pub(super) fn take_all(&mut self) -> Batch {
        let mut batch = Batch::default();
        self.lane.close();
        while let Some(entry) = self.head.take().or_else(|| self.lane.try_recv().ok()) {
            batch.push(entry);
        }
        batch
    }
}

impl Batch {
    fn push(&mut self, Entry { number, record, done }: Entry) {
        self.cost += cost(&record);
        self.numbers.push(number);
        self.records.push(record);
        self.done.push(done);
    }
}
