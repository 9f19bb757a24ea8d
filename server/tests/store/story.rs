//! The life of a graph, told through every method of the trait.

use synapti_protocol::graph_id::GraphId;
use synapti_server::store::{
    GraphKey, JournalRecord, ListCursor, ListQuery, Lookup, Purpose, RecordId, SNAPSHOT_SLICE_BYTES_MAX, Store,
    StoreError,
};

use crate::{
    fixture::{append, at, compact, create, graph_id, record, trim_all},
    place::{Place, stories},
};

stories! {
    a_graph_is_created_once_found_and_deleted_for_good,
    appended_records_come_back_in_order_and_survive_a_restart,
    a_batch_of_any_size_is_one_commit_with_ids_in_its_order,
    a_batch_that_fails_leaves_nothing_and_the_store_usable,
    topic_and_time_of_the_last_record_are_listed,
    pages_of_the_listing_follow_each_other_without_gap_or_repeat,
    a_snapshot_replaces_what_it_covers_and_nothing_else,
    a_snapshot_counts_only_when_it_is_whole_and_not_older,
    a_snapshot_of_many_slices_comes_back_whole,
    an_empty_document_may_be_snapshotted,
    it_answers_pings_and_counts_its_connections_until_it_is_closed,
}

async fn a_graph_is_created_once_found_and_deleted_for_good(home: &impl Place) {
    let store = home.open().await;
    let id = graph_id("a~map.1");
    assert_eq!(store.find(&id).await.unwrap(), Lookup::Missing);

    let (made, fresh) = store.create(&id, "Bees", at(0)).await.unwrap();
    assert!(fresh);
    let Lookup::Live(graph) = &made else { panic!("{made:?}") };
    assert_eq!((graph.id.as_str(), graph.topic.as_str()), ("a~map.1", "Bees"));
    assert_eq!((graph.created_at, graph.modified_at), (at(0), at(0)));
    assert_eq!(store.find(&id).await.unwrap(), made);
    assert_eq!(store.create(&id, "Wasps", at(5)).await.unwrap(), (made.clone(), false));

    let key = graph.key;
    append(&*store, key, b"edit").await;
    store.tombstone(key, at(9)).await.unwrap();
    store.tombstone(key, at(10)).await.unwrap();
    let deleted = Lookup::Deleted { at: at(9) };
    assert_eq!(store.find(&id).await.unwrap(), deleted);
    assert_eq!(store.create(&id, "Again", at(11)).await.unwrap(), (deleted.clone(), false));
    assert!(matches!(store.load(key).await, Err(StoreError::Gone(_))));
    assert!(matches!(store.begin_snapshot(key, RecordId(0), Purpose::Compaction).await, Err(StoreError::Gone(_))));

    // A room that has not heard of it yet must not hold up the others in its batch.
    let other = create(&*store, "other").await;
    store.append(&[record(key, b"late", 12), record(other, b"fine", 12)]).await.unwrap();
    assert_eq!(store.load(other).await.unwrap().tail, [b"fine".to_vec()]);
    trim_all(&*store, key, 10).await;
    assert_eq!(store.find(&id).await.unwrap(), deleted);
}

async fn appended_records_come_back_in_order_and_survive_a_restart(home: &impl Place) {
    let store = home.open().await;
    let (one, two) = (create(&*store, "one").await, create(&*store, "two").await);
    assert!(store.append(&[]).await.unwrap().is_empty());
    let batch = [record(one, b"a", 1), record(two, b"x", 2), record(one, b"", 3), record(one, b"a", 4)];
    let ids = store.append(&batch).await.unwrap();
    assert!(ids.is_sorted() && ids.len() == 4, "{ids:?}");
    store.close().await;

    let store = home.open().await;
    let last = append(&*store, one, b"b").await;
    assert!(last > ids[3]);
    let loaded = store.load(one).await.unwrap();
    assert_eq!(loaded.snapshot, None);
    assert_eq!(loaded.tail, [&b"a"[..], b"", b"a", b"b"]);
    assert_eq!((loaded.last, loaded.tail_bytes), (last, 3));
    let loaded = store.load(two).await.unwrap();
    assert_eq!((loaded.tail, loaded.last), (vec![b"x".to_vec()], ids[1]));
}

