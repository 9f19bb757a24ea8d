//! What the bus over Redis survives. Each time: others are heard again within five seconds of the fault's end, and closing ends.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rustix::process::Signal;
use synapti_server::{
    bus::{Admission, Bus, BusState, Link, News, redis::RedisBus},
    telemetry::metrics,
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    PATIENCE, envelope, eventually, heard, next, next_envelope,
    nodes::{is_away, is_up, node, starting},
    proxy::Proxy,
    reaches, room,
    server::{RedisServer, command},
};

/// How soon others are heard again.
const HEARD_AGAIN_WITHIN: Duration = Duration::from_secs(5);

/// How long closing may take whatever Redis does.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

const ROOM: &str = "a-map";

/// Two nodes with one room.
struct Pair {
    a: RedisBus,
    b: RedisBus,
    in_a: Link,
    in_b: Link,
}

impl Pair {
    async fn on(url: &str) -> Self {
        Self::of(url, url, Uuid::now_v7()).await
    }

    async fn of(url_a: &str, url_b: &str, identity: Uuid) -> Self {
        let (a, b) = (node(url_a, identity).await, node(url_b, identity).await);
        let (mut in_a, mut in_b) = (a.join(&room(ROOM)).await, b.join(&room(ROOM)).await);
        assert_eq!([next(&mut in_a).await, next(&mut in_b).await], [News::Joined, News::Joined]);
        let mut pair = Self { a, b, in_a, in_b };
        pair.hear_each_other().await;
        pair
    }

    async fn hear_each_other(&mut self) {
        reaches(&self.a, &mut self.in_b, &room(ROOM)).await;
        reaches(&self.b, &mut self.in_a, &room(ROOM)).await;
    }

    async fn are_away(&mut self) {
        heard(&mut self.in_a, &News::Away).await;
        heard(&mut self.in_b, &News::Away).await;
        is_away(&self.a).await;
        is_away(&self.b).await;
    }

    /// The fault is over.
    async fn recover_and_close(mut self) {
        let again = async {
            heard(&mut self.in_a, &News::Joined).await;
            heard(&mut self.in_b, &News::Joined).await;
        };
        timeout(HEARD_AGAIN_WITHIN, again).await.expect("others are not heard again in time");
        self.hear_each_other().await;
        self.close().await;
    }

    async fn close(self) {
        closes(&self.a).await;
        closes(&self.b).await;
    }
}

