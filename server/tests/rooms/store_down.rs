//! While the store does not answer, open rooms hold edits back and others stay closed.

use bytes::Bytes;
use synapti_crdt::map::MapEdit;
use synapti_protocol::{close::CloseCode, graph_id::GraphId};
use synapti_server::{
    room::{RoomError, SessionId},
    session::refusal,
};

use crate::support::{Client, FakeStore, Node, NodeOptions, awareness, read, refused, soon};

#[tokio::test(start_paused = true)]
async fn a_map_that_cannot_be_read_is_never_an_empty_one() {
    let store = FakeStore::new().with_graph("map");
    let node = Node::start(&store, &NodeOptions::default());
    store.set_down(true);
    for id in ["map", "new"] {
        let error = node.join(id, 1).await.unwrap_err();
        assert!(matches!(error, RoomError::Store(_) | RoomError::Unavailable(_)), "{error:?}");
        assert_eq!(refusal(&error).code, CloseCode::AtCapacity);
    }
    let view = node.hub.view(&GraphId::try_from("map").unwrap()).await;
    assert!(matches!(view, Err(RoomError::Unavailable(_))), "{view:?}");
    node.all_rooms_closed().await;
    store.set_down(false);
    assert!(node.join("map", 2).await.is_ok(), "a failed opening leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn an_open_room_shows_nothing_unsaved_and_goes_on_when_the_store_is_back() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (room, joined) = node.join("map", 1).await.unwrap();
    let mut ann = Client::new(1);
    store.set_down(true);
    room.update(SessionId(1), ann.add("a")).await.unwrap();
    store.begun(2).await;
    room.update(SessionId(1), ann.add("b")).await.unwrap();
    store.begun(4).await;
    assert!(!node.journal.health().healthy);
    assert_eq!(room.feed().head(), joined.welcome.cursor, "nothing is published");

    let (_, late) = node.join("map", 2).await.expect("an open room lets people in");
    room.awareness(SessionId(2), Bytes::from(awareness(2, 1, "{}"))).await.unwrap();
    soon("the room rings", late.slot.changed()).await;
    assert_eq!(room.feed().head(), late.welcome.cursor + 1, "presence does not wait for the store");

    store.set_down(false);
    let own = room.sync(Bytes::from_static(&[0]), Some((SessionId(1), 2)));
    let mut reader = Client::new(3);
    reader.hear(&soon("a reader is answered once it is saved", own).await.unwrap());
    assert_eq!(reader.nodes(), ["a", "b"]);
    assert!(node.journal.health().healthy);
}

#[tokio::test(start_paused = true)]
async fn an_edit_through_the_api_says_that_it_could_not_be_saved_in_time() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (room, _joined) = node.join("map", 1).await.unwrap();
    store.set_down(true);
    let unsaved = node.add("map", "a").await;
    assert!(matches!(unsaved, Err(RoomError::NotSaved)), "{unsaved:?}");
    store.set_down(false);
    assert_eq!(soon("it is saved later", read(&room)).await.nodes(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_deletes_nothing() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (room, joined) = node.join("map", 1).await.unwrap();
    store.set_down(true);
    assert!(node.hub.delete(room.id()).await.is_err());
    assert!(joined.slot.take().refusal.is_none());
    store.set_down(false);
    node.add("map", "a").await.unwrap();
    node.hub.delete(room.id()).await.unwrap();
    assert_eq!(refused(&joined.slot).await.code, CloseCode::Deleted);
    let gone = node.hub.view(room.id()).await;
    assert!(matches!(gone, Err(RoomError::Gone)), "{gone:?}");
    let gone = node.join("map", 2).await;
    assert!(matches!(gone, Err(RoomError::Gone)), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn readers_of_a_map_that_cannot_be_saved_are_told_why_they_wait_in_vain() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (room, _joined) = node.join("map", 1).await.unwrap();
    store.set_down(true);
    room.update(SessionId(1), Client::new(2).add("a")).await.unwrap();
    soon("the commit is tried", store.begun(1)).await;
    let view = node.hub.view(room.id()).await.map(|_| ());
    assert!(matches!(view, Err(RoomError::Stalled)), "{view:?}");
}

#[tokio::test(start_paused = true)]
async fn making_a_graph_goes_on_where_it_failed_half_way() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let init = || MapEdit::Init { topic: "Half".to_owned(), root: None, created_at: "2026-01-01T00:00:00Z".to_owned() };
    let id = "half".parse().unwrap();
    // The graph is there, and its first edit was lost.
    let (_room, joined) = node.join("half", 1).await.unwrap();
    drop(joined);
    assert_eq!(node.hub.create(&id, init()).await.unwrap().graph.topic, "Half");
    let twice = node.hub.create(&id, init()).await.map(|_| ());
    assert!(matches!(twice, Err(RoomError::Exists)), "{twice:?}");
}
