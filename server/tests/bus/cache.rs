//! Answers that nodes share over one Redis.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use rustix::process::Signal;
use synapti_server::{
    breaker::Position,
    bus::{Bus as _, SharedCache, SharedCacheState, redis::RedisBus},
    cache::{Cache, CacheParts},
    clock::Clock,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    PATIENCE, eventually,
    nodes::{is_away, node},
    server::RedisServer,
};

const MINUTE: Duration = Duration::from_mins(1);

/// Redis answers within this, however busy the machine is.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

fn shared(bus: &RedisBus) -> SharedCache {
    bus.cache().waiting(ANSWERED_WITHIN)
}

/// A node's cache, with a folder where it finds nothing unless it put it there.
fn cache(shared: SharedCache, memory_bytes_max: usize, folder: &Path) -> Cache {
    let disk_bytes_max = 1 << 20;
    let folder = folder.to_owned();
    let parts = CacheParts { memory_bytes_max, disk_bytes_max, folder, shared: Some(shared), clock: Clock::system() };
    Cache::start(parts, &TaskTracker::new(), CancellationToken::new())
}

async fn has(cache: &SharedCache, name: &str) -> bool {
    cache.get(name).await.is_some()
}

async fn is_shared(server: &RedisServer) {
    let identity = Uuid::now_v7();
    let buses = [node(&server.url(), identity).await, node(&server.url(), identity).await];
    let stranger = node(&server.url(), Uuid::now_v7()).await;
    let [a, b] = buses.each_ref().map(shared);
    let theirs = shared(&stranger);
    assert_eq!(a.get("x").await, None);
    for at in 0..1200 {
        assert!(a.put(&at.to_string(), b"value", MINUTE).await);
    }
    assert_eq!(b.get("7").await, Some(Bytes::from_static(b"value")));
    assert!(!has(&theirs, "7").await && theirs.put("7", b"theirs", MINUTE).await);
    let keys: Vec<String> = server.command(&["KEYS", "*:cache:7"]).await;
    let lasts_ms: i64 = server.command(&["PTTL", &keys[0]]).await;
    assert!(lasts_ms > 0 && lasts_ms <= 60_000, "{lasts_ms}");
    let _: () = server.command(&["SET", &format!("synapti:{}:ticket:word", identity.simple()), "t"]).await;
    assert_eq!(b.clear().await, 1200);
    assert!(!has(&a, "7").await && has(&theirs, "7").await, "of another store nothing is removed");
    let others: Vec<String> = server.command(&["KEYS", "*:ticket:*"]).await;
    assert_eq!(others.len(), 1, "nor anything else");
    assert!(!a.put("large", &vec![0; (1 << 20) + 1], MINUTE).await && !a.put("over", b"", Duration::ZERO).await);
    assert_eq!((a.state(), a.breaker().report().failures), (SharedCacheState::Up, 0));
    for bus in buses.iter().chain([&stranger]) {
        bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_answers_and_clear_their_own() {
    is_shared(&RedisServer::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_answers_over_a_redis_cluster_too() {
    is_shared(&RedisServer::cluster().await).await;
    is_shared_over(&RedisServer::three_shards().await).await;
}

/// Some on each shard.
async fn is_shared_over(shards: &[RedisServer; 3]) {
    let bus = node(&shards[0].url(), Uuid::now_v7()).await;
    let cache = shared(&bus);
    for at in 0..1200 {
        assert!(cache.put(&at.to_string(), b"value", MINUTE).await);
    }
    for shard in shards {
        let count: usize = shard.command(&["DBSIZE"]).await;
        assert!(count > 0, "some are on each");
    }
    assert_eq!(cache.clear().await, 1200);
    assert!(!has(&cache, "7").await);
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_has_put_another_finds_and_keeps() {
    let server = RedisServer::start().await;
    let identity = Uuid::now_v7();
    let buses = [node(&server.url(), identity).await, node(&server.url(), identity).await];
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let a = cache(shared(&buses[0]), 1 << 20, folders[0].path());
    let b = cache(shared(&buses[1]), 1 << 20, folders[1].path());
    let value = Bytes::from("a mind map ".repeat(1000));
    a.put("a", value.clone(), MINUTE).await;
    eventually("it is in Redis", PATIENCE, async || {
        server.command::<Vec<String>>(&["KEYS", "*:cache:*"]).await.len() == 1
    })
    .await;
    let keys: Vec<String> = server.command(&["KEYS", "*:cache:*"]).await;
    assert!(server.command::<usize>(&["STRLEN", &keys[0]]).await < 1000, "packed");
    assert_eq!(b.get("a").await, Some(value.clone()));
    assert_eq!(b.get_from_memory("a"), Some(value.clone()));
    eventually("it is on the other's disk", PATIENCE, async || b.stats().disk_bytes > 0).await;
    let _: () = server.command(&["SET", &keys[0], "what is no answer of ours"]).await;
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(cache(shared(&buses[0]), 0, folder.path()).get("a").await, None);
    assert_eq!((a.clear().await.shared, a.get("a").await), (1, None));
    assert_eq!(cache(shared(&buses[1]), 0, other.path()).get("a").await, None);
    for bus in &buses {
        bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_memory_and_disk_answer_and_it_is_left_alone_after_five_failures() {
    let mut server = RedisServer::start().await;
    let bus = node(&server.url(), Uuid::now_v7()).await;
    let folder = tempfile::tempdir().unwrap();
    let shared = shared(&bus);
    let cache = cache(shared.clone(), 1 << 20, folder.path());
    server.kill();
    is_away(&bus).await;
    cache.put("a", Bytes::from_static(b"value"), MINUTE).await;
    assert_eq!(cache.get("a").await, Some(Bytes::from_static(b"value")));
    for _ in 0..5 {
        assert_eq!(cache.get("b").await, None);
    }
    let report = shared.breaker().report();
    assert_eq!((report.position, report.failures_max, report.opened), (Position::Open, 5, 1));
    assert!(report.retry_after.is_some_and(|after| after <= MINUTE));
    assert_eq!(
        (report.last_error.as_deref(), shared.state()),
        (Some("Redis cannot be reached"), SharedCacheState::Away)
    );
    assert_eq!(cache.clear().await.memory, 1);
    server.restart().await;
    crate::nodes::is_up(&bus).await;
    assert!(!shared.put("c", b"value", MINUTE).await, "it is left alone");
    shared.breaker().reset();
    assert!(shared.put("c", b"value", MINUTE).await && has(&shared, "c").await);
    assert_eq!(shared.state(), SharedCacheState::Up);
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still_counts_as_one_that_fails() {
    let server = RedisServer::start().await;
    let bus = node(&server.url(), Uuid::now_v7()).await;
    let shared = bus.cache();
    server.signal(Signal::STOP);
    for _ in 0..5 {
        assert_eq!(shared.get("a").await, None);
    }
    let report = shared.breaker().report();
    server.signal(Signal::CONT);
    assert_eq!(report.position, Position::Open);
    let why = report.last_error.unwrap();
    assert!(why == "Redis does not answer in time" || why == "Redis cannot be reached", "{why}");
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_full_keeps_nothing_and_breaks_nothing() {
    let server = RedisServer::with(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]).await;
    let bus = node(&server.url(), Uuid::now_v7()).await;
    let shared = shared(&bus);
    assert!(!shared.put("a", b"value", MINUTE).await);
    assert!(!has(&shared, "a").await);
    let report = shared.breaker().report();
    assert!(report.last_error.is_some_and(|why| why.contains("maxmemory")), "the operator is told");
    bus.close().await;
}
