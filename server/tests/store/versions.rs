//! What is kept although it was replaced: versions, and the snapshot before the current one.

use synapti_server::store::{GraphKey, NewVersion, Purpose, RecordId, StoreError, VersionId, VersionKind};
use uuid::Uuid;

use crate::{
    fixture::{append, at, automatic, compact, create, keep, trim_all},
    place::{Place, stories},
};

stories! {
    the_snapshot_before_the_current_one_stays_with_the_records_after_it,
    a_version_keeps_its_state_whatever_becomes_of_the_graph,
    versions_are_listed_newest_first_in_pages,
    a_version_belongs_to_its_graph,
    a_version_that_is_named_is_kept_under_that_name,
    a_version_that_is_removed_gives_its_rows_back,
    a_version_counts_only_when_it_is_whole,
    versions_go_with_their_graph,
    a_walk_comes_by_every_graph,
    a_database_keeps_its_identity,
}

async fn the_snapshot_before_the_current_one_stays_with_the_records_after_it(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let mut ids = Vec::new();
    for update in [b"a", b"b", b"c", b"d"] {
        ids.push(append(&*store, key, update).await);
    }
    compact(&*store, key, ids[1], &[b"ab"]).await;
    assert!(!store.trim(key, 100).await.unwrap());
    assert_eq!(store.untidy(10).await.unwrap(), [], "there is no snapshot before it: the records stay");
    compact(&*store, key, ids[2], &[b"abc"]).await;
    assert_eq!(store.untidy(10).await.unwrap(), [key], "the first covers two records");
    assert_eq!(trim_all(&*store, key, 1).await, 2);
    compact(&*store, key, ids[3], &[b"abcd"]).await;
    // One record and the first snapshot: a row and its slice.
    assert_eq!(trim_all(&*store, key, 1).await, 3);
    assert_eq!(store.untidy(10).await.unwrap(), []);
    let loaded = store.load(key).await.unwrap();
    assert_eq!((loaded.snapshot, loaded.tail.len(), loaded.damage), (Some(b"abcd".to_vec()), 0, vec![]));
    assert_eq!(store.examine().await.unwrap(), Vec::<String>::new());
}

async fn a_version_keeps_its_state_whatever_becomes_of_the_graph(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let first = append(&*store, key, b"a").await;
    let kept = keep(&*store, key, first, &[b"the first", b" state"], &automatic(7)).await;
    assert_eq!((&kept.version, kept.covers, kept.bytes), (&automatic(7), first, 15));
    assert_eq!(store.load(key).await.unwrap().snapshot, None, "a version takes no record's place");
    for round in 0..4u8 {
        let last = append(&*store, key, &[round]).await;
        compact(&*store, key, last, &[b"state"]).await;
        trim_all(&*store, key, 1).await;
    }
    // Also of a state that is older than what is still there.
    let late = keep(&*store, key, first, &[b"late"], &automatic(8)).await;
    assert!(late.id > kept.id);
    store.close().await;
    let store = home.open().await;
    assert_eq!(store.versions(key, None, 10).await.unwrap(), [late.clone(), kept.clone()]);
    let states = [(kept, &b"the first state"[..]), (late, b"late")];
    for (record, state) in states {
        assert_eq!(store.load_version(key, record.id).await.unwrap(), Some((record, state.to_vec())));
    }
    assert_eq!(store.load(key).await.unwrap().snapshot, Some(b"state".to_vec()));
    assert_eq!(store.examine().await.unwrap(), Vec::<String>::new());
}

async fn versions_are_listed_newest_first_in_pages(home: &impl Place) {
    let store = home.open().await;
    let (key, other) = (create(&*store, "one").await, create(&*store, "two").await);
    assert_eq!(store.versions(key, None, 10).await.unwrap(), []);
    let mut kept = Vec::new();
    for n in 0..7 {
        kept.push(keep(&*store, key, RecordId(0), &[&[n]], &automatic(i64::from(n))).await);
        keep(&*store, other, RecordId(0), &[], &automatic(0)).await;
    }
    kept.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.versions(key, before, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page);
    }
    assert_eq!(seen, kept);
}

async fn a_version_belongs_to_its_graph(home: &impl Place) {
    let store = home.open().await;
    let (key, other) = (create(&*store, "one").await, create(&*store, "two").await);
    let kept = keep(&*store, key, RecordId(0), &[b"mine"], &automatic(1)).await;
    assert_eq!(store.load_version(other, kept.id).await.unwrap(), None);
    assert_eq!(store.name_version(other, kept.id, "theirs").await.unwrap(), None);
    assert_eq!(store.remove_versions(other, &[kept.id]).await.unwrap(), 0);
    assert_eq!(store.versions(other, None, 10).await.unwrap(), []);
    assert_eq!(store.load_version(key, VersionId(kept.id.0 + 1)).await.unwrap(), None);
    assert!(store.load_version(key, kept.id).await.unwrap().is_some());
}