async fn a_batch_of_any_size_is_one_commit_with_ids_in_its_order(home: &impl Place) {
    let store = home.open().await;
    let (one, two) = (create(&*store, "one").await, create(&*store, "two").await);
    let small: Vec<JournalRecord> =
        (0..2_500u32).map(|n| record(if n % 3 == 0 { two } else { one }, &n.to_le_bytes(), i64::from(n))).collect();
    let big: Vec<JournalRecord> = (0..5u8).map(|n| record(one, &vec![n; 3 << 20], 3_000)).collect();
    for batch in [small, big] {
        let before = store.load(one).await.unwrap().tail.len();
        let ids = store.append(&batch).await.unwrap();
        assert_eq!(ids.len(), batch.len());
        for key in [one, two] {
            let ids = batch.iter().zip(&ids).filter(|(record, _)| record.key == key).map(|(_, id)| *id);
            assert!(ids.is_sorted_by(|a, b| a < b));
        }
        let tail = store.load(one).await.unwrap().tail;
        let sent: Vec<&[u8]> =
            batch.iter().filter(|record| record.key == one).map(|record| &record.update[..]).collect();
        assert!(tail[before..] == sent);
    }
}

async fn a_batch_that_fails_leaves_nothing_and_the_store_usable(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let unknown = GraphKey(4_711);
    assert!(store.append(&[record(key, b"a", 1), record(unknown, b"b", 1)]).await.is_err());
    // Above one statement's worth, so that part of it was inserted before the failure.
    let mut long: Vec<JournalRecord> = (0..1_500).map(|_| record(key, b"a", 1)).collect();
    long.push(record(unknown, b"b", 1));
    assert!(store.append(&long).await.is_err());
    assert!(store.load(key).await.unwrap().tail.is_empty());
    long.pop();
    assert_eq!(store.append(&long).await.unwrap().len(), 1_500);
    assert_eq!(store.load(key).await.unwrap().tail.len(), 1_500);
}

async fn topic_and_time_of_the_last_record_are_listed(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let mut renamed = record(key, b"a", 5);
    renamed.topic = Some("Honey".to_owned());
    store.append(&[renamed, record(key, b"b", 7)]).await.unwrap();
    let Lookup::Live(graph) = store.find(&graph_id("one")).await.unwrap() else { panic!("it is there") };
    assert_eq!((graph.topic.as_str(), graph.created_at, graph.modified_at), ("Honey", at(0), at(7)));
    compact(&*store, key, RecordId(2), &[b"ab"]).await;
    trim_all(&*store, key, 10).await;
    let listed = store.list(&ListQuery { after: None, limit: 10, among: None }).await.unwrap();
    assert_eq!(listed, [graph]);
}

async fn pages_of_the_listing_follow_each_other_without_gap_or_repeat(home: &impl Place) {
    let store = home.open().await;
    let mut expected = Vec::new();
    for n in 0..25i64 {
        let name = format!("g{:02}", (n * 7) % 25);
        let key = create(&*store, &name).await;
        // Groups of four share a time, so that pages end inside a group.
        store.append(&[record(key, b"a", n / 4)]).await.unwrap();
        if n % 5 == 0 {
            store.tombstone(key, at(99)).await.unwrap();
        } else {
            expected.push((std::cmp::Reverse(n / 4), name));
        }
    }
    expected.sort();
    let expected: Vec<String> = expected.into_iter().map(|(_, name)| name).collect();
    assert_eq!(listed(&*store, None).await, expected);

    // Only some of them; a deleted one and one that never was do no harm.
    let some: Vec<String> = expected.iter().step_by(3).cloned().collect();
    let among = some.iter().map(String::as_str).chain(["g00", "never"]).map(graph_id).collect();
    assert_eq!(listed(&*store, Some(among)).await, some);
    assert!(listed(&*store, Some(Vec::new())).await.is_empty());
}

/// The ids of all pages.
async fn listed(store: &dyn Store, among: Option<Vec<GraphId>>) -> Vec<String> {
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(&ListQuery { after, limit: 3, among: among.clone() }).await.unwrap();
        let Some(last) = page.last() else { return seen };
        after = Some(ListCursor { modified_at: last.modified_at, id: last.id.clone() });
        seen.extend(page.into_iter().map(|graph| graph.id.to_string()));
    }
}

