//! A room that fails takes nobody with it and is opened again from the store.

use synapti_protocol::close::CloseCode;
use synapti_server::room::{RoomError, SessionId};

use crate::support::{Client, FakeStore, Node, NodeOptions, read, refused, soon};

#[tokio::test(start_paused = true)]
async fn after_a_panic_clients_reconnect_and_what_was_saved_is_there() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (room, joined) = node.join("map", 1).await.unwrap();
    let (_other, other) = node.join("other", 2).await.unwrap();
    node.add("map", "saved").await.unwrap();
    node.let_the_next_batch_panic();
    room.update(SessionId(1), Client::new(1).add("lost")).await.unwrap();
    assert_eq!(refused(&joined.slot).await.code, CloseCode::Restarting);

    let (again, _joined) = node.join("map", 3).await.unwrap();
    assert!(!again.is_same(&room));
    assert_eq!(read(&again).await.nodes(), ["saved"]);
    node.add("map", "more").await.unwrap();
    assert_eq!(read(&again).await.nodes(), ["more", "saved"]);
    assert!(other.slot.take().refusal.is_none(), "other rooms notice nothing");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_room_that_panics_is_told() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (_room, _joined) = node.join("map", 1).await.unwrap();
    node.let_the_next_batch_panic();
    let failed = node.add("map", "a").await;
    assert!(matches!(failed, Err(RoomError::Panicked)), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_rooms_background_work_is_a_panic_of_the_room() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (room, joined) = node.join("map", 1).await.unwrap();
    node.add("map", "a").await.unwrap();
    store.let_tombstones_panic();
    let failed = soon("the caller is told", node.hub.delete(room.id())).await;
    assert!(matches!(failed, Err(RoomError::Panicked)), "{failed:?}");
    assert_eq!(joined.slot.take().refusal.unwrap().code, CloseCode::Restarting);
    let (again, _joined) = node.join("map", 2).await.unwrap();
    assert_eq!(read(&again).await.nodes(), ["a"]);
}

/// A room that is loaded while its own last record is still on the way would not know that record, and a snapshot
/// made of it later would have it removed.
#[tokio::test(start_paused = true)]
async fn a_failed_room_is_opened_again_only_when_its_last_record_is_on_disk() {
    let store = FakeStore::new().with_graph("map");
    let node = Node::start(&store, &NodeOptions::default());
    let (room, _joined) = node.join("map", 1).await.unwrap();
    store.set_stalled(true);
    room.update(SessionId(1), Client::new(1).add("on its way")).await.unwrap();
    soon("the commit begins", store.begun(1)).await;
    node.let_the_next_batch_panic();
    assert!(room.delete().await.is_err(), "the room fails when it looks at the clock");

    let early = node.join("map", 2).await.map(|_| ());
    assert!(matches!(early, Err(RoomError::Panicked)), "{early:?}");
    store.set_stalled(false);
    let opened = async {
        loop {
            if let Ok(opened) = node.join("map", 3).await {
                return opened;
            }
            tokio::task::yield_now().await;
        }
    };
    let (again, _joined) = soon("the room is opened again", opened).await;
    assert_eq!(read(&again).await.nodes(), ["on its way"]);
}
