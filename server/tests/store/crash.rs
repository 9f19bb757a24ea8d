//! Crashes and cancellations between any two steps: what was acknowledged is there, what was not is all there or not at all.

use std::{fs, future::Future, pin::pin};

use futures_util::poll;
use synapti_server::store::{JournalRecord, Purpose, RecordId, SharedStore};

use crate::fixture::{Home, append, at, compact, crash_copy, create, record, trim_all};

#[tokio::test]
async fn compaction_cut_off_after_any_step_loses_nothing_and_is_cleaned_up() {
    const SLICES: [&[u8]; 3] = [b"a", b"b", b"c"];
    for steps in 0..=7 {
        let home = Home::new();
        let store = home.open().await;
        let key = create(&*store, "one").await;
        let mut last = RecordId(0);
        for update in SLICES {
            last = append(&*store, key, update).await;
        }
        cut_compaction(&store, key, last, &SLICES, steps).await;
        let crashed = crash_copy(&home, usize::MAX);
        drop(store);

        let store = crashed.open().await;
        let loaded = store.load(key).await.unwrap();
        let document = [loaded.snapshot.clone().unwrap_or_default(), loaded.tail.concat()].concat();
        assert_eq!(document, b"abc", "after {steps} steps");
        assert_eq!(loaded.last, last);
        assert_eq!(loaded.snapshot.is_some(), steps >= 5);
        trim_all(&*store, key, 1).await;
        store.close().await;
        // The records stay: without them a damaged first snapshot would be the end of the map.
        let left = if steps >= 5 { (3, 1, 3) } else { (3, 0, 0) };
        assert_eq!(crashed.count_rows().await, left, "records, snapshots, slices after {steps} steps");
    }
}

/// Does the first steps of a compaction: begin, three slices, commit, two single-row trims.
async fn cut_compaction(
    store: &SharedStore,
    key: synapti_server::store::GraphKey,
    covers: RecordId,
    slices: &[&[u8]; 3],
    steps: u32,
) {
    if steps == 0 {
        return;
    }
    let snapshot = store.begin_snapshot(key, covers, Purpose::Compaction).await.unwrap().unwrap();
    for index in 0..3.min(steps - 1) {
        store.append_snapshot(snapshot, index, slices[index as usize]).await.unwrap();
    }
    if steps >= 5 {
        store.commit_snapshot(snapshot, 3, 3).await.unwrap();
    }
    for _ in 5..steps {
        store.trim(key, 1).await.unwrap();
    }
}

#[tokio::test]
async fn an_acknowledged_record_survives_a_log_cut_anywhere_behind_it() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let mut acknowledged = Vec::new();
    for n in 0..20u8 {
        append(&*store, key, &vec![n; 300 * usize::from(n)]).await;
        acknowledged.push(fs::metadata(home.log()).unwrap().len());
    }
    let end = *acknowledged.last().unwrap();
    for cut in (acknowledged[0]..=end).step_by(3_001) {
        let survivors = acknowledged.iter().filter(|&&length| length <= cut).count();
        let crashed = crash_copy(&home, usize::try_from(cut).unwrap());
        let store = crashed.open().await;
        let tail = store.load(key).await.unwrap().tail;
        assert!(tail.len() >= survivors, "cut at {cut}: {} of {survivors}", tail.len());
        for (n, update) in tail.iter().enumerate() {
            assert!(*update == vec![n as u8; 300 * n]);
        }
    }
}

#[tokio::test]
async fn a_database_cut_off_at_its_first_start_opens() {
    let home = Home::new();
    let store = home.open().await;
    let log = fs::read(home.log()).unwrap();
    for cut in (0..log.len()).step_by(2_000) {
        let crashed = crash_copy(&home, cut);
        create(&*crashed.open().await, "one").await;
    }
    store.close().await;
}

/// Polls the future some times and drops it; answers whether it had finished.
async fn cancel_after(polls: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll!(&mut future).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_append_is_all_or_nothing_and_blocks_nobody() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    // The long one takes several statements in a transaction, the short one is a statement of its own.
    let long: Vec<JournalRecord> = (0..2_100).map(|_| record(key, b"long", 1)).collect();
    let short: Vec<JournalRecord> = (0..7).map(|_| record(key, b"short", 1)).collect();
    let mut cancelled = 0;
    for round in 0..60 {
        for batch in [&long, &short] {
            let polls = if round % 2 == 0 { round / 2 } else { round * round };
            cancelled += u32::from(!cancel_after(polls, store.append(batch)).await);
            let marker = append(&*store, key, b"marker").await;
            let loaded = store.load(key).await.unwrap();
            assert!(loaded.last >= marker);
        }
        compact_to_nothing(&store, key).await;
    }
    assert!(cancelled > 10, "{cancelled} were cancelled in time");
}

