//! What one client may not do to the node, and that it loses nothing by being held back.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use synapti_protocol::{
    close::CloseCode,
    message::{self, Message, SyncMessage},
};

use crate::support::{Client, Running, awareness, states_of};

fn presence(client: u64, clock: u32) -> Vec<u8> {
    message::encode_awareness(&awareness(client, clock, &format!(r#"{{"at":{clock}}}"#)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_too_fast_is_read_more_slowly_and_loses_nothing() {
    let server = Running::start(&[("SYNAPTI_LIMITS_MESSAGES_PER_SECOND", "100")]).await;
    let (mut fast, mut other) = (Client::new(1), Client::new(2));
    let (mut fast_ws, mut other_ws) = (server.connect("map").await, server.connect("map").await);
    fast_ws.sync(&mut fast).await;
    other_ws.sync(&mut other).await;
    let started = Instant::now();
    for n in 0..600 {
        fast_ws.update(&fast.add(format!("n{n}"))).await;
    }
    other_ws.update(&other.add("beside")).await;
    other_ws.until(&mut other, "n599").await;
    // Four seconds' share at once, the rest at the rate.
    assert!(started.elapsed() > Duration::from_millis(1_500), "{:?}", started.elapsed());
    assert!((0..600).all(|n| other.replica.map().nodes.contains_key(format!("n{n}").as_str())));
    fast_ws.until(&mut fast, "beside").await;
    assert_eq!(fast.replica.digest(), other.replica.digest());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_somebody_says_of_itself_too_fast_the_newest_counts() {
    let server = Running::start(&[]).await;
    let (mut loud, mut other) = (Client::new(1), Client::new(2));
    let (mut loud_ws, mut other_ws) = (server.connect("map").await, server.connect("map").await);
    loud_ws.sync(&mut loud).await;
    other_ws.sync(&mut other).await;
    for clock in 1..=700 {
        loud_ws.send(presence(1, clock)).await;
    }
    let mut seen = 0;
    while seen < 700 {
        let frame = other_ws.next().await.unwrap();
        if let Ok(Message::Awareness(_)) = message::parse(&frame) {
            seen = states_of(&frame).iter().find(|(client, ..)| *client == 1).map_or(seen, |(_, clock, _)| *clock);
        }
    }
    assert_eq!(seen, 700);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_is_let_in_in_turn() {
    let server = Running::start(&[("SYNAPTI_LIMITS_JOINS_PER_SECOND", "20")]).await;
    let started = Instant::now();
    let clients = (0..50).map(|n| {
        let server = &server;
        async move {
            let (mut ws, mut client) = (server.connect("map").await, Client::new(100 + n));
            ws.sync(&mut client).await;
        }
    });
    join_all(clients).await;
    assert!(started.elapsed() > Duration::from_millis(1_300), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overloaded_node_sends_newcomers_to_polling_and_keeps_who_is_there() {
    let server = Running::start(&[("SYNAPTI_LIMITS_MEMORY_BYTES_MAX", "1")]).await;
    let (mut early_ws, mut early) = (server.connect("map").await, Client::new(1));
    early_ws.sync(&mut early).await;
    // Turned away as soon as the server has noticed that it holds more than one byte.
    let mut notices = Vec::new();
    let code = loop {
        let mut ws = server.connect("map?ext=1").await;
        let mut synced = false;
        ws.send(message::encode_step1(&[0])).await;
        let code = loop {
            match ws.next().await {
                Ok(frame) => match message::parse(&frame) {
                    Ok(Message::Notice(json)) => notices.push(json.to_owned()),
                    Ok(Message::Sync(SyncMessage::Step2(_))) => synced = true,
                    _ => {}
                },
                Err(code) => break Some(code),
            }
            if synced {
                break None;
            }
        };
        if let Some(code) = code {
            break code;
        }
        ws.close().await;
    };
    assert_eq!(code, CloseCode::Overloaded.code());
    assert_eq!(notices, [r#"{"kind":"fallback","retry_after_ms":15000,"transport":"poll"}"#]);
    assert_eq!(server.request("GET", "/ready").await, 200);
    early_ws.update(&early.add("still here")).await;
    let (mut reader, view) = (Client::new(3), server.request("GET", "/v1/graphs/map").await);
    assert_eq!(view, 200);
    early_ws.sync(&mut reader).await;
    assert!(reader.replica.map().nodes.contains_key("still here"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_are_read_one_after_the_other_and_the_connection_goes_on() {
    let server = Running::start(&[]).await;
    let (mut ws, mut client) = (server.connect("map?ext=1").await, Client::new(1));
    ws.sync(&mut client).await;
    for n in 0..3 {
        let node = format!("large{n}");
        ws.update(&client.add_large(&node, 300 << 10)).await;
        ws.update(&client.add(format!("small{n}"))).await;
    }
    let mut acked = 0;
    while acked < 6 {
        if let Ok(Message::Ack(edits)) = message::parse(&ws.next().await.unwrap()) {
            acked = edits;
        }
    }
    let (mut reader_ws, mut reader) = (server.connect("map").await, Client::new(2));
    reader_ws.sync(&mut reader).await;
    assert_eq!(reader.replica.digest(), client.replica.digest());
}
