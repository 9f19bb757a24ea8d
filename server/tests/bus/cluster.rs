//! A Redis Cluster: rooms spread over shards that die, come back and change hands.

use std::time::Duration;

use synapti_protocol::graph_id::GraphId;
use synapti_server::bus::{Bus as _, Link};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    PATIENCE, envelope, eventually,
    nodes::{is_away, is_up, node},
    reaches, room,
    server::RedisServer,
};

const ROOMS: usize = 60;

/// How soon others are heard again once the cluster is whole.
const HEARD_AGAIN_WITHIN: Duration = Duration::from_secs(5);

async fn joined(bus: &dyn synapti_server::bus::Bus) -> Vec<(Link, GraphId)> {
    let mut links = Vec::new();
    for at in 0..ROOMS {
        let room = room(&format!("map-{at}"));
        links.push((bus.join(&room).await, room));
    }
    links
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_spread_over_shards_and_come_back_with_them() {
    let mut shards = RedisServer::three_shards().await;
    let identity = Uuid::now_v7();
    let (a, b) = (node(&shards[0].url(), identity).await, node(&shards[1].url(), identity).await);
    let mut links = joined(&b).await;
    for shard in &shards {
        let channels: Vec<String> = shard.command(&["PUBSUB", "SHARDCHANNELS"]).await;
        assert!(channels.len() > 5, "{channels:?}");
    }
    for (link, room) in &mut links {
        reaches(&a, link, room).await;
    }
    shards[2].kill();
    is_away(&a).await;
    is_away(&b).await;
    a.publish(&links[0].1, envelope(a.node(), &links[0].1, 1));
    shards[2].restart().await;
    for shard in &shards {
        shard.is_whole_with(3).await;
    }
    let again = async {
        is_up(&a).await;
        is_up(&b).await;
    };
    timeout(HEARD_AGAIN_WITHIN, again).await.expect("the bus is not up again in time");
    for (link, room) in &mut links {
        hears_again(&a, link, room).await;
    }
    a.close().await;
    b.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_whose_slot_moves_to_another_shard_is_heard_again() {
    let shards = RedisServer::three_shards().await;
    let identity = Uuid::now_v7();
    let (a, b) = (node(&shards[0].url(), identity).await, node(&shards[0].url(), identity).await);
    let room = room("a-map");
    let mut link = b.join(&room).await;
    reaches(&a, &mut link, &room).await;
    let channel = format!("synapti:{}:room:{room}", identity.simple());
    let slot: u16 = shards[0].command(&["CLUSTER", "KEYSLOT", &channel]).await;
    let target = usize::from(slot <= 5_000);
    let id: String = shards[target].command(&["CLUSTER", "MYID"]).await;
    for shard in [target, 0, 1, 2] {
        let _: () = shards[shard].command(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id]).await;
    }
    hears_again(&a, &mut link, &room).await;
    a.close().await;
    b.close().await;
}

/// What is published again and again is heard in the end.
async fn hears_again(from: &dyn synapti_server::bus::Bus, link: &mut Link, room: &GraphId) {
    let sent = envelope(from.node(), room, rand::random::<u32>().into());
    eventually("the room is heard again", PATIENCE, async || {
        from.publish(room, sent.clone());
        let wanted = async { while crate::next_envelope(link).await != sent {} };
        timeout(Duration::from_millis(200), wanted).await.is_ok()
    })
    .await;
}
