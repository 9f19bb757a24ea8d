//! The journal's task: cuts batches, commits them, and tries again what failed.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt as _},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Entry, JournalEnd,
    backlog::{Backlog, Batch},
    health::Shared,
    spill,
};
use crate::store::{GraphKey, JournalRecord, RecordId, SharedStore, StoreError};

/// Commits begin at most so often. Edits that come seldom are not kept waiting; of edits that come faster than this more
/// share a commit, whose price is that of the flush.
const COMMIT_EVERY: Duration = Duration::from_millis(3);

/// How long to wait before a batch that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A store whose oldest commit is older than this is behind.
const BEHIND_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    store: SharedStore,
    backlog: Backlog,
    shared: Arc<Shared>,
    give_up: CancellationToken,
    spill_folders: Vec<PathBuf>,
    commits: FuturesUnordered<BoxFuture<'static, Committed>>,
    under_way: BTreeMap<u64, UnderWay>,
    /// The graphs of what is under way: of each, one batch at a time.
    keys: HashSet<GraphKey>,
    /// Numbers of records that are done with before an earlier one is.
    done_early: BTreeSet<u64>,
    next_number: u64,
    next_begins: Instant,
}

/// A batch on its way to disk.
struct UnderWay {
    records: Arc<Vec<JournalRecord>>,
    numbers: Vec<u64>,
    done: Vec<oneshot::Sender<RecordId>>,
    cost: u64,
    begun: Instant,
}

struct Committed {
    number: u64,
    ids: Vec<RecordId>,
    /// How long the attempt took that succeeded.
    took: Duration,
}

enum Event {
    Arrived,
    Committed(Committed),
    Overdue,
    GiveUp,
}

impl Worker {
    pub(super) fn new(
        store: SharedStore,
        lane: mpsc::UnboundedReceiver<Entry>,
        shared: Arc<Shared>,
        give_up: CancellationToken,
        spill_folders: Vec<PathBuf>,
    ) -> Self {
        Self {
            store,
            backlog: Backlog::new(lane),
            shared,
            give_up,
            spill_folders,
            commits: FuturesUnordered::new(),
            under_way: BTreeMap::new(),
            keys: HashSet::new(),
            done_early: BTreeSet::new(),
            next_number: 0,
            next_begins: Instant::now(),
        }
    }

    pub(super) async fn run(mut self) -> JournalEnd {
        loop {
            if self.backlog.has_ended() && self.commits.is_empty() {
                self.shared.done.send_replace(u64::MAX);
                return JournalEnd::Saved;
            }
            match self.next_event().await {
                Event::Arrived => self.begin(),
                Event::Committed(committed) => {
                    self.settle(committed);
                    // What waited for the graphs of this one may go.
                    if !self.backlog.is_empty() && Instant::now() >= self.next_begins {
                        self.begin();
                    }
                }
                Event::Overdue => self.shared.fall_behind(),
                Event::GiveUp => return self.end(),
            }
        }
    }

    /// Waits for the next thing to do. Every branch is cancel-safe.
    async fn next_event(&mut self) -> Event {
        let oldest = self.under_way.values().map(|under_way| under_way.begun).min();
        let overdue_at = oldest.filter(|_| !*self.shared.behind.borrow()).map(|begun| begun + BEHIND_AFTER);
        let may_begin = self.commits.len() < self.store.appends_at_once() && !self.backlog.is_blocked(&self.keys);
        let Self { backlog, commits, give_up, next_begins, .. } = self;
        tokio::select! {
            biased;
            Some(committed) = commits.next(), if !commits.is_empty() => Event::Committed(committed),
            () = give_up.cancelled() => Event::GiveUp,
            () = async { sleep_until(overdue_at.expect("guarded")).await }, if overdue_at.is_some() => Event::Overdue,
            () = async { backlog.wait().await; sleep_until(*next_begins).await }, if may_begin && !backlog.has_ended() => {
                Event::Arrived
            }
        }
    }

    /// Begins a commit with everything that has gathered.
    fn begin(&mut self) {
        if self.commits.len() >= self.store.appends_at_once() {
            return;
        }
        let Some(Batch { records, numbers, done, cost }) = self.backlog.cut(&self.keys) else { return };
        let now = Instant::now();
        self.next_begins = now + COMMIT_EVERY;
        self.next_number += 1;
        self.keys.extend(records.iter().map(|record| record.key));
        let (number, records) = (self.next_number, Arc::new(records));
        self.under_way.insert(number, UnderWay { records: records.clone(), numbers, done, cost, begun: now });
        self.commits.push(commit(self.store.clone(), self.shared.clone(), number, records).boxed());
    }

    fn settle(&mut self, Committed { number, ids, took }: Committed) {
        let Some(UnderWay { records, numbers, done, cost, .. }) = self.under_way.remove(&number) else { return };
        for record in records.iter() {
            self.keys.remove(&record.key);
        }
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        self.shared.backlog_bytes.fetch_sub(cost, Ordering::Relaxed);
        self.note_done(numbers);
        let is_overdue = self.under_way.values().any(|other| other.begun.elapsed() >= BEHIND_AFTER);
        let is_all = self.under_way.is_empty() && self.backlog.is_empty();
        if !is_overdue && (took < BEHIND_AFTER || is_all) {
            self.shared.recover();
        }
        for (done, id) in done.into_iter().zip(ids) {
            // A room that is gone needs no receipt.
            let _ = done.send(id);
        }
    }

    /// Batches may overtake each other; whoever waits for "everything up to here" must not be told too early.
    fn note_done(&mut self, numbers: Vec<u64>) {
        self.done_early.extend(numbers);
        self.shared.done.send_modify(|done| {
            while self.done_early.first() == Some(&(*done + 1)) {
                self.done_early.pop_first();
                *done += 1;
            }
        });
    }

    fn end(mut self) -> JournalEnd {
        self.commits.clear();
        let mut records: Vec<JournalRecord> = Vec::new();
        for under_way in std::mem::take(&mut self.under_way).into_values() {
            records.extend(under_way.records.iter().cloned());
        }
        records.extend(self.backlog.take_all().records);
        let end = spill::end(&self.store, &self.spill_folders, &records);
        self.shared.done.send_replace(u64::MAX);
        end
    }
}

/// Commits a batch, again and again until it is durable.
async fn commit(store: SharedStore, shared: Arc<Shared>, number: u64, records: Arc<Vec<JournalRecord>>) -> Committed {
    loop {
        let started = Instant::now();
        // A panic in the store must not end the journal: every room would end with it.
        let append = AssertUnwindSafe(store.append(&records)).catch_unwind();
        let result = append.await.unwrap_or_else(|_| Err(StoreError::Unusable("the store failed inside".to_owned())));
        let took = started.elapsed();
        shared.attempted(took);
        match result {
            Ok(ids) => return Committed { number, ids, took },
            Err(error) => shared.failed(&error, records.len()),
        }
        sleep(RETRY_AFTER).await;
    }
}
