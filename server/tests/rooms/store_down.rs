//! While the store does not answer, open rooms go on and say so, and others stay closed.

use std::time::Duration;

use bytes::Bytes;
use synapti_crdt::map::MapEdit;
use synapti_protocol::{close::CloseCode, graph_id::GraphId};
use synapti_server::{
    room::{RoomError, SessionId},
    session::refusal,
};

use tokio::time::timeout;

use crate::support::{Client, FakeStore, Node, NodeOptions, heard, read, refused, soon};

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
async fn an_open_room_goes_on_says_that_it_is_not_saved_and_then_that_it_is() {
    let store = FakeStore::new().with_graph("other");
    let node = Node::start(&store, &NodeOptions::default());
    let (room, joined) = node.join_extended("map", 1).await.unwrap();
    let mut ann = Client::new(1);
    room.update(SessionId(1), ann.add("saved")).await.unwrap();
    heard(&joined.slot, "the first is saved", |news| news.acked == Some(1)).await;
    let head = room.feed().head();

    store.set_down(true);
    room.update(SessionId(1), ann.add("a")).await.unwrap();
    store.begun(2).await;
    assert_eq!(room.feed().head(), head, "a moment's trouble shows nothing");
    heard(&joined.slot, "it is not saved", |news| news.unsaved == Some(true)).await;
    room.update(SessionId(1), ann.add("b")).await.unwrap();
    let (_, late) = node.join_extended("map", 2).await.expect("an open room lets people in");
    assert!(late.welcome.has_unsaved);
    assert_eq!(soon("a newcomer sees what there is", read(&room)).await.nodes(), ["a", "b", "saved"]);
    assert!(room.feed().head() >= head + 2);
    assert!(joined.slot.take().acked.is_none(), "nothing more is acknowledged");
    let error = node.join("other", 3).await.unwrap_err();
    assert_eq!(refusal(&error).code, CloseCode::AtCapacity, "{error:?}");

    store.set_down(false);
    heard(&late.slot, "all is saved", |news| news.unsaved == Some(false)).await;
    assert_eq!(joined.slot.take().acked, Some(3));
    assert!(node.journal.health().healthy);
    assert!(node.join("other", 3).await.is_ok());
    drop((joined, late, room));
    node.all_rooms_closed().await;
    let (room, _joined) = node.join("map", 4).await.unwrap();
    assert_eq!(read(&room).await.nodes(), ["a", "b", "saved"]);
}

#[tokio::test(start_paused = true)]
async fn at_the_bound_writers_wait_and_nothing_is_dropped() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions { unsaved_bytes_max: 20_000, ..NodeOptions::default() });
    let (room, joined) = node.join_extended("map", 1).await.unwrap();
    let mut ann = Client::new(1);
    store.set_stalled(true);
    room.update(SessionId(1), ann.add("n0")).await.unwrap();
    heard(&joined.slot, "it is not saved", |news| news.unsaved == Some(true)).await;
    let mut sent = 1;
    // The lane and the batch that gathers take some more, then whoever writes is not read.
    loop {
        let update = ann.add_large(&format!("n{sent}"), 4 << 20);
        let Ok(taken) = timeout(Duration::from_secs(5), room.update(SessionId(1), update)).await else { break };
        taken.unwrap();
        sent += 1;
        assert!(sent < 100, "a store that is behind stops nobody");
    }
    assert!(node.journal.health().backlog_bytes < 40 << 20, "{:?}", node.journal.health());
    store.set_stalled(false);
    heard(&joined.slot, "all is saved", |news| news.unsaved == Some(false)).await;
    let own = room.sync(Bytes::from_static(&[0]), Some((SessionId(1), sent)));
    let mut reader = Client::new(2);
    reader.hear(&soon("a reader is answered", own).await.unwrap());
    assert_eq!(reader.nodes().len() as u64, sent, "all of it is there");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_ends_while_the_store_is_behind_leaves_its_edits_to_the_journal() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (room, joined) = node.join("map", 1).await.unwrap();
    let mut ann = Client::new(1);
    store.set_down(true);
    for name in ["a", "b", "c"] {
        room.update(SessionId(1), ann.add(name)).await.unwrap();
    }
    let mut behind = node.journal.behind();
    soon("it is noticed", behind.wait_for(|behind| *behind)).await.unwrap();
    room.update(SessionId(1), ann.add("last")).await.unwrap();
    drop(joined);
    node.closing.cancel();
    node.all_rooms_closed().await;
    store.set_down(false);
    soon("it is saved", node.journal.barrier()).await;
    let saved = store.updates(store.key("map")).concat();
    for name in ["a", "b", "c", "last"] {
        assert!(saved.windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_left_waiting_by_a_deletion_while_the_store_is_behind() {
    let store = FakeStore::new();
    let node = Node::start(&store, &NodeOptions::default());
    let (room, _joined) = node.join("map", 1).await.unwrap();
    let mut ann = Client::new(1);
    store.set_stalled(true);
    room.update(SessionId(1), ann.add("a")).await.unwrap();
    store.begun(1).await;
    let early = soon("it is refused", node.hub.delete(room.id())).await;
    assert!(matches!(early, Err(RoomError::NotSaved)), "{early:?}");
    room.update(SessionId(1), ann.add("b")).await.unwrap();
    let own = room.sync(Bytes::from_static(&[0]), Some((SessionId(1), 2)));
    let mut reader = Client::new(2);
    reader.hear(&soon("the room goes on", own).await.unwrap());
    assert_eq!(reader.nodes(), ["a", "b"]);
    let late = soon("it is refused", node.hub.delete(room.id())).await;
    assert!(matches!(late, Err(RoomError::NotSaved)), "{late:?}");
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
