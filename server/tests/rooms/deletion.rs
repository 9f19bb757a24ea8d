//! A graph is deleted when the store says so, and not before.

use jiff::Timestamp;
use synapti_protocol::close::CloseCode;
use synapti_server::room::{
    Entrant, RequestId, RoomError, SessionId,
    reads::{Answer, Read},
};

use crate::support::{Bench, Client};

#[test]
fn a_tombstone_waits_for_the_batch_in_flight() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.update(1, [ann.add("a")]);
    assert!(bench.delete(1).is_empty());
    let seen = bench.commit();
    assert_eq!((seen.tombstones, seen.frames.len()), (1, 1));
    assert!(bench.delete(2).is_empty(), "the store is asked once");
}

#[test]
fn everybody_is_told_and_nobody_is_answered_any_more() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.join(2);
    bench.sync(7, Some((1, 1)));
    bench.delete(1);
    bench.delete(2);
    bench.room.tombstoned(Ok(()));
    let mut seen = bench.take();
    seen.refused.sort_by_key(|(session, _)| session.0);
    assert_eq!(seen.refused, [(SessionId(1), CloseCode::Deleted), (SessionId(2), CloseCode::Deleted)]);
    for (request, answer) in seen.answers {
        match request.0 {
            1 | 2 => assert!(matches!(answer, Answer::Deleted), "{answer:?}"),
            _ => assert!(matches!(answer, Answer::Failed(RoomError::Gone)), "{answer:?}"),
        }
    }
    assert!(bench.room.is_deleted());
    assert!(matches!(bench.room.join(SessionId(3), Entrant::default()), Err(RoomError::Gone)));
    assert!(matches!(bench.sync(3, None).error(), RoomError::Gone));
    assert!(matches!(bench.read(4, Read::View).error(), RoomError::Gone));
    assert!(matches!(bench.delete(5).error(), RoomError::Gone));
    let seen = bench.update(1, [ann.add("late")]);
    assert_eq!(seen.refused, [(SessionId(1), CloseCode::Deleted)]);
    assert!(seen.commits.is_empty());
}

#[test]
fn a_store_that_refuses_leaves_the_graph_as_it_was() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.delete(1);
    bench.delete(2);
    assert!(!bench.room.can_integrate(true), "edits gather until it is known whether there is a graph for them");
    bench.join(2);
    bench.room.tombstoned(Err(RoomError::Unavailable("down".into())));
    let seen = bench.take();
    assert!(seen.refused.is_empty(), "nobody was told that the graph is gone");
    let failures: Vec<(RequestId, bool)> =
        seen.answers.iter().map(|(request, answer)| (*request, matches!(answer, Answer::Failed(_)))).collect();
    assert_eq!(failures, [(RequestId(1), true), (RequestId(2), true)]);
    bench.save(1, ann.add("a"));
    assert_eq!(bench.sync(3, None).view_nodes(), ["a"]);
    assert_eq!(bench.delete(4).tombstones, 1, "it can be tried again");
}

#[test]
fn a_room_that_is_being_deleted_is_not_idle() {
    let mut bench = Bench::new();
    bench.room.delete(RequestId(1), Timestamp::UNIX_EPOCH);
    assert!(!bench.room.is_idle());
    bench.room.tombstoned(Ok(()));
    assert!(bench.room.is_idle());
}
