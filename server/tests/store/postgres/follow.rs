//! Reading what other nodes write.

use synapti_server::store::{
    Covered, GraphKey, Head, RecordId, SINCE_BYTES_MAX, SINCE_RECORDS_MAX, SharedLog, SharedStore, Since, StoreError,
};

use super::Home;
use crate::fixture::{append, at, compact, create, record, trim_all};

fn log(store: &SharedStore) -> &dyn SharedLog {
    store.shared_log().expect("PostgreSQL is for several nodes")
}

/// What a graph has after a record: the updates as text, the last record, and whether there is more.
async fn since(store: &SharedStore, key: GraphKey, after: i64) -> Option<(Vec<String>, i64, bool)> {
    match log(store).since(key, RecordId(after)).await.unwrap() {
        Since::Records { updates, up_to, has_more, .. } => {
            let text = |update: &bytes::Bytes| String::from_utf8(update.to_vec()).unwrap();
            Some((updates.iter().map(text).collect(), up_to.0, has_more))
        }
        Since::Load => None,
    }
}

#[tokio::test]
async fn what_one_node_writes_another_reads_from_where_it_was() {
    let home = Home::new();
    let (one, other) = (home.open().await, home.open().await);
    let (key, still) = (create(&*one, "graph").await, create(&*one, "still").await);
    assert_eq!(since(&other, key, 0).await, Some((Vec::new(), 0, false)));
    for update in ["a", "b", "c"] {
        append(&*one, key, update.as_bytes()).await;
    }
    let all = |updates: &[&str]| updates.iter().map(|update| (*update).to_owned()).collect::<Vec<_>>();
    assert_eq!(since(&other, key, 0).await, Some((all(&["a", "b", "c"]), 3, false)));
    assert_eq!(since(&other, key, 2).await, Some((all(&["c"]), 3, false)));
    assert_eq!(since(&other, key, 3).await, Some((Vec::new(), 3, false)));
    let mut heads = log(&other).heads(&[key, still, GraphKey(999_999)]).await.unwrap();
    heads.sort_unstable_by_key(|head| head.key);
    let told: Vec<_> = heads.iter().map(|head: &Head| (head.key, head.last.0, head.is_deleted)).collect();
    assert_eq!(told, [(key, 3, false), (still, 0, false)]);
    assert_eq!(heads[0].modified_at, at(1));
}

#[tokio::test]
async fn what_has_gone_into_a_snapshot_has_to_be_loaded() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "graph").await;
    assert_eq!(log(&store).covered(key).await.unwrap(), None);
    for n in 0..6 {
        append(&*store, key, &[b'a' + n]).await;
    }
    // One generation is kept back, so what is covered goes with the second snapshot.
    compact(&*store, key, RecordId(3), &[b"abc"]).await;
    compact(&*store, key, RecordId(5), &[b"abcde"]).await;
    trim_all(&*store, key, 100).await;
    let covered = Covered { covers: RecordId(5), last: RecordId(6), bytes: 5 };
    assert_eq!(log(&store).covered(key).await.unwrap(), Some(covered));
    assert_eq!(since(&store, key, 1).await, None);
    assert_eq!(since(&store, key, 5).await, Some((vec!["f".to_owned()], 6, false)));
}

#[tokio::test]
async fn much_is_read_in_parts() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "graph").await;
    let batch: Vec<_> = (0..=SINCE_RECORDS_MAX).map(|_| record(key, b"x", 1)).collect();
    store.append(&batch).await.unwrap();
    let (updates, up_to, has_more) = since(&store, key, 0).await.unwrap();
    assert_eq!((updates.len() as i64, up_to, has_more), (SINCE_RECORDS_MAX, SINCE_RECORDS_MAX, true));
    assert_eq!(since(&store, key, up_to).await, Some((vec!["x".to_owned()], up_to + 1, false)));

    let large = create(&*store, "large").await;
    for byte in [b'a', b'b', b'c'] {
        append(&*store, large, &vec![byte; SINCE_BYTES_MAX / 2 + 1]).await;
    }
    let (updates, up_to, has_more) = since(&store, large, 0).await.unwrap();
    assert_eq!((updates.len(), up_to, has_more), (1, 1, true));
    assert!(!since(&store, large, 2).await.unwrap().2);
}

#[tokio::test]
async fn a_deleted_graph_is_told_as_such() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "graph").await;
    append(&*store, key, b"a").await;
    store.tombstone(key, at(9)).await.unwrap();
    assert!(matches!(log(&store).since(key, RecordId(0)).await, Err(StoreError::Gone(_))));
    assert!(log(&store).heads(&[key]).await.unwrap()[0].is_deleted);
    assert_eq!(log(&store).covered(key).await.unwrap(), None);
}
