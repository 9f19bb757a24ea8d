//! Bytes that changed on disk: what can be made up for is, what cannot is named, and nothing is a shorter or other document
//! without a word.

use synapti_server::store::{GraphKey, Lookup, SharedStore, StoreError, StoredGraph};

use crate::fixture::{Home, append, at, automatic, compact, create, graph_id, keep, raw, trim_all};

/// Whether content is missing, and the words that tell.
fn told(loaded: &StoredGraph) -> (bool, String) {
    let what: Vec<&str> = loaded.damage.iter().map(|damage| damage.what.as_str()).collect();
    (loaded.damage.iter().any(|damage| damage.is_loss), what.join("; "))
}

fn document(loaded: &StoredGraph) -> Vec<u8> {
    [loaded.snapshot.clone().unwrap_or_default(), loaded.tail.concat()].concat()
}

/// A snapshot of the first record, and one record after it: what `load` answers when the statement has changed the stored
/// rows, once the records are filed or before.
async fn loaded_after(sql: &'static str, filed: bool) -> StoredGraph {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let other = create(&*store, "two").await;
    let covered = append(&*store, key, b"covered").await;
    compact(&*store, key, covered, &[b"cov", b"ered"]).await;
    append(&*store, key, b"tail").await;
    append(&*store, other, b"healthy").await;
    if filed {
        store.checkpoint().await.unwrap();
    }
    raw(&home.path(), sql).await;
    let loaded = store.load(key).await.unwrap();
    let healthy = store.load(other).await.unwrap();
    assert_eq!((healthy.tail, healthy.damage), (vec![b"healthy".to_vec()], vec![]), "{sql}");
    loaded
}

#[tokio::test]
async fn a_damaged_first_snapshot_is_made_up_for_by_its_records() {
    let cases = [
        ("UPDATE snapshot_slices SET data = x'00' WHERE idx = 1", "slice 1 of snapshot 1 does not match"),
        ("DELETE FROM snapshot_slices WHERE idx = 0", "slice 0 of snapshot 1 is missing"),
        ("DELETE FROM snapshot_slices WHERE idx = 1", "has 1 of 2 slices"),
        ("DELETE FROM snapshot_slices", "has 0 of 2 slices"),
        ("UPDATE snapshot_slices SET idx = 2 - idx", "slice 0 of snapshot 1"),
        ("UPDATE snapshots SET bytes = bytes - 1", "bytes"),
        ("UPDATE snapshots SET bytes = 9223372036854775807, slices = 9223372036854775807", "bytes"),
        ("UPDATE snapshots SET covers = 2", "snapshot 1 does not match"),
        ("UPDATE snapshots SET records = 2", "snapshot 1 does not match"),
        ("UPDATE snapshots SET crc = crc + 1", "snapshot 1 does not match"),
        ("UPDATE snapshots SET complete = 0", "missing or incomplete"),
        ("UPDATE snapshots SET for_version = 1", "missing or incomplete"),
        ("UPDATE graphs SET snapshot = 99 WHERE key = 1", "missing or incomplete"),
        ("UPDATE graphs SET snapshot = NULL WHERE key = 1", ""),
        ("UPDATE snapshots SET graph = 2", "missing or incomplete"),
    ];
    for (sql, words) in cases {
        let loaded = loaded_after(sql, true).await;
        let (is_loss, what) = told(&loaded);
        assert!(what.contains(words) && !is_loss, "{sql}: {what}");
        assert_eq!((document(&loaded), loaded.last.0), (b"coveredtail".to_vec(), 2), "{sql}");
        assert_eq!(loaded.tail_bytes as usize, loaded.tail.concat().len(), "{sql}");
    }
}

