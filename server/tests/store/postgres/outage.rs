//! Connections that are cut and servers that stop under load: what was acknowledged stays, nothing is there by half, and
//! calls succeed again by themselves.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use synapti_server::store::{GraphKey, SharedStore};
use tokio::task::JoinSet;

use super::{Home, cluster::Cluster, connect};
use crate::fixture::{create, record};

/// What the writers share with whoever disturbs them.
#[derive(Clone)]
struct Load {
    store: SharedStore,
    keys: [GraphKey; 2],
    acknowledged: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Load {
    async fn on(store: SharedStore) -> Self {
        let keys = [create(&*store, "one").await, create(&*store, "two").await];
        Self { store, keys, acknowledged: Arc::default(), failed: Arc::default(), stop: Arc::default() }
    }

    /// Appends the same record to both graphs in each batch, until told to stop; answers which were acknowledged.
    async fn write(self, name: u64) -> Vec<[u8; 16]> {
        let mut acknowledged = Vec::new();
        for n in 0u64.. {
            if self.stop.load(Ordering::Acquire) {
                break;
            }
            let mut update = [0; 16];
            update[..8].copy_from_slice(&name.to_le_bytes());
            update[8..].copy_from_slice(&n.to_le_bytes());
            let batch = self.keys.map(|key| record(key, &update, 1));
            if self.store.append(&batch).await.is_ok() {
                acknowledged.push(update);
                self.acknowledged.fetch_add(1, Ordering::AcqRel);
            } else {
                self.failed.fetch_add(1, Ordering::AcqRel);
                tokio::task::yield_now().await;
            }
        }
        acknowledged
    }

    fn start(&self, writers: u64) -> JoinSet<Vec<[u8; 16]>> {
        let mut tasks = JoinSet::new();
        for name in 0..writers {
            tasks.spawn(self.clone().write(name));
        }
        tasks
    }

    /// Waits until so many more were acknowledged.
    async fn acknowledges(&self, more: u64) {
        let target = self.acknowledged.load(Ordering::Acquire) + more;
        while self.acknowledged.load(Ordering::Acquire) < target {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until one more failed.
    async fn fails(&self) {
        let before = self.failed.load(Ordering::Acquire);
        while self.failed.load(Ordering::Acquire) == before {
            tokio::task::yield_now().await;
        }
    }

    async fn check(self, tasks: JoinSet<Vec<[u8; 16]>>) {
        self.stop.store(true, Ordering::Release);
        let acknowledged: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
        let one = self.store.load(self.keys[0]).await.unwrap();
        let two = self.store.load(self.keys[1]).await.unwrap();
        assert!(one.damage.is_empty() && two.damage.is_empty());
        let sorted = |mut tail: Vec<Vec<u8>>| {
            tail.sort();
            tail
        };
        let (one, two) = (sorted(one.tail), sorted(two.tail));
        assert!(one == two, "a batch is there by half");
        for update in acknowledged {
            assert!(one.binary_search_by(|stored| stored.as_slice().cmp(&update)).is_ok(), "{update:?} is lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_killed_under_appends_lose_nothing() {
    let home = Home::new();
    let load = Load::on(home.open().await).await;
    let writers = load.start(4);
    let mut killer = connect(&home.url()).await;
    for _ in 0..20 {
        load.acknowledges(20).await;
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&mut killer)
        .await
        .unwrap();
    }
    load.acknowledges(20).await;
    let store = load.store.clone();
    load.check(writers).await;
    assert!(store.pool_size().open <= 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_and_starts_under_load_loses_nothing() {
    let cluster = Arc::new(Cluster::start_new());
    let home = Home::at(&cluster.url("postgres"));
    let load = Load::on(home.open().await).await;
    let writers = load.start(3);
    for orderly in [false, true, false] {
        load.acknowledges(20).await;
        let server = cluster.clone();
        tokio::task::spawn_blocking(move || server.stop(orderly)).await.unwrap();
        load.fails().await;
        assert!(load.store.ping().await.is_err());
        let server = cluster.clone();
        tokio::task::spawn_blocking(move || server.start()).await.unwrap();
        load.acknowledges(20).await;
        load.store.ping().await.unwrap();
    }
    load.check(writers).await;
}
