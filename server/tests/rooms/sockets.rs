//! The y-websocket protocol over real sockets.

use std::time::Duration;

use synapti_protocol::message::{EMPTY_AWARENESS, encode_awareness, encode_update};
use tokio::time::Instant;

use crate::support::{Client, Running, awareness, soon, states_of};

/// `SyncStep1` with the state vector of an empty document.
const STEP1_EMPTY: &[u8] = &[0, 0, 1, 0];

/// `SyncStep2` with an empty update.
const STEP2_EMPTY: &[u8] = &[0, 1, 2, 0, 0];

#[tokio::test]
async fn the_handshake_is_that_of_y_websocket() {
    let server = Running::start(&[]).await;
    let mut ann = server.connect("map").await;
    assert_eq!(ann.next().await.unwrap(), STEP1_EMPTY, "the server asks for what the client has");
    ann.send(STEP1_EMPTY).await;
    assert_eq!(ann.next().await.unwrap(), STEP2_EMPTY);
    ann.send(STEP2_EMPTY).await;
    ann.send(encode_awareness(&awareness(7, 1, "{\"name\":\"ann\"}"))).await;
    let ann_is_here = [(7, 1, "{\"name\":\"ann\"}".to_owned())];
    assert_eq!(states_of(&ann.next().await.unwrap()), ann_is_here, "a client's own presence is echoed");

    let mut bob = server.connect("map").await;
    assert_eq!(bob.next().await.unwrap(), STEP1_EMPTY);
    assert_eq!(states_of(&bob.next().await.unwrap()), ann_is_here);
    bob.send(vec![3]).await;
    assert_eq!(states_of(&bob.next().await.unwrap()), ann_is_here, "queryAwareness is answered");
    ann.close().await;
    assert_eq!(states_of(&bob.next().await.unwrap()), [(7, 1, "null".to_owned())]);
    server.ended().await.unwrap();
}

#[tokio::test]
async fn edits_reach_everybody_and_survive_a_restart_of_the_room() {
    let server = Running::start(&[("SYNAPTI_ROOM_IDLE_CLOSE_AFTER", "0")]).await;
    let (mut ann, mut bob) = (Client::new(1), Client::new(2));
    let (mut ann_ws, mut bob_ws) = (server.connect("map").await, server.connect("map").await);
    ann_ws.sync(&mut ann).await;
    bob_ws.sync(&mut bob).await;
    ann_ws.update(&ann.add("a")).await;
    bob_ws.until(&mut bob, "a").await;
    bob_ws.update(&bob.add("b")).await;
    ann_ws.until(&mut ann, "b").await;
    assert_eq!(ann.replica.digest(), bob.replica.digest());
    ann_ws.close().await;
    bob_ws.close().await;
    let mut late = Client::new(3);
    server.connect("map").await.sync(&mut late).await;
    assert_eq!(late.nodes(), ["a", "b"]);
    server.ended().await.unwrap();
}