/// Checks that batches are whole, then makes the tail short again.
async fn compact_to_nothing(store: &SharedStore, key: synapti_server::store::GraphKey) {
    let loaded = store.load(key).await.unwrap();
    let count = |what: &[u8]| loaded.tail.iter().filter(|update| *update == what).count();
    assert_eq!((count(b"long") % 2_100, count(b"short") % 7), (0, 0));
    assert_eq!(count(b"marker"), 2);
    compact(&**store, key, loaded.last, &[b"all"]).await;
    trim_all(&**store, key, 5_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_cancelled_calls_leave_the_store_usable() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    for round in 0..40 {
        let last = append(&*store, key, b"record").await;
        cancel_after(round, store.load(key)).await;
        cancel_after(round, store.checkpoint()).await;
        let snapshot = store.begin_snapshot(key, last, Purpose::Compaction).await.unwrap().unwrap();
        cancel_after(round, store.append_snapshot(snapshot, 0, b"state")).await;
        store.append_snapshot(snapshot, 0, b"state").await.unwrap();
        cancel_after(round, store.commit_snapshot(snapshot, 1, 5)).await;
        store.commit_snapshot(snapshot, 1, 5).await.unwrap();
        cancel_after(round, store.trim(key, 3)).await;
        let loaded = store.load(key).await.unwrap();
        assert_eq!((loaded.snapshot.as_deref(), loaded.last), (Some(&b"state"[..]), last));
    }
    trim_all(&*store, key, 100).await;
    store.close().await;
    // The last two snapshots, and the record between them.
    assert_eq!(home.count_rows().await, (1, 2, 2));
}

#[tokio::test]
async fn the_log_starts_over_when_it_is_above_its_bound() {
    const BOUND: u64 = 64 << 20;
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    for _ in 0..6 {
        append(&*store, key, &vec![1; 12 << 20]).await;
    }
    assert!(fs::metadata(home.log()).unwrap().len() > BOUND, "only `checkpoint` copies the log");
    store.checkpoint().await.unwrap();
    append(&*store, key, b"next").await;
    assert!(fs::metadata(home.log()).unwrap().len() <= BOUND);
    assert_eq!(store.load(key).await.unwrap().tail.len(), 7);
}

#[tokio::test]
async fn a_failing_disk_is_an_error_and_its_end_is_noticed() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    append(&*store, key, b"before").await;
    // A lock held from outside stands in for a disk that does not take writes.
    let blocker = home.block_writes().await;
    let batch = [record(key, b"blocked", 1)];
    let (refused, load) = tokio::join!(store.append(&batch), store.load(key));
    assert!(refused.is_err());
    assert_eq!(load.unwrap().tail, [b"before"], "readers go on");
    blocker.release().await;
    append(&*store, key, b"after").await;
    assert_eq!(store.load(key).await.unwrap().tail, [&b"before"[..], b"after"]);
}

#[tokio::test]
async fn what_a_crash_left_behind_is_found_and_removed() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "half-deleted").await;
    append(&*store, key, b"one").await;
    append(&*store, key, b"two").await;
    store.tombstone(key, at(5)).await.unwrap();
    let tidy = create(&*store, "tidy").await;
    append(&*store, tidy, b"three").await;
    assert_eq!(store.untidy(10).await.unwrap(), [key], "only the deleted graph has records that nothing needs");
    trim_all(&*store, key, 1).await;
    assert_eq!(store.untidy(10).await.unwrap(), []);
    assert_eq!(store.load(tidy).await.unwrap().tail.len(), 1);
}

/// After each step of a compaction that a crash cut off, the next start finds what there is to remove.
#[tokio::test]
async fn an_interrupted_compaction_is_untidy_until_it_is_trimmed() {
    const SLICES: [&[u8]; 3] = [b"a", b"b", b"c"];
    for steps in 2..=6 {
        let home = Home::new();
        let store = home.open().await;
        let key = create(&*store, "one").await;
        append(&*store, key, b"a").await;
        let covered = append(&*store, key, b"b").await;
        // Once there is another after this one, the two records can go.
        compact(&*store, key, covered, &[b"ab"]).await;
        let last = append(&*store, key, b"c").await;
        cut_compaction(&store, key, last, &SLICES, steps).await;
        store.close().await;
        drop(store);
        let store = home.open().await;
        assert_eq!(store.untidy(10).await.unwrap(), [key], "after {steps} steps");
        trim_all(&*store, key, 1).await;
        assert_eq!(store.untidy(10).await.unwrap(), [], "after {steps} steps");
    }
}

#[tokio::test]
async fn what_was_begun_and_abandoned_is_removed_after_the_next_start() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    for purpose in [Purpose::Compaction, Purpose::Version] {
        let snapshot = store.begin_snapshot(key, RecordId(0), purpose).await.unwrap().unwrap();
        store.append_snapshot(snapshot, 0, b"half").await.unwrap();
    }
    assert!(!store.trim(key, 100).await.unwrap(), "both may still be under way");
    store.close().await;
    let store = home.open().await;
    assert_eq!(store.untidy(10).await.unwrap(), [key]);
    trim_all(&*store, key, 1).await;
    assert_eq!(store.untidy(10).await.unwrap(), []);
}