async fn a_snapshot_replaces_what_it_covers_and_nothing_else(home: &impl Place) {
    let store = home.open().await;
    let (key, other) = (create(&*store, "one").await, create(&*store, "two").await);
    let mut ids = Vec::new();
    for update in [b"a", b"b", b"c"] {
        ids.push(append(&*store, key, update).await);
        append(&*store, other, update).await;
    }
    compact(&*store, key, ids[1], &[b"snap", b"shot"]).await;
    let expected = |tail: &[&[u8]]| (Some(b"snapshot".to_vec()), tail.iter().map(|t| t.to_vec()).collect::<Vec<_>>());
    let before = store.load(key).await.unwrap();
    assert_eq!((before.snapshot, before.tail), expected(&[b"c"]));
    assert_eq!((before.last, before.tail_bytes), (ids[2], 1));

    // One row at a time: the reader's view never changes.
    while store.trim(key, 1).await.unwrap() {
        let now = store.load(key).await.unwrap();
        assert_eq!((now.snapshot, now.tail), expected(&[b"c"]));
    }
    assert!(!store.trim(key, 0).await.unwrap());
    assert_eq!(store.load(other).await.unwrap().tail.len(), 3);

    // Covering everything, the tail is empty and `last` is what the snapshot covers.
    compact(&*store, key, ids[2], &[b"whole"]).await;
    trim_all(&*store, key, 100).await;
    let after = store.load(key).await.unwrap();
    assert_eq!((after.snapshot, after.tail.len(), after.last), (Some(b"whole".to_vec()), 0, ids[2]));
    // Ids go on from there although the newest rows are gone.
    assert!(append(&*store, key, b"d").await > ids[2]);
}

async fn a_snapshot_counts_only_when_it_is_whole_and_not_older(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let first = append(&*store, key, b"a").await;
    let second = append(&*store, key, b"b").await;

    let slow = store.begin_snapshot(key, first, Purpose::Compaction).await.unwrap().unwrap();
    store.append_snapshot(slow, 0, b"a").await.unwrap();
    store.append_snapshot(slow, 2, b"c").await.unwrap();
    assert!(store.commit_snapshot(slow, 2, 2).await.is_err(), "slice 1 is missing");
    assert!(store.commit_snapshot(slow, 3, 2).await.is_err());
    assert!(store.append_snapshot(slow, 1, &vec![0; SNAPSHOT_SLICE_BYTES_MAX + 1]).await.is_err());
    assert_eq!(store.load(key).await.unwrap().snapshot, None);

    let current = compact(&*store, key, second, &[b"ab"]).await;
    store.append_snapshot(slow, 1, b"B").await.unwrap();
    store.append_snapshot(slow, 1, b"b").await.unwrap();
    store.commit_snapshot(slow, 3, 3).await.unwrap();
    assert_eq!(store.load(key).await.unwrap().snapshot, Some(b"ab".to_vec()));
    // A caller that did not hear the answer may ask again.
    store.commit_snapshot(current, 1, 2).await.unwrap();

    let unknown = RecordId(second.0 + 1);
    assert!(store.begin_snapshot(key, unknown, Purpose::Compaction).await.is_err(), "it would swallow records to come");
    trim_all(&*store, key, 2).await;
    let gone = store.append_snapshot(slow, 3, b"d").await;
    assert!(matches!(gone, Err(StoreError::Gone(_))), "{gone:?}");
    assert_eq!(store.load(key).await.unwrap().snapshot, Some(b"ab".to_vec()));
}

async fn a_snapshot_of_many_slices_comes_back_whole(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let covers = append(&*store, key, b"a").await;
    let slices: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n; SNAPSHOT_SLICE_BYTES_MAX]).collect();
    let borrowed: Vec<&[u8]> = slices.iter().map(Vec::as_slice).collect();
    compact(&*store, key, covers, &borrowed).await;
    assert!(store.load(key).await.unwrap().snapshot == Some(slices.concat()));
    // Superseded twice, it goes in several bounded slices although the caller allows many rows.
    compact(&*store, key, covers, &[b"smaller"]).await;
    assert_eq!(trim_all(&*store, key, 1_000).await, 1, "the snapshot before the current one stays");
    compact(&*store, key, covers, &[b"small"]).await;
    assert!(trim_all(&*store, key, 1_000).await > 1);
    assert_eq!(store.load(key).await.unwrap().snapshot, Some(b"small".to_vec()));
}

async fn an_empty_document_may_be_snapshotted(home: &impl Place) {
    let store = home.open().await;
    let key = create(&*store, "one").await;
    assert_eq!(store.load(key).await.unwrap().snapshot, None);
    compact(&*store, key, RecordId(0), &[]).await;
    let loaded = store.load(key).await.unwrap();
    assert_eq!((loaded.snapshot, loaded.last), (Some(Vec::new()), RecordId(0)));
}

async fn it_answers_pings_and_counts_its_connections_until_it_is_closed(home: &impl Place) {
    let store = home.open().await;
    store.ping().await.unwrap();
    let size = store.pool_size();
    assert!(size.open >= 3 && size.idle <= size.open, "{size:?}");
    assert!(store.describe().contains("synapti.db"));
    store.close().await;
    assert!(store.ping().await.is_err());
    assert!(store.create(&graph_id("late"), "", at(0)).await.is_err());
    assert_eq!(store.pool_size().open, 0);
}