#[tokio::test]
async fn the_answer_to_step1_contains_what_the_client_sent_before() {
    let server = Running::start(&[]).await;
    let mut ws = server.connect("map").await;
    let mut ann = Client::new(1);
    for n in 0..50 {
        ws.update(&ann.add(format!("n{n}"))).await;
    }
    let mut other = Client::new(2);
    ws.send(STEP1_EMPTY).await;
    loop {
        let frame = ws.next().await.unwrap();
        if frame[..2] == [0, 1] {
            other.receive(&frame);
            break;
        }
    }
    assert_eq!(other.nodes().len(), 50);
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_client_that_is_sent_nothing_hears_an_empty_message_in_time() {
    let server = Running::start(&[]).await;
    let mut ws = server.connect("map").await;
    let mut ann = Client::new(1);
    ws.sync(&mut ann).await;
    // From here on nothing happens but time.
    tokio::time::pause();
    let before = Instant::now();
    assert_eq!(ws.next().await.unwrap(), EMPTY_AWARENESS);
    assert!(before.elapsed() <= Duration::from_secs(20), "{:?}", before.elapsed());
    tokio::time::resume();
    server.ended().await.unwrap();
}

#[tokio::test]
async fn malformed_messages_end_their_own_connection() {
    let server = Running::start(&[]).await;
    let (mut ann, mut ann_ws) = (Client::new(1), server.connect("map").await);
    ann_ws.sync(&mut ann).await;
    let bad: [&[u8]; 6] = [&[], &[9], &[0, 0, 1, 9], &[0, 2, 3, 1, 1, 7], &[0, 2, 2, 0, 0, 0], &[1, 1, 9]];
    for frame in bad {
        let mut ws = server.connect("map").await;
        ws.send(frame.to_vec()).await;
        assert_eq!(ws.closed().await, 4400, "{frame:?}");
    }
    let mut ws = server.connect("map").await;
    ws.send_text("hello").await;
    assert_eq!(ws.closed().await, 4400);
    assert_eq!(server.connect("bad%20id").await.closed().await, 4400);
    ann_ws.update(&ann.add("a")).await;
    let mut bob = Client::new(2);
    let mut bob_ws = server.connect("map").await;
    bob_ws.sync(&mut bob).await;
    bob_ws.until(&mut bob, "a").await;
    server.ended().await.unwrap();
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_4413() {
    let limits = [("SYNAPTI_LIMITS_MESSAGE_BYTES_MAX", "20000"), ("SYNAPTI_LIMITS_SYNC_BYTES_MAX", "40000")];
    let server = Running::start(&limits).await;
    for bytes in [20_001, 60_000] {
        let mut ws = server.connect("map").await;
        ws.send(encode_update(&Client::new(1).add_large("a", bytes))).await;
        assert_eq!(ws.closed().await, 4413, "{bytes}");
    }
    let mut ws = server.connect("map").await;
    let mut ann = Client::new(2);
    ws.update(&ann.add_large("fits", 19_000)).await;
    ws.until(&mut Client::new(3), "fits").await;
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_deleted_graph_closes_with_4410_for_good() {
    let server = Running::start(&[]).await;
    let (mut ann, mut ws) = (Client::new(1), server.connect("map").await);
    ws.update(&ann.add("a")).await;
    ws.until(&mut Client::new(2), "a").await;
    assert_eq!(server.request("DELETE", "/v1/graphs/map").await, 204);
    assert_eq!(ws.closed().await, 4410);
    assert_eq!(server.connect("map").await.closed().await, 4410);
    assert_eq!(server.request("GET", "/v1/graphs/map").await, 410);
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_full_node_or_room_says_so() {
    let node_is_full = [("SYNAPTI_LIMITS_MAX_CONNECTIONS", "1")];
    let room_is_full = [("SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_ROOM", "1")];
    for (limit, other_map_is_full) in [(node_is_full, true), (room_is_full, false)] {
        let server = Running::start(&limit).await;
        let mut first = server.connect("map").await;
        first.sync(&mut Client::new(1)).await;
        assert_eq!(server.connect("map").await.closed().await, 1013);
        let mut other = server.connect("other").await;
        if other_map_is_full {
            assert_eq!(other.closed().await, 1013);
        } else {
            other.sync(&mut Client::new(2)).await;
        }
        server.ended().await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_goes_sends_everybody_to_reconnect_and_saves_everything() {
    let server = Running::start(&[("SYNAPTI_SHUTDOWN_GRACE", "2")]).await;
    let mut sockets = Vec::new();
    for n in 0..20 {
        let mut ws = server.connect("map").await;
        ws.sync(&mut Client::new(n + 1)).await;
        sockets.push(ws);
    }
    let mut ann = Client::new(100);
    sockets[0].update(&ann.add("a")).await;
    sockets[0].until(&mut Client::new(101), "a").await;
    let began = Instant::now();
    server.stop();
    for mut ws in sockets {
        assert_eq!(ws.closed().await, 1012);
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    soon("the server ends", server.ended()).await.unwrap();
}
