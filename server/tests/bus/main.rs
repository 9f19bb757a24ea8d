//! The bus between nodes: what every implementation keeps, and what the one over Redis survives.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cache;
mod cluster;
mod contract;
mod faults;
mod faulty;
mod limits;
mod nodes;
mod proxy;
mod server;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use synapti_protocol::{
    envelope::{Envelope, Message, NodeId, RoomMessage, Update},
    graph_id::GraphId,
};
use synapti_server::bus::{Bus, Link, News};
use tokio::time::timeout;

/// Nothing here takes this long unless it never ends.
const PATIENCE: Duration = Duration::from_secs(20);

fn room(name: &str) -> GraphId {
    name.parse().unwrap()
}

/// An envelope that says so much and no more.
fn envelope(node: NodeId, room: &GraphId, seq: u64) -> Bytes {
    let update = Update { seq, record: None, at_us: 0, update: &seq.to_be_bytes() };
    let message = Message::Room { room: room.as_str(), epoch: 1, message: RoomMessage::Update(update) };
    Envelope { node, message }.encode().into()
}

async fn next(link: &mut Link) -> News {
    timeout(PATIENCE, link.mail.next()).await.expect("nothing is heard")
}

/// The next envelope, whatever else is heard before it.
async fn next_envelope(link: &mut Link) -> Bytes {
    loop {
        if let News::Envelope(envelope) = next(link).await {
            return envelope;
        }
    }
}

/// Waits until this is heard.
async fn heard(link: &mut Link, wanted: &News) {
    while next(link).await != *wanted {}
}

/// Waits until a node publishes something that another hears.
async fn reaches(from: &dyn Bus, link: &mut Link, room: &GraphId) {
    let sent = envelope(from.node(), room, rand::random::<u32>().into());
    from.publish(room, sent.clone());
    assert_eq!(next_envelope(link).await, sent);
}

/// Waits for a condition.
async fn eventually(what: &str, within: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(within, wait).await.is_ok(), "not within {within:?}: {what}");
}
