//! Bytes that changed on disk are an error that names the place, never a shorter or other document.

use std::fs;

use synapti_server::store::{Store, StoreError};

use crate::fixture::{Home, append, compact, create, raw};

/// What `load` says after the statement changed the stored rows, once the records are filed or before.
async fn damage_after(sql: &'static str, filed: bool) -> String {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let other = create(&*store, "two").await;
    let covered = append(&*store, key, b"covered").await;
    compact(&*store, key, covered, &[b"first", b"second"]).await;
    append(&*store, key, b"tail").await;
    append(&*store, other, b"healthy").await;
    if filed {
        store.checkpoint().await.unwrap();
    }
    raw(&home.path(), sql).await;
    let error = store.load(key).await.unwrap_err();
    assert_eq!(store.load(other).await.unwrap().tail, [b"healthy".to_vec()], "{sql}");
    match error {
        StoreError::Damaged { key: named, what } => {
            assert_eq!(named, key.0);
            what
        }
        other => panic!("{sql}: {other:?}"),
    }
}

#[tokio::test]
async fn changed_rows_are_named() {
    let cases = [
        ("UPDATE updates SET data = x'00' WHERE id = 2", "record 2 does not match"),
        ("UPDATE updates SET crc = crc + 1 WHERE id = 2", "record 2 does not match"),
        ("UPDATE snapshot_slices SET data = x'00' WHERE idx = 1", "slice 1 of snapshot 1 does not match"),
        ("DELETE FROM snapshot_slices WHERE idx = 0", "slice 0 of snapshot 1 is missing"),
        ("DELETE FROM snapshot_slices WHERE idx = 1", "has 1 of 2 slices"),
        ("DELETE FROM snapshot_slices", "has 0 of 2 slices"),
        ("UPDATE snapshot_slices SET idx = 2 - idx", "slice 0 of snapshot 1"),
        ("UPDATE snapshots SET bytes = bytes - 1", "bytes"),
        ("UPDATE snapshots SET bytes = 9223372036854775807, slices = 9223372036854775807", "bytes"),
        ("DELETE FROM updates WHERE id = 2", "0 of 1 records"),
        ("UPDATE snapshots SET covers = 2", "0 of 1 records"),
        ("UPDATE graphs SET records = 1 WHERE key = 1", "1 of 0 records"),
        ("UPDATE snapshots SET complete = 0", "missing or incomplete"),
        ("UPDATE graphs SET snapshot = 99 WHERE key = 1", "missing or incomplete"),
        ("UPDATE snapshots SET graph = 2", "missing or incomplete"),
    ];
    for (sql, words) in cases {
        let what = damage_after(sql, true).await;
        assert!(what.contains(words), "{sql}: {what}");
    }
    for sql in ["UPDATE journal SET data = x'00' WHERE id = 2", "UPDATE journal SET crc = crc + 1 WHERE id = 2"] {
        let what = damage_after(sql, false).await;
        assert!(what.contains("record 2 does not match"), "{sql}: {what}");
    }
}

#[tokio::test]
async fn a_record_that_moved_to_another_graph_is_noticed() {
    let home = Home::new();
    let store = home.open().await;
    let (key, other) = (create(&*store, "one").await, create(&*store, "two").await);
    append(&*store, other, b"mine").await;
    store.checkpoint().await.unwrap();
    raw(&home.path(), "UPDATE updates SET graph = 1").await;
    assert!(matches!(store.load(key).await, Err(StoreError::Damaged { .. })));
    assert!(matches!(store.load(other).await, Err(StoreError::Damaged { .. })));
}

/// Flips one byte of the file at a time, all over it: a load answers what was written, or an error.
#[tokio::test]
async fn a_flipped_byte_anywhere_is_never_another_document() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let covered = append(&*store, key, b"covered").await;
    compact(&*store, key, covered, &[&[3; 9_000], &[4; 700]]).await;
    for n in 0..40u8 {
        append(&*store, key, &vec![n; 500]).await;
    }
    let healthy = store.load(key).await.unwrap();
    store.close().await;
    let intact = fs::read(home.path()).unwrap();

    let (mut noticed, mut unharmed) = (0, 0);
    for place in (4_096..intact.len()).step_by(401) {
        let mut bytes = intact.clone();
        bytes[place] ^= 0x10;
        fs::write(home.path(), &bytes).unwrap();
        let Ok(store) = synapti_server::store::SqliteStore::open(&home.url()).await else {
            noticed += 1;
            continue;
        };
        match store.load(key).await {
            Err(_) => noticed += 1,
            Ok(loaded) => {
                assert!(loaded.snapshot == healthy.snapshot && loaded.tail == healthy.tail, "byte {place}");
                unharmed += 1;
            }
        }
        store.close().await;
    }
    assert!(noticed > 30 && unharmed > 30, "{noticed} noticed, {unharmed} without effect");
}
