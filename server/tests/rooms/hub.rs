//! At most one room per graph at a time, and no edit lost between two of them.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use synapti_protocol::update;
use synapti_server::{
    hub::ROOMS_CROWDED_FROM,
    room::{Entrant, RoomError, SessionId},
};
use tokio::{sync::Barrier, time::Instant};
use tokio_util::task::TaskTracker;

use crate::support::{Client, FakeStore, Node, NodeOptions, StoreEvent, read, soon};

const CALLS: u64 = 1_000;
const CALLERS: u64 = 4;

/// Client ids of people: rooms write under smaller ones.
const PEOPLE_FROM: u64 = 1 << 40;

/// A room that closes as soon as nobody is in it.
fn hasty() -> NodeOptions {
    NodeOptions { idle_close_after: Duration::ZERO, ..NodeOptions::default() }
}

/// Checks that no opening wrote anything after a later one had: each writes under an id of its own.
fn assert_openings_do_not_overlap(events: &[StoreEvent]) -> usize {
    let (mut before, mut now) = (HashSet::new(), None);
    let mut openings = 0;
    for event in events {
        match event {
            // By a compaction, too.
            StoreEvent::Loaded => openings += 1,
            StoreEvent::Appended(bytes) => {
                let clients = update::scan(bytes).unwrap().sections().map(|section| section.client);
                for room in clients.filter(|client| *client < PEOPLE_FROM) {
                    if now != Some(room) {
                        before.extend(now.replace(room));
                    }
                    assert!(!before.contains(&room), "a room wrote after another one had been opened");
                }
            }
        }
    }
    openings
}

/// After so many of its own calls each caller waits for the others, and all together for the room to close: however
/// busy the machine is, there are openings to look at.
const CALLS_BETWEEN_MEETINGS: usize = 20;

/// One after the other, edits the map through the API or over a session that leaves at once, with pauses that let
/// the room close.
async fn come_and_go(node: Arc<Node>, caller: u64, meeting: Arc<Barrier>) {
    for (count, n) in (0..CALLS).filter(|n| n % CALLERS == caller).enumerate() {
        if count % CALLS_BETWEEN_MEETINGS == 0 {
            if meeting.wait().await.is_leader() {
                node.all_rooms_closed().await;
            }
            meeting.wait().await;
        }
        if n % 2 == 0 {
            node.add("map", &format!("n{n}")).await.unwrap();
        } else {
            let (room, joined) = node.join("map", n + 1).await.unwrap();
            let update = Client::new(PEOPLE_FROM + n).add(format!("n{n}"));
            room.update(SessionId(n + 1), update).await.unwrap();
            drop(joined);
        }
        for _ in 0..n * 7 % 50 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_openings_and_closings_lose_no_edit_and_never_overlap() {
    let store = FakeStore::new().with_graph("map");
    let node = Arc::new(Node::start(&store, &hasty()));
    let callers = TaskTracker::new();
    let meeting = Arc::new(Barrier::new(CALLERS as usize));
    for caller in 0..CALLERS {
        callers.spawn(come_and_go(node.clone(), caller, meeting.clone()));
    }
    callers.close();
    soon("everybody is done", callers.wait()).await;
    node.all_rooms_closed().await;
    assert_eq!(node.hub.stats().rooms, 0);

    let openings = assert_openings_do_not_overlap(&store.events("map"));
    assert!(openings > 10, "the test has to see many openings, not {openings}");
    let (room, _joined) = node.join("map", 5_000).await.unwrap();
    let found: HashSet<String> = read(&room).await.nodes().into_iter().collect();
    let sent: HashSet<String> = (0..CALLS).map(|n| format!("n{n}")).collect();
    assert_eq!(found, sent);
}

#[tokio::test(start_paused = true)]
async fn an_edit_in_the_last_moment_is_saved_before_the_room_closes() {
    let store = FakeStore::new();
    let node = Node::start(&store, &hasty());
    for n in 1..=20 {
        let (room, joined) = node.join("map", n).await.unwrap();
        let update = Client::new(n).add(format!("n{n}"));
        assert!(room.try_update(SessionId(n), update).is_ok());
        drop((room, joined));
        node.all_rooms_closed().await;
        assert_eq!(node.hub.stats().rooms, 0);
    }
    let (room, _joined) = node.join("map", 100).await.unwrap();
    assert_eq!(read(&room).await.nodes().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_room_stays_open_for_a_while_and_everybody_meets_in_the_same_one() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (first, joined) = node.join("map", 1).await.unwrap();
    drop(joined);
    tokio::time::advance(Duration::from_secs(29)).await;
    let (second, joined) = node.join("map", 2).await.unwrap();
    assert!(first.is_same(&second));
    assert_eq!(store.events("map"), [StoreEvent::Loaded]);
    drop(joined);
    node.all_rooms_closed().await;
    assert!(first.join(SessionId(3), Entrant::default()).await.is_err(), "a closed room takes nobody in");
}

#[tokio::test(start_paused = true)]
async fn when_the_node_goes_empty_rooms_close_and_none_is_opened() {
    let store = FakeStore::new().with_graph("other");
    let node = Node::start(&store, &NodeOptions::default());
    let (room, joined) = node.join("map", 1).await.unwrap();
    node.closing.cancel();
    let update = Client::new(1).add("last");
    room.update(SessionId(1), update).await.unwrap();
    drop(joined);
    node.all_rooms_closed().await;
    assert!(matches!(store.events("map").as_slice(), [StoreEvent::Loaded, StoreEvent::Appended(_)]));
    let refused = node.add("other", "x").await;
    assert!(matches!(refused, Err(RoomError::Draining)), "{refused:?}");
}

/// Somebody who joins made-up maps and leaves at once would otherwise keep everybody else out of theirs.
#[tokio::test(start_paused = true)]
async fn on_a_crowded_node_empty_rooms_give_their_places_up_soon() {
    let store = FakeStore::new();
    let hour = Duration::from_hours(1);
    let node = Node::start(&store, &NodeOptions { idle_close_after: hour, ..NodeOptions::default() });
    let (_room, joined) = node.join("map", 1).await.unwrap();
    drop(joined);
    node.env.open_rooms.fetch_add(ROOMS_CROWDED_FROM, Ordering::Relaxed);
    let begin = Instant::now();
    node.all_rooms_closed().await;
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}
