//! What nodes count together over one Redis.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use rustix::process::Signal;
use synapti_server::{
    auth::{
        Authenticator, Credential,
        access::{Access, Grant},
        tickets::Ticket,
    },
    bus::{Bus as _, SharedLimits, redis::RedisBus},
    clock::Clock,
    config::Config,
    limits::{
        connections::{ConnectionLimits, ConnectionPermit, Connections, Full},
        keyed::ComeBackAfter,
        requests::RequestRate,
    },
    room::SessionSlot,
};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{
    PATIENCE, eventually,
    nodes::{is_away, is_up, node},
    server::RedisServer,
};

const CLIENT_MAX: usize = 5;

/// Redis answers within this, however busy the machine is.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Two nodes, as far as limits go.
struct Two {
    buses: [RedisBus; 2],
    connections: [Connections; 2],
    tasks: TaskTracker,
}

impl Two {
    async fn on(server: &RedisServer) -> Self {
        let (url, identity) = (server.url(), Uuid::now_v7());
        let buses = [node(&url, identity).await, node(&url, identity).await];
        let limits = ConnectionLimits { client_max: CLIENT_MAX, ..ConnectionLimits::default() };
        let connections =
            buses.each_ref().map(|bus| Connections::shared(limits, Some(bus.limits().waiting(ANSWERED_WITHIN))));
        let tasks = TaskTracker::new();
        for connections in connections.clone() {
            tasks.spawn(async move { connections.answer_probes().await });
        }
        Self { buses, connections, tasks }
    }

    async fn admit(&self, at: usize, client: &str) -> Result<ConnectionPermit, Full> {
        self.connections[at].admit("192.0.2.1".parse().unwrap(), Some(client)).await
    }

    /// So many on each node.
    async fn admit_all(&self, client: &str, counts: [usize; 2]) -> Vec<ConnectionPermit> {
        let mut permits = Vec::new();
        for (at, count) in counts.into_iter().enumerate() {
            for _ in 0..count {
                permits.push(self.admit(at, client).await.unwrap());
            }
        }
        permits
    }

    async fn close(self) {
        for bus in &self.buses {
            bus.close().await;
        }
        drop(self.tasks);
    }
}

/// Leases of all clients that Redis knows of.
async fn leases(server: &RedisServer) -> usize {
    let keys: Vec<String> = server.command(&["KEYS", "synapti:*:client:*"]).await;
    let mut count = 0;
    for key in keys {
        count += server.command::<usize>(&["ZCARD", &key]).await;
    }
    count
}

