//! A reader that does not read costs bounded memory and slows nobody.

use std::time::Duration;

use synapti_crdt::map::{MapEdit, NodePatch};
use synapti_protocol::message::{self, Message, SyncMessage};
use tokio::io::AsyncReadExt as _;

use crate::support::{Client, Running};

/// Bytes of one edit; many replace the same text, so that the map stays small.
const EDIT_BYTES: usize = 500 << 10;
const EDITS: usize = 40;

/// What sockets may hold on the way, in both systems' buffers and in one flush.
const ON_THE_WAY_BYTES_MAX: usize = 10 << 20;

/// Nodes of a map that takes minutes on a slow link.
const LARGE_MAP_NODES: usize = 24;

/// What a slow link carries in ten seconds. The system's buffers are so large that the server sees it in steps.
const SLOW_READ_BYTES: usize = 1 << 20;

/// Tens of seconds: longer than any patience of the server with a client that does not read.
const SLOW_READS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_not_slowed_and_one_diff_makes_the_slow_one_whole() {
    let server = Running::start(&[("SYNAPTI_LIMITS_FEED_BYTES_MAX", "1048576")]).await;
    let mut slow_ws = server.connect_with("map", 16 << 10).await;
    let (mut slow, mut writer, mut reader) = (Client::new(1), Client::new(2), Client::new(3));
    let (mut writer_ws, mut reader_ws) = (server.connect("map").await, server.connect("map").await);
    slow_ws.sync(&mut slow).await;
    writer_ws.sync(&mut writer).await;
    reader_ws.sync(&mut reader).await;

    writer_ws.update(&writer.add("page")).await;
    reader_ws.until(&mut reader, "page").await;
    for n in 0..EDITS {
        let letter = char::from(b'a' + (n % 26) as u8).to_string();
        let patch = NodePatch { summary: Some(letter.repeat(EDIT_BYTES)), ..NodePatch::default() };
        writer_ws.update(&writer.edit(&MapEdit::PatchNode { id: "page".into(), patch })).await;
        while reader.replica.digest() != writer.replica.digest() {
            reader.receive(&reader_ws.next().await.unwrap());
        }
        while !matches!(writer_ws.next().await, Ok(frame) if frame.len() > EDIT_BYTES) {}
    }
    assert!(reader_ws.received_bytes > EDITS * EDIT_BYTES, "who keeps up is sent every frame");

    let mut answers = 0;
    while slow.replica.digest() != writer.replica.digest() {
        let frame = slow_ws.next().await.unwrap();
        answers += usize::from(matches!(message::parse(&frame), Ok(Message::Sync(SyncMessage::Step2(_)))));
        slow.receive(&frame);
    }
    assert_eq!(answers, 0, "what nobody asked for must not pass for the answer to a question that was not read yet");
    assert!(slow_ws.received_bytes < ON_THE_WAY_BYTES_MAX, "{} bytes were kept for it", slow_ws.received_bytes);

    writer_ws.update(&writer.add("after")).await;
    slow_ws.until(&mut slow, "after").await;
    server.ended().await.unwrap();
}

#[tokio::test]
async fn who_reads_slowly_is_left_to_finish_however_long_it_takes() {
    let server = Running::start(&[]).await;
    let mut writer_ws = server.connect("map").await;
    let (mut writer, mut echo) = (Client::new(1), Client::new(2));
    for n in 0..LARGE_MAP_NODES {
        let node = format!("n{n}");
        writer_ws.update(&writer.add_large(&node, 900 << 10)).await;
        writer_ws.until(&mut echo, &node).await;
    }
    let mut slow_ws = server.connect_with("map", 16 << 10).await;
    slow_ws.send(vec![0, 0, 1, 0]).await;
    tokio::time::pause();
    // While a thread is busy the clock stands still: it would run on whenever everybody waits for the network.
    let (clock_may_run, clock_stands) = std::sync::mpsc::channel::<()>();
    let busy = tokio::task::spawn_blocking(move || clock_stands.recv());
    let mut taken_bytes = vec![0; SLOW_READ_BYTES];
    for round in 0..SLOW_READS {
        tokio::time::advance(Duration::from_secs(10)).await;
        let read = slow_ws.stream().read_exact(&mut taken_bytes).await;
        assert!(read.is_ok(), "cut off after {} seconds: {read:?}", 10 * round);
    }
    drop(clock_may_run);
    assert!(busy.await.unwrap().is_err());
    tokio::time::resume();
    server.ended().await.unwrap();
}