async fn a_version_that_is_named_is_kept_under_that_name(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let new =
        NewVersion { kind: VersionKind::BeforeRestore, name: Some("Früher 🐝".to_owned()), author: None, at: at(3) };
    let kept = keep(&*store, key, RecordId(0), &[b"state"], &new).await;
    assert_eq!(kept.version, new);
    let named = store.name_version(key, kept.id, "Before the workshop").await.unwrap().unwrap();
    let expected =
        NewVersion { kind: VersionKind::Named, name: Some("Before the workshop".to_owned()), author: None, at: at(3) };
    assert_eq!((&named.version, named.id, named.bytes), (&expected, kept.id, 5));
    store.close().await;
    let store = home.open().await;
    assert_eq!(store.versions(key, None, 10).await.unwrap(), std::slice::from_ref(&named));
    assert_eq!(store.load_version(key, kept.id).await.unwrap(), Some((named, b"state".to_vec())));
    assert_eq!(store.name_version(key, VersionId(999), "none").await.unwrap(), None);
}

async fn a_version_that_is_removed_gives_its_rows_back(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let first = keep(&*store, key, RecordId(0), &[b"a", b"b"], &automatic(1)).await;
    let second = keep(&*store, key, RecordId(0), &[b"c"], &automatic(2)).await;
    assert_eq!(store.untidy(10).await.unwrap(), []);
    assert_eq!(store.remove_versions(key, &[first.id, VersionId(999), first.id]).await.unwrap(), 1);
    assert_eq!(store.load_version(key, first.id).await.unwrap(), None);
    assert_eq!(store.untidy(10).await.unwrap(), [key]);
    trim_all(&*store, key, 1).await;
    assert_eq!(store.untidy(10).await.unwrap(), []);
    assert_eq!(store.load_version(key, second.id).await.unwrap(), Some((second.clone(), b"c".to_vec())));
    // A number is not given out again.
    assert_eq!(store.remove_versions(key, &[second.id]).await.unwrap(), 1);
    assert!(keep(&*store, key, RecordId(0), &[b"d"], &automatic(3)).await.id > second.id);
}

async fn a_version_counts_only_when_it_is_whole(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let snapshot = store.begin_snapshot(key, RecordId(0), Purpose::Version).await.unwrap().unwrap();
    store.append_snapshot(snapshot, 1, b"b").await.unwrap();
    assert!(store.commit_version(snapshot, 2, 2, &automatic(1)).await.is_err(), "slice 0 is missing");
    assert!(store.commit_snapshot(snapshot, 1, 1).await.is_err(), "it is to be a version");
    assert_eq!(store.versions(key, None, 10).await.unwrap(), []);
    store.append_snapshot(snapshot, 0, b"a").await.unwrap();
    let kept = store.commit_version(snapshot, 2, 2, &automatic(1)).await.unwrap();
    // A caller that did not hear the answer may ask again.
    assert_eq!(store.commit_version(snapshot, 2, 2, &automatic(1)).await.unwrap(), kept);
    assert_eq!(store.versions(key, None, 10).await.unwrap(), [kept]);
    let of_records = store.begin_snapshot(key, RecordId(0), Purpose::Compaction).await.unwrap().unwrap();
    assert!(store.commit_version(of_records, 0, 0, &automatic(2)).await.is_err(), "it is to replace records");
    let unknown = store.begin_snapshot(GraphKey(4_711), RecordId(0), Purpose::Version).await;
    assert!(matches!(unknown, Err(StoreError::Gone(_))), "{unknown:?}");
}

async fn versions_go_with_their_graph(home: &impl Place) {
    let store = home.open().await;
    let (key, other) = (create(&*store, "one").await, create(&*store, "two").await);
    let mine = keep(&*store, key, RecordId(0), &[b"a"], &automatic(1)).await;
    keep(&*store, key, RecordId(0), &[b"b"], &automatic(2)).await;
    let theirs = keep(&*store, other, RecordId(0), &[b"c"], &automatic(3)).await;
    let begun = store.begin_snapshot(key, RecordId(0), Purpose::Version).await.unwrap().unwrap();
    store.tombstone(key, at(9)).await.unwrap();
    assert!(store.commit_version(begun, 0, 0, &automatic(4)).await.is_err());
    assert_eq!(store.versions(key, None, 10).await.unwrap(), []);
    assert_eq!(store.load_version(key, mine.id).await.unwrap(), None);
    assert_eq!(store.untidy(10).await.unwrap(), [key]);
    trim_all(&*store, key, 1).await;
    assert_eq!(store.untidy(10).await.unwrap(), []);
    assert_eq!(store.versions(other, None, 10).await.unwrap(), [theirs]);
    assert_eq!(store.examine().await.unwrap(), Vec::<String>::new());
}

async fn a_walk_comes_by_every_graph(home: &impl Place) {
    let store = home.open().await;
    let mut expected = Vec::new();
    for n in 0..9 {
        let name = format!("g{n}");
        let key = create(&*store, &name).await;
        if n % 4 == 1 {
            store.tombstone(key, at(1)).await.unwrap();
        } else {
            expected.push((key, name));
        }
    }
    let (mut seen, mut after) = (Vec::new(), GraphKey(i64::MIN));
    loop {
        let page = store.walk(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = last.key;
        seen.extend(page.into_iter().map(|graph| (graph.key, graph.id.to_string())));
    }
    expected.sort_by_key(|(key, _)| key.0);
    assert_eq!(seen, expected);
}

async fn a_database_keeps_its_identity(home: &impl Place) {
    let store = home.open().await;
    let identity = store.identity();
    assert_ne!(identity, Uuid::nil());
    store.close().await;
    assert_eq!(home.open().await.identity(), identity);
}
