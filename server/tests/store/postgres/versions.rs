//! Versions: kept by trim, listed newest first, and gone with what they are of.

use synapti_server::store::{
    GraphKey, NewVersion, Purpose, RecordId, Store, StoreError, VersionId, VersionKind, VersionRecord,
};

use super::Home;
use crate::{
    fixture::{append, at, compact, create, trim_all},
    place::Place as _,
};

pub fn automatic(second: i64) -> NewVersion {
    NewVersion { kind: VersionKind::Automatic, name: None, author: Some("Bea".to_owned()), at: at(second) }
}

/// Writes a version in two slices.
pub async fn keep(
    store: &dyn Store,
    key: GraphKey,
    covers: RecordId,
    state: &[u8],
    version: &NewVersion,
) -> VersionRecord {
    let snapshot = store.begin_snapshot(key, covers, Purpose::Version).await.unwrap().unwrap();
    let (first, second) = state.split_at(state.len() / 2);
    store.append_snapshot(snapshot, 0, first).await.unwrap();
    store.append_snapshot(snapshot, 1, second).await.unwrap();
    let kept = store.commit_version(snapshot, 2, state.len() as u64, version).await.unwrap();
    // A caller that did not hear the answer may ask again.
    assert_eq!(store.commit_version(snapshot, 2, state.len() as u64, version).await.unwrap(), kept);
    kept
}

#[tokio::test]
async fn versions_are_kept_listed_named_and_removed() {
    let home = Home::new();
    let store = home.open().await;
    let (key, other) = (create(&*store, "one").await, create(&*store, "two").await);
    let covers = append(&*store, key, b"a").await;
    let mut kept = Vec::new();
    for n in 0..5u8 {
        kept.push(keep(&*store, key, covers, &[n; 10], &automatic(i64::from(n))).await);
    }
    assert!(kept.is_sorted_by(|a, b| a.id < b.id));
    assert_eq!((kept[0].covers, kept[0].bytes, &kept[0].version), (covers, 10, &automatic(0)));
    let elsewhere = keep(&*store, other, RecordId(0), b"", &automatic(9)).await;

    kept.reverse();
    let mut listed = store.versions(key, None, 3).await.unwrap();
    listed.extend(store.versions(key, Some(listed[2].id), 3).await.unwrap());
    assert_eq!(listed, kept);
    assert_eq!(store.load_version(key, kept[1].id).await.unwrap(), Some((kept[1].clone(), vec![3; 10])));
    assert_eq!(store.load_version(other, elsewhere.id).await.unwrap(), Some((elsewhere.clone(), vec![])));
    assert_eq!(store.load_version(key, elsewhere.id).await.unwrap(), None);

    let named = store.name_version(key, kept[4].id, "The first").await.unwrap().unwrap();
    assert_eq!((named.version.kind, named.version.name.as_deref()), (VersionKind::Named, Some("The first")));
    assert_eq!(store.load_version(key, kept[4].id).await.unwrap().unwrap().0, named);
    assert_eq!(store.name_version(key, elsewhere.id, "no").await.unwrap(), None);

    // What is kept survives compaction and trimming; what is removed goes with them.
    for state in [b"x", b"y", b"z"] {
        compact(&*store, key, covers, &[state]).await;
    }
    let removed = [kept[0].id, kept[1].id, elsewhere.id, VersionId(4_711)];
    assert_eq!(store.remove_versions(key, &removed).await.unwrap(), 2);
    assert_eq!(store.untidy(10).await.unwrap(), [key]);
    trim_all(&*store, key, 2).await;
    // Of the graph: two snapshots, three versions of two slices; of the other: one version.
    assert_eq!(home.count_rows().await, (0, 6, 10));
    assert_eq!(store.versions(key, None, 10).await.unwrap().len(), 3);
    assert_eq!(store.load_version(key, kept[2].id).await.unwrap().unwrap().1, vec![2; 10]);
    assert_eq!(store.load(key).await.unwrap().snapshot, Some(b"z".to_vec()));
}

#[tokio::test]
async fn a_version_counts_only_when_it_is_whole() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let snapshot = store.begin_snapshot(key, RecordId(0), Purpose::Version).await.unwrap().unwrap();
    store.append_snapshot(snapshot, 0, b"ab").await.unwrap();
    assert!(store.commit_version(snapshot, 2, 2, &automatic(1)).await.is_err());
    assert!(store.commit_version(snapshot, 1, 3, &automatic(1)).await.is_err());
    assert!(store.versions(key, None, 10).await.unwrap().is_empty());
    store.tombstone(key, at(1)).await.unwrap();
    let late = store.commit_version(snapshot, 1, 2, &automatic(1)).await;
    assert!(matches!(late, Err(StoreError::Gone(_))), "{late:?}");
    assert!(matches!(store.begin_snapshot(key, RecordId(0), Purpose::Version).await, Err(StoreError::Gone(_))));
}

#[tokio::test]
async fn a_damaged_version_is_an_error() {
    for sql in [
        "UPDATE snapshot_slices SET data = '\\x00'",
        "DELETE FROM snapshot_slices WHERE idx = 1",
        "DELETE FROM snapshots",
        "UPDATE snapshots SET state = 'writing'",
    ] {
        let home = Home::new();
        let store = home.open().await;
        let key = create(&*store, "one").await;
        let version = keep(&*store, key, RecordId(0), b"abcd", &automatic(1)).await;
        home.raw(sql).await;
        let loaded = store.load_version(key, version.id).await;
        assert!(matches!(&loaded, Err(StoreError::Damaged { .. })), "{sql}: {loaded:?}");
    }
}
