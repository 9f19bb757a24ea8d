//! Rows that changed behind the store's back are told, and made up for where something else is left.

use std::{fs, os::unix::fs::FileExt as _};

use synapti_server::store::{GraphKey, SharedStore, StoreError, StoredGraph};

use super::{Home, cluster::Cluster};
use crate::fixture::{append, compact, create, trim_all};

/// A graph with two snapshots and a record after each: "a" and "ab", then "c"; and a healthy one beside it.
async fn graph(home: &Home) -> (SharedStore, GraphKey) {
    let store = home.open().await;
    let (key, other) = (create(&*store, "one").await, create(&*store, "two").await);
    let first = append(&*store, key, b"a").await;
    let second = append(&*store, key, b"b").await;
    compact(&*store, key, first, &[b"a"]).await;
    compact(&*store, key, second, &[b"a", b"b"]).await;
    append(&*store, key, b"c").await;
    append(&*store, other, b"healthy").await;
    (store, key)
}

fn pieces(loaded: &StoredGraph) -> (Option<&[u8]>, Vec<&[u8]>) {
    (loaded.snapshot.as_deref(), loaded.tail.iter().map(Vec::as_slice).collect())
}

/// A graph whose records before the first snapshot are trimmed, after the statement.
async fn after(sql: &str) -> Result<StoredGraph, StoreError> {
    let home = Home::new();
    let (store, key) = graph(&home).await;
    trim_all(&*store, key, 100).await;
    home.raw(sql).await;
    let other = store.load(GraphKey(key.0 + 1)).await.unwrap();
    assert!(other.tail == [b"healthy".to_vec()] && other.damage.is_empty(), "{sql}");
    store.load(key).await
}

#[tokio::test]
async fn a_damaged_snapshot_is_made_up_for_by_the_one_before() {
    let cases = [
        (
            "UPDATE snapshot_slices SET data = '\\x00' WHERE snapshot = 2 AND idx = 1",
            "slice 1 of snapshot 2 does not match",
        ),
        (
            "UPDATE snapshot_slices SET crc = crc + 1 WHERE snapshot = 2 AND idx = 0",
            "slice 0 of snapshot 2 does not match",
        ),
        ("DELETE FROM snapshot_slices WHERE snapshot = 2 AND idx = 0", "slice 0 of snapshot 2 is missing"),
        ("DELETE FROM snapshot_slices WHERE snapshot = 2 AND idx = 1", "has 1 of 2 slices"),
        ("DELETE FROM snapshot_slices WHERE snapshot = 2", "has 0 of 2 slices"),
        ("UPDATE snapshots SET bytes = 9223372036854775807, slices = 9223372036854775807 WHERE id = 2", "bytes"),
        ("UPDATE snapshots SET state = 'writing' WHERE id = 2", "snapshot 2 is missing or incomplete"),
        ("UPDATE snapshots SET graph = 2 WHERE id = 2", "snapshot 2 is missing or incomplete"),
        ("UPDATE graphs SET snapshot = 99 WHERE key = 1", "snapshot 99 is missing or incomplete"),
    ];
    for (sql, words) in cases {
        let loaded = after(sql).await.unwrap();
        assert_eq!(pieces(&loaded), (Some(&b"a"[..]), vec![&b"b"[..], b"c"]), "{sql}");
        assert_eq!(loaded.last.0, 3);
        let [damage] = &loaded.damage[..] else { panic!("{sql}: {:?}", loaded.damage) };
        assert!(damage.what.contains(words) && !damage.is_loss, "{sql}: {damage:?}");
    }
}

