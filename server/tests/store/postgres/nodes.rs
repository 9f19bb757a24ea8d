//! Several nodes on one database.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
};

use synapti_server::store::{GraphKey, Lookup, NewVersion, Purpose, RecordId, SharedStore, StoreError, VersionKind};
use tokio::task::JoinSet;

use super::Home;
use crate::{
    concurrency::{BATCHES, GRAPHS, append_all, compact_all, document, load_all},
    fixture::{append, at, compact, create, graph_id, record, trim_all},
    place::Place as _,
};

const NODES: usize = 3;

/// Appends of one node under way at once.
const LANES: usize = 4;

const ROUNDS: usize = 40;

async fn nodes(home: &Home) -> Vec<SharedStore> {
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(home.open().await);
    }
    nodes
}

/// Each lane appends to all graphs, in an order of its own, and remembers which number each of its records got.
async fn lane(store: SharedStore, keys: Vec<GraphKey>, name: u8) -> Vec<(GraphKey, RecordId, Vec<u8>)> {
    let mut numbered = Vec::new();
    for round in 0..ROUNDS {
        let mut batch = Vec::new();
        for nth in 0..keys.len() * 2 {
            let key = keys[(nth * (1 + usize::from(name)) + round) % keys.len()];
            batch.push(record(key, format!("{name} {round} {nth}").as_bytes(), 1));
        }
        let ids = store.append(&batch).await.unwrap();
        numbered.extend(batch.into_iter().zip(ids).map(|(record, id)| (record.key, id, record.update.to_vec())));
    }
    numbered
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_many_writers_are_numbered_without_gaps_and_none_is_lost() {
    let home = Home::new();
    let nodes = nodes(&home).await;
    let mut keys = Vec::new();
    for n in 0..5 {
        keys.push(create(&*nodes[0], &format!("graph{n}")).await);
    }
    let mut lanes = JoinSet::new();
    for name in 0..NODES * LANES {
        lanes.spawn(lane(nodes[name % NODES].clone(), keys.clone(), u8::try_from(name).unwrap()));
    }
    let mut written = HashMap::<GraphKey, BTreeMap<RecordId, Vec<u8>>>::new();
    for (key, id, update) in lanes.join_all().await.into_iter().flatten() {
        let twice = written.entry(key).or_default().insert(id, update);
        assert!(twice.is_none(), "{key:?} {id:?} was given out twice");
    }
    for key in keys {
        let written = &written[&key];
        let last = i64::try_from(written.len()).unwrap();
        assert!(written.keys().map(|id| id.0).eq(1..=last), "{key:?}");
        let loaded = nodes[1].load(key).await.unwrap();
        assert_eq!(loaded.last, RecordId(last));
        assert!(loaded.damage.is_empty() && loaded.tail.iter().eq(written.values()), "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_compacts_while_another_appends_and_a_third_reads() {
    let home = Home::new();
    let nodes = nodes(&home).await;
    let mut keys = Vec::new();
    for n in 0..GRAPHS {
        keys.push(create(&*nodes[0], &format!("graph{n}")).await);
    }
    let acknowledged = Cell::new(0);
    tokio::join!(
        append_all(&nodes[0], &keys, &acknowledged),
        load_all(&nodes[1], &keys, &acknowledged),
        load_all(&nodes[2], &keys, &acknowledged),
        compact_all(&nodes[2], &keys, &acknowledged),
    );
    for key in keys {
        trim_all(&*nodes[1], key, 50).await;
        let loaded = nodes[0].load(key).await.unwrap();
        assert!(loaded.damage.is_empty() && loaded.snapshot.is_some());
        assert_eq!(document(&loaded), (0..BATCHES).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_is_created_by_one_of_many() {
    let home = Home::new();
    let nodes = nodes(&home).await;
    for round in 0..10 {
        let mut creating = JoinSet::new();
        for node in nodes.iter().chain(&nodes) {
            let node = node.clone();
            creating.spawn(async move {
                node.create(&graph_id(&format!("graph{round}")), "topic", at(round)).await.unwrap()
            });
        }
        let made = creating.join_all().await;
        assert_eq!(made.iter().filter(|(_, fresh)| *fresh).count(), 1);
        assert!(made.iter().all(|(found, _)| matches!(found, Lookup::Live(_)) && *found == made[0].0));
    }
}

#[tokio::test]
async fn a_graph_is_compacted_by_one_node_at_a_time() {
    let home = Home::new();
    let (one, two) = (home.open().await, home.open().await);
    let (key, other) = (create(&*one, "one").await, create(&*one, "two").await);
    let covers = append(&*one, key, b"a").await;
    let compaction = Purpose::Compaction;

    let begun = one.begin_snapshot(key, covers, compaction).await.unwrap().unwrap();
    assert_eq!(two.begin_snapshot(key, covers, compaction).await.unwrap(), None);
    assert!(two.begin_snapshot(key, covers, Purpose::Version).await.unwrap().is_some());
    let elsewhere = two.begin_snapshot(other, RecordId(0), compaction).await.unwrap().unwrap();
    two.commit_snapshot(elsewhere, 0, 0).await.unwrap();
    one.append_snapshot(begun, 0, b"a").await.unwrap();
    one.commit_snapshot(begun, 1, 1).await.unwrap();

    // Done, it is anybody's turn; one that is not finished ends with the next, and with what fails.
    assert!(two.begin_snapshot(key, covers, compaction).await.unwrap().is_some());
    assert_eq!(one.begin_snapshot(key, covers, compaction).await.unwrap(), None);
    let next = two.begin_snapshot(other, RecordId(0), compaction).await.unwrap().unwrap();
    assert!(one.begin_snapshot(key, covers, compaction).await.unwrap().is_some());
    assert!(two.commit_snapshot(next, 7, 7).await.is_err());
    assert!(one.begin_snapshot(other, RecordId(0), compaction).await.unwrap().is_some());

    // A node that dies in its turn does not keep it.
    drop(one);
    while two.begin_snapshot(other, RecordId(0), compaction).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    two.close().await;
    home.open().await.begin_snapshot(other, RecordId(0), compaction).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_another_node_is_writing_is_not_trimmed_and_what_nobody_finishes_is() {
    let home = Home::new();
    let (one, two) = (home.open().await, home.open().await);
    let key = create(&*one, "one").await;
    let covers = append(&*one, key, b"a").await;
    let slow = one.begin_snapshot(key, covers, Purpose::Compaction).await.unwrap().unwrap();
    one.append_snapshot(slow, 0, b"a").await.unwrap();
    assert!(!two.trim(key, 100).await.unwrap());
    assert!(two.untidy(10).await.unwrap().is_empty());
    one.append_snapshot(slow, 1, b"b").await.unwrap();

    home.age().await;
    assert_eq!(two.untidy(10).await.unwrap(), [key]);
    trim_all(&*two, key, 1).await;
    assert!(two.untidy(10).await.unwrap().is_empty());
    assert!(matches!(one.append_snapshot(slow, 2, b"c").await, Err(StoreError::Gone(_))));
    assert!(matches!(one.commit_snapshot(slow, 2, 2).await, Err(StoreError::Gone(_))));
    assert_eq!(home.count_rows().await, (1, 0, 0));
    assert_eq!(one.load(key).await.unwrap().tail, [b"a".to_vec()]);
}

#[tokio::test]
async fn the_snapshot_before_stays_until_the_next_and_everything_goes_with_the_graph() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let mut ids = Vec::new();
    for update in [b"a", b"b", b"c", b"d"] {
        ids.push(append(&*store, key, update).await);
    }
    compact(&*store, key, ids[0], &[b"a"]).await;
    trim_all(&*store, key, 100).await;
    assert_eq!(home.count_rows().await, (4, 1, 1));
    compact(&*store, key, ids[1], &[b"a", b"b"]).await;
    trim_all(&*store, key, 100).await;
    assert_eq!(home.count_rows().await, (3, 2, 3));
    compact(&*store, key, ids[3], &[b"abcd"]).await;
    trim_all(&*store, key, 100).await;
    assert_eq!(home.count_rows().await, (2, 2, 3));

    let kept = store.begin_snapshot(key, ids[2], Purpose::Version).await.unwrap().unwrap();
    let version = NewVersion { kind: VersionKind::Automatic, name: None, author: None, at: at(1) };
    store.commit_version(kept, 0, 0, &version).await.unwrap();
    store.tombstone(key, at(2)).await.unwrap();
    assert_eq!(store.untidy(10).await.unwrap(), [key]);
    assert!(store.versions(key, None, 10).await.unwrap().is_empty());
    assert!(trim_all(&*store, key, 1).await > 5);
    assert_eq!(home.count_rows().await, (0, 0, 0));
    assert!(store.untidy(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn topics_that_the_database_cannot_hold_are_listed_all_the_same() {
    let home = Home::new();
    let store = home.open().await;
    let key = create(&*store, "one").await;
    let mut renamed = record(key, b"a", 5);
    renamed.topic = Some("Be\0es".to_owned());
    store.append(&[renamed]).await.unwrap();
    let walked = store.walk(GraphKey(0), 10).await.unwrap();
    assert_eq!(walked.iter().map(|graph| graph.topic.as_str()).collect::<Vec<_>>(), ["Be\u{FFFD}es"]);
    assert!(store.walk(key, 10).await.unwrap().is_empty());
}
