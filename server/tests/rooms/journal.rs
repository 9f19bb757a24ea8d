//! Group commit: what comes during one commit shares the next, and nothing is given up.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use synapti_server::{
    journal::{Journal, Receipt},
    store::{GraphKey, JournalRecord},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::{FakeStore, soon};

struct Started {
    store: FakeStore,
    journal: Journal,
    tracker: TaskTracker,
    give_up: CancellationToken,
}

fn start() -> Started {
    let store = FakeStore::new().with_graph("a").with_graph("b");
    let (tracker, give_up) = (TaskTracker::new(), CancellationToken::new());
    let journal = Journal::start(store.shared(), &tracker, give_up.clone());
    tracker.close();
    Started { store, journal, tracker, give_up }
}

impl Started {
    fn submit(&self, graph: i64, update: &[u8]) -> Receipt {
        let update = Bytes::copy_from_slice(update);
        self.journal.submit(JournalRecord { key: GraphKey(graph), update, topic: None, at: Timestamp::UNIX_EPOCH })
    }
}

async fn saved(receipts: impl IntoIterator<Item = Receipt>) -> Vec<i64> {
    let mut ids = Vec::new();
    for receipt in receipts {
        ids.push(soon("a receipt", receipt).await.unwrap().0);
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn what_comes_during_a_commit_shares_the_next() {
    let it = start();
    it.store.set_stalled(true);
    let first = it.submit(0, &[0]);
    it.store.begun(1).await;
    let rest: Vec<Receipt> = (1..=10).map(|n| it.submit(i64::from(n % 2), &[n])).collect();
    assert_eq!(it.journal.health().backlog_bytes, 11);
    it.store.set_stalled(false);
    saved([first]).await;
    saved(rest).await;
    assert_eq!(it.store.batches(), [1, 10]);
    assert_eq!(it.journal.commit_count(), 2);
    assert_eq!(it.journal.health().backlog_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_bounded_in_bytes() {
    let it = start();
    it.store.set_stalled(true);
    let first = it.submit(0, &[0]);
    it.store.begun(1).await;
    let large = vec![0; 5 << 20];
    let rest: Vec<Receipt> = (0..3).map(|_| it.submit(0, &large)).collect();
    it.store.set_stalled(false);
    saved([first]).await;
    saved(rest).await;
    assert_eq!(it.store.batches(), [1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_nothing_is_lost_and_order_is_kept() {
    let it = start();
    let mut receipts = Vec::new();
    for n in 0..60u8 {
        it.store.set_down(n % 20 >= 10);
        receipts.push(it.submit(i64::from(n % 2), &[n]));
        if n % 20 == 15 {
            let begun = *it.store.begun.borrow();
            it.store.begun(begun + 2).await;
        }
    }
    it.store.set_down(false);
    let ids = saved(receipts).await;
    for graph in 0..2 {
        let updates: Vec<u8> = it.store.updates(GraphKey(i64::from(graph))).concat();
        assert_eq!(updates, (0..60).filter(|n| n % 2 == graph).collect::<Vec<u8>>());
    }
    assert!(ids.is_sorted(), "{ids:?}");
}

#[tokio::test(start_paused = true)]
async fn health_tells_of_a_failure_until_a_commit_succeeds() {
    let it = start();
    assert!(it.journal.health().healthy);
    it.store.set_down(true);
    let receipt = it.submit(0, &[1, 2, 3]);
    it.store.begun(3).await;
    let health = it.journal.health();
    assert!(!health.healthy && health.last_error.is_some(), "{health:?}");
    assert_eq!(health.backlog_bytes, 3);
    it.store.set_down(false);
    saved([receipt]).await;
    let health = it.journal.health();
    assert!(health.healthy && health.last_error.is_none() && health.backlog_bytes == 0, "{health:?}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_takes_long_is_told_before_it_ends() {
    let it = start();
    it.store.set_stalled(true);
    let receipt = it.submit(0, &[1]);
    it.store.begun(1).await;
    assert!(it.journal.health().healthy);
    tokio::time::advance(Duration::from_millis(1_001)).await;
    assert!(!it.journal.health().healthy);
    it.store.set_stalled(false);
    saved([receipt]).await;
    assert!(it.journal.health().healthy);
}

#[tokio::test(start_paused = true)]
async fn told_to_give_up_it_ends_at_the_next_failure_and_says_so() {
    let it = start();
    it.store.set_down(true);
    let receipt = it.submit(0, &[1]);
    it.store.begun(2).await;
    it.give_up.cancel();
    assert!(soon("an answer", receipt).await.is_err());
    soon("the journal ends", it.tracker.wait()).await;
    assert!(soon("an answer", it.submit(0, &[2])).await.is_err(), "nobody waits for a journal that has ended");
    assert!(it.store.batches().is_empty());
}

#[tokio::test(start_paused = true)]
async fn told_to_give_up_it_still_saves_what_it_can() {
    let it = start();
    it.give_up.cancel();
    saved([it.submit(0, &[1])]).await;
    assert_eq!(it.store.batches(), [1]);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_everybody_has_let_go_and_all_is_on_disk() {
    let it = start();
    it.store.set_stalled(true);
    let receipts: Vec<Receipt> = (0..5).map(|n| it.submit(0, &[n])).collect();
    drop(it.journal);
    it.store.set_stalled(false);
    soon("the journal ends", it.tracker.wait()).await;
    saved(receipts).await;
    assert_eq!(it.store.updates(GraphKey(0)).concat(), [0, 1, 2, 3, 4]);
}