#[tokio::test]
async fn records_that_cannot_be_read_are_left_out_and_told() {
    let whole = (Some(&b"ab"[..]), vec![&b"c"[..]]);
    let without = (Some(&b"ab"[..]), vec![]);
    let cases = [
        ("UPDATE journal SET data = '\\x00' WHERE graph = 1 AND id = 3", "record 3 does not match", true, &without),
        ("UPDATE journal SET crc = crc + 1 WHERE graph = 1 AND id = 3", "record 3 does not match", true, &without),
        ("DELETE FROM journal WHERE graph = 1 AND id = 3", "record 3 is missing", true, &without),
        ("UPDATE graphs SET records = 5 WHERE key = 1", "records 4 to 5 are missing", true, &whole),
        ("UPDATE graphs SET records = 2 WHERE key = 1", "counts 2 records, and has record 3", false, &whole),
    ];
    for (sql, words, is_loss, expected) in cases {
        let loaded = after(sql).await.unwrap();
        assert_eq!(&pieces(&loaded), expected, "{sql}");
        let [damage] = &loaded.damage[..] else { panic!("{sql}: {:?}", loaded.damage) };
        assert!(damage.what.contains(words) && damage.is_loss == is_loss, "{sql}: {damage:?}");
    }
    // Two at once: the older snapshot, and a gap after it.
    let loaded =
        after("DELETE FROM snapshot_slices WHERE snapshot = 2; DELETE FROM journal WHERE graph = 1 AND id = 2").await;
    let loaded = loaded.unwrap();
    assert_eq!(pieces(&loaded), (Some(&b"a"[..]), vec![&b"c"[..]]));
    assert_eq!(loaded.damage.iter().map(|damage| damage.is_loss).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn a_lost_base_is_an_error_and_never_a_torso() {
    for sql in [
        "DELETE FROM snapshot_slices",
        "UPDATE snapshot_slices SET data = '\\x00'",
        "DELETE FROM snapshots",
        "DELETE FROM snapshot_slices; DELETE FROM journal WHERE graph = 1",
        "UPDATE graphs SET snapshot = NULL, previous_snapshot = NULL; DELETE FROM journal WHERE graph = 1",
    ] {
        let loaded = after(sql).await;
        assert!(matches!(&loaded, Err(StoreError::Damaged { key: 1, .. })), "{sql}: {loaded:?}");
    }
}

#[tokio::test]
async fn records_that_are_all_there_make_up_for_every_snapshot() {
    let home = Home::new();
    let (store, key) = graph(&home).await;
    home.raw("DELETE FROM snapshot_slices").await;
    let loaded = store.load(key).await.unwrap();
    assert_eq!(pieces(&loaded), (None, vec![&b"a"[..], b"b", b"c"]));
    assert_eq!(loaded.damage.len(), 2);
    assert!(loaded.damage.iter().all(|damage| !damage.is_loss), "{:?}", loaded.damage);
}

#[tokio::test]
async fn a_record_that_moved_to_another_graph_is_noticed() {
    let home = Home::new();
    let (store, key) = graph(&home).await;
    home.raw("UPDATE journal SET graph = 1, id = 4 WHERE graph = 2; UPDATE graphs SET records = 4 WHERE key = 1").await;
    let loaded = store.load(key).await.unwrap();
    assert_eq!(pieces(&loaded), (Some(&b"ab"[..]), vec![&b"c"[..]]));
    assert!(loaded.damage.len() == 1 && loaded.damage[0].is_loss, "{:?}", loaded.damage);
    assert!(matches!(store.load(GraphKey(key.0 + 1)).await, Err(StoreError::Damaged { .. })));
}

/// Pages that the server itself finds torn: the transaction is over then, and the older snapshot must do all the same.
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_the_server_cannot_read_are_made_up_for() {
    let cluster = Cluster::start_new();
    let home = Home::at(&cluster.url("postgres"));
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let first = append(&*store, key, b"a").await;
    let second = append(&*store, key, b"b").await;
    compact(&*store, key, first, &[b"a"]).await;
    // Large enough to be kept out of line, in a file of its own.
    compact(&*store, key, second, &[&vec![7; 50_000]]).await;
    trim_all(&*store, key, 100).await;
    let mut connection = home.connect().await;
    let file: String = sqlx::query_scalar(
        "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = 'snapshot_slices'::regclass",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    drop(connection);
    store.close().await;
    cluster.stop(true);
    let file = fs::File::options().write(true).open(cluster.data().join(file)).unwrap();
    file.write_all_at(&[0xA5; 4_096], 0).unwrap();
    cluster.start();

    let store = home.open().await;
    let loaded = store.load(key).await.unwrap();
    assert_eq!(pieces(&loaded), (Some(&b"a"[..]), vec![&b"b"[..]]));
    let [damage] = &loaded.damage[..] else { panic!("{:?}", loaded.damage) };
    assert!(damage.what.contains("invalid page") && !damage.is_loss, "{damage:?}");
}
