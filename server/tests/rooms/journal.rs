//! Group commit: what comes during one commit shares the next, and nothing is given up.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use synapti_server::{
    journal::{Journal, JournalEnd, JournalOptions, Receipt, recover},
    store::{GraphKey, JournalRecord},
};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::{FakeStore, soon};

struct Started {
    store: FakeStore,
    journal: Journal,
    tracker: TaskTracker,
    give_up: CancellationToken,
    end: oneshot::Receiver<JournalEnd>,
    folder: TempDir,
}

fn start() -> Started {
    start_on(FakeStore::new().with_graph("a").with_graph("b"))
}

fn start_on(store: FakeStore) -> Started {
    let (tracker, give_up) = (TaskTracker::new(), CancellationToken::new());
    let folder = tempfile::tempdir().unwrap();
    let options = JournalOptions { unsaved_bytes_max: 1_000, spill_folders: folders(&folder) };
    let (journal, end) = Journal::start(store.shared(), options, &tracker, give_up.clone());
    tracker.close();
    Started { store, journal, tracker, give_up, end, folder }
}

/// One that takes nothing, and one that does.
fn folders(folder: &TempDir) -> Vec<PathBuf> {
    vec!["/dev/null/no-folder".into(), folder.path().to_owned()]
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
    assert!(it.journal.health().backlog_bytes >= 11);
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
    assert!(health.backlog_bytes >= 3);
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
    let mut behind = it.journal.behind();
    soon("it is noticed", behind.wait_for(|behind| *behind)).await.unwrap();
    assert!(!it.journal.health().healthy && it.journal.is_behind());
    it.store.set_stalled(false);
    saved([receipt]).await;
    assert!(it.journal.health().healthy && !it.journal.is_behind());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_saved_is_spilled_and_saved_by_the_next_start() {
    let mut it = start();
    it.store.set_down(true);
    let receipts: Vec<Receipt> = (0..20u8).map(|n| it.submit(i64::from(n % 2), &[n])).collect();
    it.store.begun(2).await;
    let late = it.submit(0, &[20]);
    it.give_up.cancel();
    let end = soon("the journal ends", &mut it.end).await.unwrap();
    let JournalEnd::Spilled { records: 21, path } = end else { panic!("{end:?}") };
    assert!(path.is_file());
    for receipt in receipts.into_iter().chain([late]) {
        assert!(soon("an answer", receipt).await.is_err());
    }
    assert!(it.store.batches().is_empty());

    let failed = recover(&it.store.shared(), &folders(&it.folder)).await.unwrap_err();
    assert!(path.is_file() && failed.to_string().contains("cannot be saved"), "{failed}");
    it.store.set_down(false);
    assert_eq!(recover(&it.store.shared(), &folders(&it.folder)).await.unwrap(), 21);
    assert!(!path.exists());
    assert_eq!(it.store.updates(GraphKey(0)).concat(), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
    assert_eq!(it.store.updates(GraphKey(1)).concat(), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    assert_eq!(recover(&it.store.shared(), &folders(&it.folder)).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn of_a_damaged_spill_file_what_can_be_read_is_saved_and_the_file_is_kept() {
    let mut it = start();
    it.store.set_down(true);
    let _receipts: Vec<Receipt> = (0..3u8).map(|n| it.submit(0, &[n; 100])).collect();
    it.store.begun(1).await;
    it.give_up.cancel();
    let JournalEnd::Spilled { path, .. } = soon("the journal ends", &mut it.end).await.unwrap() else {
        panic!("no file")
    };
    let mut content = std::fs::read(&path).unwrap();
    let last = content.len() - 1;
    content[last] ^= 1;
    std::fs::write(&path, &content).unwrap();
    it.store.set_down(false);
    let error = recover(&it.store.shared(), &folders(&it.folder)).await.unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(!path.exists() && path.with_extension("damaged").is_file());
    assert_eq!(it.store.updates(GraphKey(0)).len(), 2);
    assert_eq!(recover(&it.store.shared(), &folders(&it.folder)).await.unwrap(), 0, "the next start goes on");
}

#[tokio::test(start_paused = true)]
async fn told_to_give_up_when_nothing_is_left_it_has_saved_everything() {
    let mut it = start();
    saved([it.submit(0, &[1])]).await;
    it.give_up.cancel();
    let end = soon("the journal ends", &mut it.end).await.unwrap();
    assert!(matches!(end, JournalEnd::Saved), "{end:?}");
    soon("the journal ends", it.tracker.wait()).await;
    assert!(soon("an answer", it.submit(0, &[2])).await.is_err(), "nobody waits for a journal that has ended");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_does_not_keep_the_journal_from_ending() {
    let mut it = start();
    it.store.set_stalled(true);
    let receipt = it.submit(0, &[7]);
    it.store.begun(1).await;
    it.give_up.cancel();
    let end = soon("the journal ends", &mut it.end).await.unwrap();
    assert!(matches!(end, JournalEnd::Spilled { records: 1, .. }), "{end:?}");
    assert!(receipt.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn it_says_when_rooms_must_not_run_further_ahead() {
    let it = start();
    it.store.set_stalled(true);
    assert!(it.journal.has_room());
    let receipts: Vec<Receipt> = (0..4).map(|n| it.submit(0, &[n])).collect();
    assert!(!it.journal.has_room(), "many small records count for more than their bytes");
    it.store.set_stalled(false);
    saved(receipts).await;
    assert!(it.journal.has_room());
}

#[tokio::test(start_paused = true)]
async fn commits_overlap_but_those_of_one_graph_follow_each_other() {
    let store = FakeStore::new().with_graph("a").with_graph("b").with_graph("c");
    store.set_appends_at_once(2);
    let it = start_on(store);
    it.store.set_stalled(true);
    let mut receipts = vec![it.submit(0, &[0])];
    it.store.begun(1).await;
    receipts.push(it.submit(1, &[1]));
    soon("the second begins beside the first", it.store.begun(2)).await;
    receipts.push(it.submit(0, &[2]));
    receipts.push(it.submit(2, &[3]));
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(*it.store.begun.borrow(), 2, "two at once at most");
    }
    it.store.set_stalled(false);
    saved(receipts).await;
    assert_eq!(it.store.updates(GraphKey(0)).concat(), [0, 2]);
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
