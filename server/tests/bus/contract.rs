//! What every bus keeps.

use std::collections::HashSet;

use bytes::Bytes;
use synapti_server::bus::{BusState, INBOX_MESSAGES_MAX, News};

use crate::{
    PATIENCE, envelope, eventually,
    faulty::{Faults, FaultyBus},
    heard, next, next_envelope,
    nodes::Way,
    reaches, room,
};

macro_rules! on_every_bus {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $name() { super::$name(&super::Way::memory()).await; })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                super::$name(&super::Way::redis().await).await;
            })*
        }
        mod redis_cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                super::$name(&super::Way::cluster().await).await;
            })*
        }
    };
}

on_every_bus!(
    all_others_hear_in_order_and_the_sender_does_not,
    what_is_sent_to_one_node_reaches_that_node,
    rooms_do_not_hear_each_other,
    a_room_that_comes_back_at_once_hears_what_comes_then,
    two_links_of_one_room_both_hear,
    what_does_not_fit_is_told_as_missed,
    a_large_envelope_arrives_unchanged,
    a_node_that_closes_is_gone_for_all_rooms,
    losses_repetitions_and_another_order_change_nothing_that_arrives,
);

async fn all_others_hear_in_order_and_the_sender_does_not(way: &Way) {
    let room = room("a-map");
    let (a, b, c) = (way.node().await, way.node().await, way.node().await);
    let (mut in_a, mut in_b, mut in_c) = (a.join(&room).await, b.join(&room).await, c.join(&room).await);
    for seq in 0..500 {
        a.publish(&room, envelope(a.node(), &room, seq));
    }
    for link in [&mut in_b, &mut in_c] {
        assert_eq!(next(link).await, News::Joined);
        for seq in 0..500 {
            assert_eq!(next(link).await, News::Envelope(envelope(a.node(), &room, seq)));
        }
    }
    reaches(&*b, &mut in_a, &room).await;
    assert!(in_a.mail.take().is_none(), "a node does not hear itself");
}

async fn what_is_sent_to_one_node_reaches_that_node(way: &Way) {
    let (room, other) = (room("a-map"), room("another-map"));
    let (a, b, c) = (way.node().await, way.node().await, way.node().await);
    let (mut in_b, mut other_in_b, mut in_c) = (b.join(&room).await, b.join(&other).await, c.join(&room).await);
    let sent = envelope(a.node(), &room, 7);
    a.send(b.node(), &room, sent.clone());
    assert_eq!(next_envelope(&mut in_b).await, sent);
    a.publish(&other, envelope(a.node(), &other, 8));
    assert_eq!(next_envelope(&mut other_in_b).await, envelope(a.node(), &other, 8));
    reaches(&*a, &mut in_c, &room).await;
}

async fn rooms_do_not_hear_each_other(way: &Way) {
    let rooms = ["a-map", "another-map", "third"].map(room);
    let (a, b) = (way.node().await, way.node().await);
    let mut links = Vec::new();
    for room in &rooms {
        links.push(b.join(room).await);
    }
    for seq in 0..50 {
        for room in &rooms {
            a.publish(room, envelope(a.node(), room, seq));
        }
    }
    for (room, link) in rooms.iter().zip(&mut links) {
        for seq in 0..50 {
            assert_eq!(next_envelope(link).await, envelope(a.node(), room, seq));
        }
    }
}

async fn a_room_that_comes_back_at_once_hears_what_comes_then(way: &Way) {
    let room = room("a-map");
    let (a, b) = (way.node().await, way.node().await);
    for _ in 0..20 {
        let mut link = b.join(&room).await;
        reaches(&*a, &mut link, &room).await;
    }
}

async fn two_links_of_one_room_both_hear(way: &Way) {
    let room = room("a-map");
    let (a, b) = (way.node().await, way.node().await);
    let (mut first, mut second) = (b.join(&room).await, b.join(&room).await);
    let sent = envelope(a.node(), &room, 1);
    a.publish(&room, sent.clone());
    assert_eq!(next_envelope(&mut first).await, sent);
    assert_eq!(next_envelope(&mut second).await, sent);
    drop(first);
    reaches(&*a, &mut second, &room).await;
}

async fn what_does_not_fit_is_told_as_missed(way: &Way) {
    let room = room("a-map");
    let (a, b) = (way.node().await, way.node().await);
    // Both hear the same; what the one that reads has heard has come to the other.
    let (mut link, mut reading) = (b.join(&room).await, b.join(&room).await);
    for seq in 0..INBOX_MESSAGES_MAX as u64 + 50 {
        let sent = envelope(a.node(), &room, seq);
        a.publish(&room, sent.clone());
        assert_eq!(next_envelope(&mut reading).await, sent);
    }
    let news: Vec<News> = std::iter::from_fn(|| link.mail.take()).collect();
    assert_eq!(news.iter().filter(|news| matches!(news, News::Envelope(_))).count(), INBOX_MESSAGES_MAX);
    assert_eq!(news.last(), Some(&News::Missed));
    reaches(&*a, &mut link, &room).await;
}

async fn a_large_envelope_arrives_unchanged(way: &Way) {
    let room = room("a-map");
    let (a, b) = (way.node().await, way.node().await);
    let mut link = b.join(&room).await;
    let large: Bytes = (0..3 << 20).map(|at: u32| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    a.publish(&room, large.clone());
    assert!(next_envelope(&mut link).await == large);
}

async fn a_node_that_closes_is_gone_for_all_rooms(way: &Way) {
    let rooms = ["a-map", "another-map"].map(room);
    let (a, b) = (way.node().await, way.node().await);
    let (mut first, mut second) = (b.join(&rooms[0]).await, b.join(&rooms[1]).await);
    eventually("b knows of a", PATIENCE, async || b.health().nodes == 1).await;
    assert_eq!(b.health().state, BusState::Up);
    let last = envelope(a.node(), &rooms[0], 9);
    a.publish(&rooms[0], last.clone());
    a.close().await;
    let news = [next(&mut first).await, next(&mut first).await, next(&mut first).await];
    assert!(news.contains(&News::Envelope(last)) && news.contains(&News::Gone(a.node())), "{news:?}");
    heard(&mut second, &News::Gone(a.node())).await;
    eventually("b is alone", PATIENCE, async || b.health().nodes == 0).await;
}

async fn losses_repetitions_and_another_order_change_nothing_that_arrives(way: &Way) {
    let room = room("a-map");
    let seed = rand::random();
    eprintln!("seed {seed}");
    let a = FaultyBus::new(way.node().await, Faults { lost: 0.2, repeated: 0.2, late: 0.3 }, seed);
    let b = way.node().await;
    let mut link = b.join(&room).await;
    let sent: HashSet<Bytes> = (0..300).map(|seq| envelope(a.node(), &room, seq)).collect();
    (0..300).for_each(|seq| a.publish(&room, envelope(a.node(), &room, seq)));
    a.heal();
    let last = envelope(a.node(), &room, 1_000);
    a.publish(&room, last.clone());
    let mut arrived = Vec::new();
    loop {
        let envelope = next_envelope(&mut link).await;
        if envelope == last {
            break;
        }
        arrived.push(envelope);
    }
    assert!(arrived.iter().all(|envelope| sent.contains(envelope)));
    let different: HashSet<&Bytes> = arrived.iter().collect();
    assert!(different.len() < sent.len() && different.len() > 150 && arrived.len() > different.len());
}

use synapti_server::bus::Bus as _;