#[tokio::test]
async fn a_damaged_record_is_named_and_the_rest_is_read() {
    let cases = [
        ("UPDATE updates SET data = x'00' WHERE id = 2", true, "record 2 does not match", ""),
        ("UPDATE updates SET crc = crc + 1 WHERE id = 2", true, "record 2 does not match", ""),
        ("DELETE FROM updates WHERE id = 2", true, "0 of 1 records", ""),
        // Nobody can tell what the ones are that nobody counted.
        ("UPDATE graphs SET records = 1 WHERE key = 1", true, "1 of 0 records", "tail"),
        ("UPDATE journal SET data = x'00' WHERE id = 2", false, "record 2 does not match", ""),
        ("UPDATE journal SET crc = crc + 1 WHERE id = 2", false, "record 2 does not match", ""),
    ];
    for (sql, filed, words, tail) in cases {
        let loaded = loaded_after(sql, filed).await;
        let (is_loss, what) = told(&loaded);
        assert!(what.contains(words) && is_loss, "{sql}: {what}");
        assert_eq!(document(&loaded), [b"covered", tail.as_bytes()].concat(), "{sql}");
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
    for key in [key, other] {
        let loaded = store.load(key).await.unwrap();
        assert!(told(&loaded).0 && loaded.tail.is_empty(), "{loaded:?}");
    }
}

/// Records `a` to `c`, each with a snapshot after it, and `d`.
async fn with_two_snapshots(home: &Home) -> (SharedStore, GraphKey) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    for (record, state) in [(b"a", &b"a"[..]), (b"b", b"ab"), (b"c", b"abc")] {
        let covers = append(&*store, key, record).await;
        compact(&*store, key, covers, &[state]).await;
        trim_all(&*store, key, 10).await;
    }
    append(&*store, key, b"d").await;
    store.checkpoint().await.unwrap();
    (store, key)
}

#[tokio::test]
async fn a_damaged_snapshot_is_made_up_for_by_the_one_before_it() {
    let home = Home::new();
    let (store, key) = with_two_snapshots(&home).await;
    raw(&home.path(), "UPDATE snapshot_slices SET data = x'00' WHERE snapshot = 3").await;
    for _ in 0..2 {
        let loaded = store.load(key).await.unwrap();
        let (is_loss, what) = told(&loaded);
        assert!(what.contains("slice 0 of snapshot 3") && !is_loss, "{what}");
        assert_eq!((loaded.snapshot.as_deref(), loaded.tail.concat()), (Some(&b"ab"[..]), b"cd".to_vec()));
        trim_all(&*store, key, 10).await;
    }

    // The next snapshot is made of that one: the damaged one between them does not become the one before it.
    let last = store.load(key).await.unwrap().last;
    compact(&*store, key, last, &[b"abcd"]).await;
    trim_all(&*store, key, 1).await;
    assert_eq!(store.load(key).await.unwrap().damage, []);
    assert_eq!(store.examine().await.unwrap(), Vec::<String>::new());
    append(&*store, key, b"e").await;
    raw(&home.path(), "UPDATE snapshot_slices SET crc = 0 WHERE snapshot = 4").await;
    let loaded = store.load(key).await.unwrap();
    assert_eq!((document(&loaded), told(&loaded).0), (b"abcde".to_vec(), false));
}

#[tokio::test]
async fn a_torso_is_never_a_document() {
    let home = Home::new();
    let (store, key) = with_two_snapshots(&home).await;
    raw(&home.path(), "UPDATE snapshot_slices SET data = x'00'").await;
    match store.load(key).await {
        Err(StoreError::Damaged { key: named, what }) => {
            assert_eq!(named, key.0);
            assert!(what.contains("snapshot 3") && what.contains("snapshot 2"), "{what}");
        }
        other => panic!("{other:?}"),
    }
    let found = store.examine().await.unwrap();
    assert!(found.len() == 1 && found[0].contains("the snapshot before its current one"), "{found:?}");
}