async fn connections_are_shared(server: RedisServer) {
    let two = Two::on(&server).await;
    let mut permits = two.admit_all("ann", [3, 2]).await;
    let refused = tokio::join!(two.admit(0, "ann"), two.admit(1, "ann"));
    assert_eq!((refused.0.unwrap_err(), refused.1.unwrap_err()), (Full::Client(CLIENT_MAX), Full::Client(CLIENT_MAX)));
    let bob = two.admit(1, "bob").await.unwrap();
    permits.remove(0);
    eventually("the place is given back", PATIENCE, async || leases(&server).await == 5).await;
    permits.push(two.admit(1, "ann").await.unwrap());
    drop((permits, bob));
    eventually("all are given back", PATIENCE, async || leases(&server).await == 0).await;
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_five_connections_on_two_nodes_together() {
    connections_are_shared(RedisServer::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_five_connections_on_two_nodes_of_a_redis_cluster_too() {
    connections_are_shared(RedisServer::cluster().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_connections_on_another_node_give_way() {
    let server = RedisServer::start().await;
    let two = Two::on(&server).await;
    let dead = two.admit_all("ann", [CLIENT_MAX, 0]).await;
    let silent = Arc::<SessionSlot>::default();
    dead[0].attach(&silent);
    let living = two.admit(1, "ann").await.expect("the dead one gives way");
    assert!(silent.take().refusal.is_some());
    assert!(two.admit(1, "ann").await.is_err(), "the others are there");
    drop((dead, living));
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_of_a_node_that_died_end_by_themselves() {
    let server = RedisServer::start().await;
    let two = Two::on(&server).await;
    let permits = two.admit_all("ann", [4, 0]).await;
    let keys: Vec<String> = server.command(&["KEYS", "synapti:*:client:*"]).await;
    for number in ["1", "2", "3"] {
        let _: () = server.command(&["ZADD", &keys[0], "1000", &format!("dead:{number}")]).await;
    }
    let lasts_ms: i64 = server.command(&["PTTL", &keys[0]]).await;
    assert!(lasts_ms > 0 && lasts_ms <= 12_000, "{lasts_ms}");
    let fifth = two.admit(1, "ann").await.expect("what has ended does not count");
    assert_eq!(leases(&server).await, 5);
    drop((permits, fifth));
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_node_counts_alone_and_with_it_all_are_counted_again() {
    let mut server = RedisServer::start().await;
    let two = Two::on(&server).await;
    let mut permits = two.admit_all("ann", [3, 2]).await;
    server.kill();
    for bus in &two.buses {
        is_away(bus).await;
    }
    permits.extend(two.admit_all("ann", [2, 3]).await);
    assert_eq!(two.admit(0, "ann").await.unwrap_err(), Full::Client(CLIENT_MAX));
    drop(permits.split_off(6));
    server.restart().await;
    eventually("all leases are written again", PATIENCE, async || leases(&server).await == 6).await;
    assert!(two.admit(0, "ann").await.is_err());
    drop(permits);
    eventually("all are given back", PATIENCE, async || leases(&server).await == 0).await;
    two.close().await;
}

async fn rates_are_shared(server: &RedisServer) {
    let identity = Uuid::now_v7();
    let buses = [node(&server.url(), identity).await, node(&server.url(), identity).await];
    let rates = buses.each_ref().map(|bus| RequestRate::<String>::new(5, Some(bus.limits().waiting(ANSWERED_WITHIN))));
    let start = Instant::now();
    let (mut taken, mut wait) = (0, Duration::ZERO);
    for at in 0..40 {
        match rates[at % 2].take(&"ann".to_owned()).await {
            Ok(()) => taken += 1,
            Err(ComeBackAfter(after)) => wait = wait.max(after),
        }
    }
    let gathered = start.elapsed().as_secs() * 5 + 5;
    assert!(taken >= 20 && taken <= 20 + gathered, "four seconds' worth at once, for both together: {taken}");
    assert!(wait <= Duration::from_millis(200), "{wait:?}");
    assert!(rates[0].take(&"bob".to_owned()).await.is_ok());
    for bus in &buses {
        bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_one_client_add_up_over_nodes() {
    rates_are_shared(&RedisServer::start().await).await;
    rates_are_shared(&RedisServer::cluster().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_node_counts_requests_alone() {
    let mut server = RedisServer::start().await;
    let identity = Uuid::now_v7();
    let bus = node(&server.url(), identity).await;
    let rate = RequestRate::<String>::new(5, Some(bus.limits().waiting(ANSWERED_WITHIN)));
    server.kill();
    is_away(&bus).await;
    for _ in 0..20 {
        rate.take(&"ann".to_owned()).await.unwrap();
    }
    assert!(rate.take(&"ann".to_owned()).await.is_err());
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still_keeps_nobody_out() {
    let server = RedisServer::start().await;
    let identity = Uuid::now_v7();
    let buses = [node(&server.url(), identity).await, node(&server.url(), identity).await];
    let limits = ConnectionLimits { client_max: 1, ..ConnectionLimits::default() };
    let connections = Connections::shared(limits, Some(buses[0].limits()));
    let rate = RequestRate::<String>::new(5, Some(buses[0].limits()));
    let [a, b] = buses.each_ref().map(authenticator_in_a_hurry);
    server.signal(Signal::STOP);
    let permit = connections.admit("192.0.2.1".parse().unwrap(), Some("ann")).await.unwrap();
    rate.take(&"ann".to_owned()).await.unwrap();
    let word = give(&a, "ann").await;
    server.signal(Signal::CONT);
    for bus in &buses {
        is_up(bus).await;
    }
    assert_eq!(take(&b, &word).await, None);
    assert_eq!((take(&a, &word).await.as_deref(), take(&a, &word).await), (Some("ann"), None));
    eventually("the connection is counted after all", PATIENCE, async || leases(&server).await == 1).await;
    drop(permit);
    for bus in &buses {
        bus.close().await;
    }
}

const SECRET: &str = "a-secret-of-more-than-thirty-two-bytes";

fn authenticator(bus: &RedisBus) -> Authenticator {
    authenticator_with(bus.limits().waiting(ANSWERED_WITHIN))
}

fn authenticator_in_a_hurry(bus: &RedisBus) -> Authenticator {
    authenticator_with(bus.limits())
}

fn authenticator_with(limits: SharedLimits) -> Authenticator {
    let env = [("SYNAPTI_AUTH_MODE", "required"), ("SYNAPTI_AUTH_SECRET", SECRET)];
    let config = Config::load(None, env, &[]).unwrap();
    let authenticator = Authenticator::new(&config.auth, Clock::system());
    authenticator.share_tickets(limits);
    authenticator
}

async fn give(authenticator: &Authenticator, client: &str) -> String {
    let access = Access::granted(Grant { client: client.to_owned(), ..Grant::default() });
    authenticator.give_ticket(Ticket { access, graph: None }).await.unwrap()
}

async fn take(authenticator: &Authenticator, word: &str) -> Option<String> {
    let access = authenticator.access(Some(Credential::Ticket(word)), None).await.ok()?;
    access.client().map(str::to_owned)
}

async fn tickets_cross_nodes(server: &RedisServer) {
    let identity = Uuid::now_v7();
    let buses = [node(&server.url(), identity).await, node(&server.url(), identity).await];
    let [a, b] = buses.each_ref().map(authenticator);
    let word = give(&a, "ann").await;
    let keys: Vec<String> = server.command(&["KEYS", "*"]).await;
    assert!(keys.len() == 1 && !keys[0].contains(&word), "the word itself is nowhere");
    assert_eq!(take(&b, &word).await.as_deref(), Some("ann"));
    assert_eq!((take(&a, &word).await, take(&b, &word).await), (None, None));
    let word = give(&b, "bob").await;
    let takers = (0..20).map(|at| take(if at % 2 == 0 { &a } else { &b }, &word));
    assert_eq!(join_all(takers).await.into_iter().flatten().collect::<Vec<_>>(), ["bob"]);
    let stranger = node(&server.url(), Uuid::now_v7()).await;
    let word = give(&a, "ann").await;
    assert_eq!(take(&authenticator(&stranger), &word).await, None, "of another store");
    for bus in buses.iter().chain([&stranger]) {
        bus.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_good_once_on_whichever_node() {
    tickets_cross_nodes(&RedisServer::start().await).await;
    tickets_cross_nodes(&RedisServer::cluster().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_ticket_is_good_once_on_the_node_that_gave_it() {
    let mut server = RedisServer::start().await;
    let identity = Uuid::now_v7();
    let buses = [node(&server.url(), identity).await, node(&server.url(), identity).await];
    let [a, b] = buses.each_ref().map(authenticator);
    server.kill();
    for bus in &buses {
        is_away(bus).await;
    }
    let (word, later) = (give(&a, "ann").await, give(&a, "ann").await);
    assert_eq!(take(&b, &word).await, None);
    assert_eq!((take(&a, &word).await.as_deref(), take(&a, &word).await), (Some("ann"), None));
    server.restart().await;
    for bus in &buses {
        is_up(bus).await;
    }
    assert_eq!((take(&b, &later).await, take(&a, &later).await.as_deref()), (None, Some("ann")));
    for bus in &buses {
        bus.close().await;
    }
}
