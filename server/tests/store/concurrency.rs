//! Appends, loads, compaction, listing and checkpoints at once on one store.

use std::cell::Cell;

use futures_util::future::join_all;
use synapti_server::store::{GraphKey, ListQuery, Lookup, RecordId, SharedStore, StoredGraph};

use crate::{
    fixture::{Home, at, compact, create, graph_id, record},
    place::Place,
    postgres,
};

pub const GRAPHS: usize = 3;
pub const BATCHES: u64 = 150;

/// Each record is its sequence number, and a snapshot is the records that it covers, one after the other.
pub fn document(loaded: &StoredGraph) -> Vec<u64> {
    let bytes = [loaded.snapshot.clone().unwrap_or_default(), loaded.tail.concat()].concat();
    bytes.chunks(8).map(|number| u64::from_le_bytes(number.try_into().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_every_acknowledged_record_once_and_in_order() {
    everything_at_once(&Home::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_every_acknowledged_record_once_and_in_order_on_postgres() {
    everything_at_once(&postgres::Home::new()).await;
}

#[tokio::test]
async fn graphs_that_are_wanted_at_once_are_made_once_each() {
    creations_at_once(&Home::new()).await;
}

#[tokio::test]
async fn graphs_that_are_wanted_at_once_are_made_once_each_on_postgres() {
    creations_at_once(&postgres::Home::new()).await;
}

async fn creations_at_once(home: &impl Place) {
    let store = home.open().await;
    let ids: Vec<_> = (0..300).map(|n| graph_id(&format!("graph{n}"))).collect();
    let wanted = ids.iter().cycle().take(3 * ids.len());
    let made = join_all(wanted.map(|id| store.create(id, "", at(1)))).await;
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|(_, is_fresh)| *is_fresh).count(), ids.len());
    for (n, (found, _)) in made.iter().enumerate() {
        assert!(matches!(found, Lookup::Live(graph) if graph.id == ids[n % ids.len()]), "{found:?}");
        assert_eq!(*found, made[n % ids.len()].0);
    }
}

async fn everything_at_once(home: &impl Place) {
    let store = home.open().await;
    let mut keys = Vec::new();
    for n in 0..GRAPHS {
        keys.push(create(&*store, &format!("graph{n}")).await);
    }
    let acknowledged = Cell::new(0);
    tokio::join!(
        append_all(&store, &keys, &acknowledged),
        load_all(&store, &keys, &acknowledged),
        load_all(&store, &keys, &acknowledged),
        compact_all(&store, &keys, &acknowledged),
        list_all(&store, &acknowledged),
        checkpoint_all(&store, &acknowledged),
    );
    store.close().await;
    let store = home.open().await;
    for key in keys {
        assert_eq!(document(&store.load(key).await.unwrap()), (0..BATCHES).collect::<Vec<_>>());
    }
}

pub async fn append_all(store: &SharedStore, keys: &[GraphKey], acknowledged: &Cell<u64>) {
    let mut newest = [RecordId(0); GRAPHS];
    for n in 0..BATCHES {
        let batch: Vec<_> = keys.iter().map(|key| record(*key, &n.to_le_bytes(), 1)).collect();
        for (id, newest) in store.append(&batch).await.unwrap().into_iter().zip(&mut newest) {
            assert!(id > *newest);
            *newest = id;
        }
        acknowledged.set(n + 1);
    }
}

pub async fn load_all(store: &SharedStore, keys: &[GraphKey], acknowledged: &Cell<u64>) {
    let mut seen = [RecordId(0); GRAPHS];
    while acknowledged.get() < BATCHES {
        for (key, seen) in keys.iter().zip(&mut seen) {
            let at_least = acknowledged.get();
            let loaded = store.load(*key).await.unwrap();
            let numbers = document(&loaded);
            assert!(numbers.len() as u64 >= at_least);
            assert!(numbers.iter().enumerate().all(|(n, number)| n as u64 == *number), "{numbers:?}");
            assert!(loaded.last >= *seen);
            *seen = loaded.last;
        }
    }
}

pub async fn compact_all(store: &SharedStore, keys: &[GraphKey], acknowledged: &Cell<u64>) {
    while acknowledged.get() < BATCHES {
        for key in keys {
            let loaded = store.load(*key).await.unwrap();
            let state = [loaded.snapshot.unwrap_or_default(), loaded.tail.concat()].concat();
            let slices: Vec<&[u8]> = state.chunks(100).collect();
            compact(&**store, *key, loaded.last, &slices).await;
            store.trim(*key, 7).await.unwrap();
        }
    }
}

pub async fn list_all(store: &SharedStore, acknowledged: &Cell<u64>) {
    while acknowledged.get() < BATCHES {
        let page = store.list(&ListQuery { after: None, limit: 10, among: None }).await.unwrap();
        assert_eq!(page.len(), GRAPHS);
    }
}

async fn checkpoint_all(store: &SharedStore, acknowledged: &Cell<u64>) {
    while acknowledged.get() < BATCHES {
        store.checkpoint().await.unwrap();
        tokio::task::yield_now().await;
    }
}
