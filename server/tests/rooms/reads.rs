//! Whoever asks is shown what is on disk, and what they sent themselves.

use std::sync::Arc;

use synapti_protocol::message::{self, Message, SyncMessage};
use synapti_server::room::{RoomError, SessionId, reads::Read};

use crate::support::{Bench, Client, awareness, states_of};

#[test]
fn a_read_waits_for_the_batch_in_flight() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    assert!(bench.sync(1, None).view_nodes().is_empty());
    bench.update(1, [ann.add("a")]);
    assert!(bench.sync(2, None).is_empty());
    assert!(bench.read(3, Read::View).is_empty());
    let seen = bench.commit();
    let asked: Vec<u64> = seen.answers.iter().map(|(request, _)| request.0).collect();
    assert_eq!(asked, [2, 3]);
}

#[test]
fn everybody_reads_their_own_writes() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    assert!(bench.sync(1, Some((1, 2))).is_empty(), "two edits of the reader are still in the lane");
    bench.save(1, ann.add("a"));
    assert!(bench.take().is_empty(), "one is");
    assert!(!bench.room.is_idle(), "a room with a waiting reader does not close");
    let seen = bench.update(1, [ann.add("b")]);
    assert!(seen.answers.is_empty());
    assert_eq!(bench.commit().view_nodes(), ["a", "b"]);
}

#[test]
fn a_refused_edit_counts_for_its_sender_too() {
    let mut bench = Bench::new();
    bench.join(1);
    bench.sync(1, Some((1, 1)));
    let seen = bench.update(1, [vec![255].into()]);
    assert_eq!(seen.answers.len(), 1, "or its sender would wait for ever");
}

#[test]
fn a_reader_who_has_left_holds_nothing_up() {
    let mut bench = Bench::new();
    bench.join(1);
    bench.sync(1, Some((1, 5)));
    bench.room.leave(SessionId(1), bench.now_ms);
    bench.read(2, Read::View);
    assert!(bench.room.is_idle());
}

#[test]
fn an_answer_says_where_the_feed_goes_on_and_who_is_here() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.awareness(1, &awareness(1, 1, "{}"));
    bench.save(1, ann.add("a"));
    let reply = bench.sync(1, None).sync();
    assert_eq!(reply.cursor, 2, "one frame of presence, one of edits");
    assert_eq!(reply.state_vector, ann.state_vector());
    assert_eq!(states_of(&reply.presence.unwrap()), [(1, 1, "{}".to_owned())]);
    assert_eq!(bench.join(2).cursor, 2);
}

#[test]
fn presence_is_answered_while_a_batch_is_in_flight() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.update(1, [ann.add("a")]);
    assert_eq!(bench.read(1, Read::Presence).answers.len(), 1);
}

#[test]
fn readers_who_wait_are_bounded() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.update(1, [ann.add("a")]);
    for request in 0..4096 {
        assert!(bench.read(request, Read::View).is_empty());
    }
    assert!(matches!(bench.read(5000, Read::View).error(), RoomError::AtCapacity { .. }));
    assert_eq!(bench.commit().answers.len(), 4096);
}

#[test]
fn equal_questions_share_one_answer() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.save(1, ann.add("a"));
    let (one, two) = (bench.sync(1, None).sync(), bench.sync(2, None).sync());
    assert!(Arc::ptr_eq(&one.frames, &two.frames), "encoded once");
    bench.save(1, ann.add("b"));
    assert_ne!(bench.sync(3, None).sync().frames[..], one.frames[..], "until the map changes");
}

#[test]
fn a_large_answer_comes_in_small_frames_and_ends_with_a_step2() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    for n in 0..60 {
        bench.save(1, ann.add_large(&format!("n{n}"), 10 << 10));
    }
    let reply = bench.sync(1, None).sync();
    let is_step2 = |frame: &[u8]| matches!(message::parse(frame), Ok(Message::Sync(SyncMessage::Step2(_))));
    let (last, first) = reply.frames.split_last().unwrap();
    assert!(is_step2(last) && !first.iter().any(|frame| is_step2(frame)));
    assert!((9..15).contains(&first.len()), "{} frames", first.len());
    assert!(reply.frames.iter().all(|frame| frame.len() <= (64 << 10) + 16));
    let mut viewer = Client::new(2);
    viewer.hear(&reply);
    assert_eq!(viewer.replica.digest(), ann.replica.digest());
}
