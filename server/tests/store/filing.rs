//! Records move from where commits append them to where they are found, and nobody notices.

use std::time::Duration;

use synapti_server::store::{Lookup, RecordId};
use tokio_util::task::TaskTracker;

use crate::fixture::{Home, append, at, compact, create, graph_id, raw, record, trim_all};

/// More than two slices of filing.
const RECORDS: i64 = 600;

#[tokio::test]
async fn records_are_found_and_loaded_before_they_are_filed_and_after() {
    let home = Home::new();
    let store = home.open().await;
    let (key, other) = (create(&*store, "one").await, create(&*store, "two").await);
    let mut named = record(key, b"first", 5);
    named.topic = Some("Honey".to_owned());
    store.append(&[named, record(other, b"theirs", 6), record(key, b"second", 7)]).await.unwrap();
    for filed in [false, true] {
        if filed {
            store.checkpoint().await.unwrap();
        }
        let Lookup::Live(graph) = store.find(&graph_id("one")).await.unwrap() else { panic!("it is there") };
        assert_eq!((graph.topic.as_str(), graph.modified_at), ("Honey", at(7)), "filed: {filed}");
        let loaded = store.load(key).await.unwrap();
        assert_eq!((loaded.tail.len(), loaded.last), (2, RecordId(3)), "filed: {filed}");
        assert_eq!(store.load(other).await.unwrap().tail, [b"theirs"], "filed: {filed}");
    }
    append(&*store, key, b"third").await;
    assert_eq!(store.load(key).await.unwrap().tail, [&b"first"[..], b"second", b"third"], "half of it filed");
}

#[tokio::test(flavor = "multi_thread")]
async fn filing_beside_appends_and_loads_loses_and_doubles_nothing() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let filing = {
        let store = store.clone();
        TaskTracker::new().spawn(async move {
            loop {
                store.checkpoint().await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    };
    for n in 1..=RECORDS {
        assert_eq!(append(&*store, key, n.to_string().as_bytes()).await, RecordId(n));
        if n % 10 == 0 {
            let tail = store.load(key).await.unwrap().tail;
            let expected: Vec<Vec<u8>> = (1..=n).map(|n| n.to_string().into_bytes()).collect();
            assert_eq!(tail, expected);
        }
    }
    filing.abort();
}

/// Whoever has records filed waits for those that there were, not for those that keep coming.
#[tokio::test(flavor = "multi_thread")]
async fn filing_ends_though_appends_never_do() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let appends = {
        let store = store.clone();
        TaskTracker::new().spawn(async move {
            loop {
                store.append(&[record(key, b"more", 1)]).await.unwrap();
            }
        })
    };
    for _ in 0..20 {
        let filed = tokio::time::timeout(Duration::from_secs(20), store.checkpoint()).await;
        filed.expect("it ends").unwrap();
    }
    appends.abort();
}

#[tokio::test]
async fn what_a_crash_left_unfiled_is_filed_at_the_next_start() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    for n in 0..RECORDS {
        append(&*store, key, n.to_string().as_bytes()).await;
    }
    let log = std::fs::metadata(home.log()).unwrap().len();
    let copy = crate::fixture::crash_copy(&home, usize::try_from(log).unwrap());
    let store = copy.open().await;
    assert_eq!(store.load(key).await.unwrap().tail.len(), RECORDS as usize);
    // Nothing is left where it was appended.
    raw(&copy.path(), "DELETE FROM journal").await;
    assert_eq!(store.load(key).await.unwrap().tail.len(), RECORDS as usize);
    assert_eq!(append(&*store, key, b"next").await, RecordId(RECORDS + 1));
}

#[tokio::test]
async fn a_number_is_not_given_out_twice_when_its_record_is_gone() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let last = append(&*store, key, b"a").await;
    for _ in 0..2 {
        compact(&*store, key, last, &[b"a"]).await;
    }
    trim_all(&*store, key, 10).await;
    store.close().await;
    assert_eq!(home.count_rows().await.0, 0);
    drop(store);
    let store = home.open().await;
    assert_eq!(append(&*store, key, b"b").await, RecordId(last.0 + 1));
    assert_eq!(store.load(key).await.unwrap().tail, [b"b"]);
}

/// The schema of version 1 had no journal and a trigger in its place.
#[tokio::test]
async fn a_database_of_version_1_is_brought_up_to_date_with_its_records() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    append(&*store, key, b"old").await;
    store.close().await;
    drop(store);
    raw(
        &home.path(),
        "DROP TABLE journal; DELETE FROM _sqlx_migrations WHERE version >= 2; \
         DROP TABLE jobs; DROP TABLE ai_spending; DROP TABLE versions; DROP TABLE identity; ALTER TABLE graphs DROP COLUMN previous_snapshot; \
         ALTER TABLE snapshots DROP COLUMN for_version; ALTER TABLE snapshots DROP COLUMN crc; \
         CREATE TRIGGER updates_touch_graph AFTER INSERT ON updates BEGIN \
             UPDATE graphs SET modified_at = NEW.at, topic = coalesce(NEW.topic, topic), records = records + 1 \
             WHERE key = NEW.graph AND deleted_at IS NULL; \
         END;",
    )
    .await;
    let store = home.open().await;
    append(&*store, key, b"new").await;
    for _ in 0..2 {
        let loaded = store.load(key).await.unwrap();
        assert_eq!((loaded.tail, loaded.last), (vec![b"old".to_vec(), b"new".to_vec()], RecordId(2)));
        store.checkpoint().await.unwrap();
    }
}

/// A record that vanished before it was filed is nobody's: it is counted for the whole store.
#[tokio::test]
async fn a_gap_in_the_journal_is_found_before_it_is_filed_and_after() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    for update in [b"a", b"b", b"c"] {
        append(&*store, key, update).await;
    }
    assert_eq!(store.examine().await.unwrap(), Vec::<String>::new());
    raw(&home.path(), "DELETE FROM journal WHERE id = 2").await;
    for words in ["the journal has 2 records from 1 to 3", "1 records were missing from the journal"] {
        let found = store.examine().await.unwrap();
        assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
        store.checkpoint().await.unwrap();
    }
    store.close().await;
    assert_eq!(home.open().await.examine().await.unwrap().len(), 1, "it is not forgotten");
}

/// Numbers of unfiled records are above all others: one that is not was damaged, and its content is still there.
#[tokio::test]
async fn an_unfiled_record_with_another_number_is_not_passed_over() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    for update in [b"a", b"b", b"c"] {
        append(&*store, key, update).await;
    }
    compact(&*store, key, RecordId(3), &[b"abc"]).await;
    append(&*store, key, b"d").await;
    raw(&home.path(), "UPDATE journal SET id = -1 WHERE id = 4").await;
    let loaded = store.load(key).await.unwrap();
    assert_eq!((loaded.snapshot.unwrap(), loaded.tail), (b"abc".to_vec(), vec![b"d".to_vec()]));
    assert!(loaded.damage[0].what.contains("record -1 comes after record 3"), "{:?}", loaded.damage);
}