#[tokio::test]
async fn damage_to_what_is_read_only_in_need_is_found_before() {
    let home = Home::new();
    let (store, key) = with_two_snapshots(&home).await;
    let cases = [
        ("UPDATE snapshot_slices SET crc = 0 WHERE snapshot = 2", "slice 0 of snapshot 2 does not match"),
        ("DELETE FROM snapshot_slices WHERE snapshot = 2", "snapshot 2 has 0 of 1 slices"),
        ("DELETE FROM snapshots WHERE id = 2", "snapshot 2 is missing"),
        (
            "INSERT INTO snapshot_slices (snapshot, idx, crc, data) VALUES (77, 0, 0, x'00')",
            "of snapshot_slices belongs to a row of snapshots",
        ),
    ];
    for (sql, words) in cases {
        raw(&home.path(), sql).await;
        let found = store.examine().await.unwrap();
        assert!(found.iter().any(|found| found.contains(words)), "{sql}: {found:?}");
        assert_eq!(store.load(key).await.unwrap().damage, []);
    }
}

#[tokio::test]
async fn a_damaged_version_is_an_error_and_hides_no_other() {
    let cases = [
        ("UPDATE versions SET name = 'other' WHERE id = 1", "version 1 does not match"),
        ("UPDATE versions SET kind = 'strange' WHERE id = 1", "version 1 does not match"),
        ("UPDATE versions SET snapshot = 99 WHERE id = 1", "version 1 does not match"),
        ("UPDATE snapshot_slices SET data = x'00' WHERE snapshot = 1", "slice 0 of snapshot 1 does not match"),
        ("UPDATE snapshots SET complete = 0 WHERE id = 1", "missing or incomplete"),
        // The slices of two snapshots of one graph, of the same size.
        (
            "UPDATE snapshot_slices SET snapshot = 3 WHERE snapshot = 1; UPDATE snapshot_slices SET snapshot = 1 \
             WHERE snapshot = 2; UPDATE snapshot_slices SET snapshot = 2 WHERE snapshot = 3",
            "snapshot 1 does not match",
        ),
    ];
    for (sql, words) in cases {
        let home = Home::new();
        let store = home.open().await;
        let key = create(&*store, "one").await;
        let covers = append(&*store, key, b"a").await;
        let first = keep(&*store, key, covers, &[b"first"], &automatic(1)).await;
        let second = keep(&*store, key, covers, &[b"other"], &automatic(2)).await;
        raw(&home.path(), sql).await;
        match store.load_version(key, first.id).await {
            Err(StoreError::Damaged { what, .. }) => assert!(what.contains(words), "{sql}: {what}"),
            other => panic!("{sql}: {other:?}"),
        }
        assert!(store.versions(key, None, 10).await.unwrap().contains(&second), "{sql}");
    }
}

/// A map whose name is damaged in the index "is not there": made anew it would be empty, in the place of the one that is.
#[tokio::test]
async fn no_graph_is_made_anew_in_the_place_of_one_that_cannot_be_found() {
    let home = Home::new();
    let store = home.open().await;
    create(&*store, "first").await;
    store.close().await;
    drop(store);
    let file = std::fs::read(home.path()).unwrap();
    let places = (0..file.len()).filter(|at| file[*at..].starts_with(b"first"));
    let mut hidden = 0;
    for place in places {
        let mut harmed = file.clone();
        harmed[place] = b'F';
        std::fs::write(home.path(), &harmed).unwrap();
        let store = home.open().await;
        if store.find(&graph_id("first")).await.unwrap() == Lookup::Missing {
            hidden += 1;
            let made = store.create(&graph_id("first"), "", at(1)).await;
            assert!(matches!(&made, Err(StoreError::Unusable(words)) if words.contains("synapti check")), "{made:?}");
        } else {
            assert!(!store.create(&graph_id("first"), "", at(1)).await.unwrap().1);
        }
        assert!(store.create(&graph_id("second"), "", at(1)).await.is_err());
        assert!(store.examine().await.unwrap().iter().any(|found| found.contains("graphs")));
        store.close().await;
    }
    assert_eq!(hidden, 1, "the name is in the table and two indexes, one of which finds it");
}