async fn closes(bus: &RedisBus) {
    timeout(CLOSED_WITHIN, bus.close()).await.expect("closing does not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_and_comes_back_empty() {
    let mut server = RedisServer::start().await;
    let mut pair = Pair::on(&server.url()).await;
    server.kill();
    pair.are_away().await;
    let says_why = async || pair.a.health().last_error.is_some_and(|error| error.contains("refused"));
    eventually("health says why", PATIENCE, says_why).await;
    pair.a.publish(&room(ROOM), envelope(pair.a.node(), &room(ROOM), 1));
    let link = timeout(PATIENCE, pair.a.join(&room("opened-while-away"))).await.unwrap();
    server.restart().await;
    pair.recover_and_close().await;
    drop(link);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still() {
    let server = RedisServer::start().await;
    let mut pair = Pair::on(&server.url()).await;
    server.signal(Signal::STOP);
    pair.are_away().await;
    server.signal(Signal::CONT);
    pair.recover_and_close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_while_redis_stands_still() {
    let server = RedisServer::start().await;
    let pair = Pair::on(&server.url()).await;
    server.signal(Signal::STOP);
    pair.a.publish(&room(ROOM), envelope(pair.a.node(), &room(ROOM), 1));
    closes(&pair.a).await;
    is_away(&pair.b).await;
    closes(&pair.b).await;
    server.signal(Signal::CONT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_killed_one_kind_at_a_time() {
    let server = RedisServer::start().await;
    for kind in ["pubsub", "normal"] {
        let mut pair = Pair::on(&server.url()).await;
        let killed: i64 = server.command(&["CLIENT", "KILL", "TYPE", kind]).await;
        assert!(killed >= 2, "{killed} of {kind}");
        heard(&mut pair.in_a, &News::Away).await;
        heard(&mut pair.in_b, &News::Away).await;
        pair.recover_and_close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_is_only_half_there() {
    let server = RedisServer::start().await;
    let proxy = Proxy::to(server.port).await;
    let mut pair = Pair::on(&proxy.url()).await;
    proxy.freeze();
    heard(&mut pair.in_a, &News::Away).await;
    heard(&mut pair.in_b, &News::Away).await;
    pair.recover_and_close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_redis_cuts_off_because_it_reads_too_slowly() {
    let server = RedisServer::with(&["--client-output-buffer-limit", "pubsub 1mb 0 0"]).await;
    let proxy = Proxy::to(server.port).await;
    let identity = Uuid::now_v7();
    let mut pair = Pair::of(&server.url(), &proxy.url(), identity).await;
    proxy.freeze();
    let large = Bytes::from(vec![7; 512 << 10]);
    eventually("redis has cut the slow subscriber off", PATIENCE, async || {
        pair.a.publish(&room(ROOM), large.clone());
        let clients: String = server.command(&["CLIENT", "LIST", "TYPE", "pubsub"]).await;
        clients.lines().count() < 2
    })
    .await;
    proxy.thaw();
    heard(&mut pair.in_b, &News::Away).await;
    timeout(HEARD_AGAIN_WITHIN, heard(&mut pair.in_b, &News::Joined)).await.unwrap();
    let sent = envelope(pair.a.node(), &room(ROOM), 77);
    pair.a.publish(&room(ROOM), sent.clone());
    while next_envelope(&mut pair.in_b).await != sent {}
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_becomes_right() {
    let server = RedisServer::with(&["--requirepass", "first-secret"]).await;
    let url = format!("redis://:second-secret@127.0.0.1:{}", server.port);
    let bus = starting(&url, Uuid::now_v7()).await;
    let refused = bus.first_attempt().await.unwrap_err();
    assert!(refused.contains("invalid") && !refused.contains("second-secret"), "{refused}");
    assert!(!format!("{bus:?} {:?}", bus.health()).contains("second-secret"));
    let mut link = bus.join(&room(ROOM)).await;
    let admin = format!("redis://:first-secret@127.0.0.1:{}", server.port);
    let _: () = command(&admin, &["CONFIG", "SET", "requirepass", "second-secret"]).await;
    timeout(HEARD_AGAIN_WITHIN, heard(&mut link, &News::Joined)).await.unwrap();
    closes(&bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_an_access_list_who_may_only_what_is_documented() {
    let documentation = include_str!("../../../docs/configuration.md");
    let documented = documentation.split('`').find(|code| code.starts_with("~synapti:* ")).unwrap();
    let rules: Vec<&str> = "--user ann on >p%40ss -@all".split(' ').chain(documented.split(' ')).collect();
    let server = RedisServer::with(&rules).await;
    let url = format!("redis://ann:p%2540ss@127.0.0.1:{}/1", server.port);
    let pair = Pair::on(&url).await;
    let limits = pair.a.limits().waiting(PATIENCE);
    assert_eq!(limits.take("ann", 1, 1).await, Some(Ok(())));
    assert!(limits.put_ticket("word", b"contents", 30).await);
    assert_eq!(limits.take_ticket("word").await.as_deref(), Some(&b"contents"[..]));
    let (Admission::Granted(lease), Admission::Full) = (limits.admit("ann", 1).await, limits.admit("ann", 1).await)
    else {
        panic!("one and no more");
    };
    drop(lease);
    let is_admitted = async || matches!(limits.admit("ann", 1).await, Admission::Granted(_));
    eventually("the lease is given back", PATIENCE, is_admitted).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_not_there_at_first() {
    let mut server = RedisServer::start().await;
    server.kill();
    let identity = Uuid::now_v7();
    let bus = starting(&server.url(), identity).await;
    assert!(bus.first_attempt().await.unwrap_err().contains("refused"));
    assert_eq!(bus.health().state, BusState::Away);
    let mut link = bus.join(&room(ROOM)).await;
    server.restart().await;
    timeout(HEARD_AGAIN_WITHIN, heard(&mut link, &News::Joined)).await.unwrap();
    let other = node(&server.url(), identity).await;
    reaches(&other, &mut link, &room(ROOM)).await;
    closes(&bus).await;
    closes(&other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_is_gone_and_one_that_was_cut_off_with_us_is_not() {
    let mut server = RedisServer::start().await;
    let proxy = Proxy::to(server.port).await;
    let mut pair = Pair::of(&proxy.url(), &server.url(), Uuid::now_v7()).await;
    eventually("b knows of a", PATIENCE, async || pair.b.health().nodes == 1).await;
    server.kill();
    pair.are_away().await;
    server.restart().await;
    heard(&mut pair.in_b, &News::Joined).await;
    is_up(&pair.a).await;
    eventually("b knows of a again", PATIENCE, async || pair.b.health().nodes == 1).await;
    let gone = pair.a.node();
    drop(proxy);
    heard(&mut pair.in_b, &News::Gone(gone)).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_leaves_its_channel_a_second_after_its_last_link() {
    let server = RedisServer::start().await;
    let identity = Uuid::now_v7();
    let bus = node(&server.url(), identity).await;
    let channel = format!("synapti:{}:room:{ROOM}", identity.simple());
    let listeners = async || {
        let (_, count): (String, usize) = server.command(&["PUBSUB", "NUMSUB", &channel]).await;
        count
    };
    let (first, second) = (bus.join(&room(ROOM)).await, bus.join(&room(ROOM)).await);
    assert_eq!(listeners().await, 1);
    drop(first);
    drop(second);
    let third = bus.join(&room(ROOM)).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(listeners().await, 1, "it came back within the second");
    drop(third);
    eventually("the channel is left", PATIENCE, async || listeners().await == 0).await;
    let _again = bus.join(&room(ROOM)).await;
    assert_eq!(listeners().await, 1);
    closes(&bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_rooms_listen_again() {
    const ROOMS: usize = 3_000;
    let mut server = RedisServer::start().await;
    let identity = Uuid::now_v7();
    let (a, b) = (node(&server.url(), identity).await, node(&server.url(), identity).await);
    let mut links = Vec::new();
    for at in 0..ROOMS {
        let room = room(&format!("map-{at}"));
        let mut link = b.join(&room).await;
        assert_eq!(next(&mut link).await, News::Joined);
        links.push((link, room));
    }
    server.kill();
    is_away(&a).await;
    is_away(&b).await;
    server.restart().await;
    is_up(&a).await;
    let all = async {
        for (link, _) in &mut links {
            heard(link, &News::Away).await;
            heard(link, &News::Joined).await;
        }
    };
    timeout(HEARD_AGAIN_WITHIN, all).await.expect("not all rooms listen again in time");
    for (link, room) in links.iter_mut().step_by(100) {
        reaches(&a, link, room).await;
    }
    closes(&a).await;
    closes(&b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_on_our_channels_does_no_harm() {
    let server = RedisServer::start().await;
    let identity = Uuid::now_v7();
    let (a, b) = (node(&server.url(), identity).await, node(&server.url(), identity).await);
    let mut link = b.join(&room(ROOM)).await;
    let prefix = format!("synapti:{}", identity.simple());
    let ignored = || metrics::get().render().matches("synapti_bus_ignored_total{why=\"foreign\"} 0").count();
    for channel in ["all", &format!("node:{}", b.node()), "nonsense"] {
        for junk in ["", "hello", "\u{e7}", "{}"] {
            let _: i64 = server.command(&["PUBLISH", &format!("{prefix}:{channel}"), junk]).await;
        }
    }
    let _: i64 = server.command(&["PUBLISH", &format!("{prefix}:room:{ROOM}"), "hello"]).await;
    assert_eq!(next_envelope(&mut link).await, "hello", "the room judges what is on its own channel");
    reaches(&a, &mut link, &room(ROOM)).await;
    assert_eq!(ignored(), 0, "it is counted");
    closes(&a).await;
    closes(&b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_different_stores_do_not_hear_each_other() {
    let server = RedisServer::start().await;
    let (ours, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    let (a, b) = (node(&server.url(), ours).await, node(&server.url(), ours).await);
    let stranger = node(&server.url(), theirs).await;
    let mut link = b.join(&room(ROOM)).await;
    stranger.publish(&room(ROOM), envelope(stranger.node(), &room(ROOM), 1));
    let mut in_stranger = stranger.join(&room(ROOM)).await;
    let other = Arc::new(node(&server.url(), theirs).await);
    reaches(&*other, &mut in_stranger, &room(ROOM)).await;
    reaches(&a, &mut link, &room(ROOM)).await;
    for bus in [&a, &b, &stranger, &*other] {
        closes(bus).await;
    }
}
