//! When a room keeps a version by itself, and whose work it says it is.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use synapti_crdt::Restorable;
use synapti_server::room::{RequestId, Restoring, RoomError, SessionId, state::RoomLimits};

use crate::support::{Bench, Client, awareness};

fn bench() -> Bench {
    Bench::with(RoomLimits {
        sessions_max: 0,
        document_bytes_max: 0,
        nodes_max: 0,
        version_every: Duration::from_mins(10),
    })
}

#[test]
fn a_map_that_is_edited_for_long_becomes_a_version_and_names_its_authors() {
    let (mut bench, mut ann) = (bench(), Client::new(1));
    bench.join(1);
    bench.join(2);
    bench.awareness(1, &awareness(1, 1, r##"{"user":{"name":" Ann\u0007 ","color":"#123456"}}"##));
    bench.awareness(2, &awareness(2, 1, r#"{"user":{"name":"Only watches"}}"#));
    bench.save(1, ann.add("a"));
    assert!(bench.tick_after(599_000).versions.is_empty());
    bench.awareness(1, &awareness(1, 2, r#"{"user":{"name":" Ann\u0007 "}}"#));
    assert_eq!(bench.tick_after(1_000).versions, [Some("Ann".to_owned())]);
    bench.room.version_kept();
    assert!(bench.tick_after(60 * 60_000).versions.is_empty(), "nothing has changed since");
}

#[test]
fn when_the_last_one_has_left_what_changed_becomes_a_version() {
    let (mut bench, mut ann) = (bench(), Client::new(1));
    bench.join(1);
    bench.awareness(1, &awareness(1, 1, r#"{"user":{"name":"Ann"}}"#));
    bench.save(1, ann.add("a"));
    bench.room.leave(SessionId(1), bench.now_ms);
    assert_eq!(bench.tick_after(5_000).versions, [Some("Ann".to_owned())]);
    assert!(!bench.room.is_idle(), "it is not there yet");
    bench.room.version_kept();
    assert!(bench.room.is_idle());
    bench.room.keep_version_before_close(bench.now_ms);
    assert!(bench.take().versions.is_empty(), "nothing has changed since");
}

#[test]
fn nothing_is_kept_where_nobody_wants_it() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.save(1, ann.add("a"));
    bench.room.keep_version_before_close(bench.now_ms);
    assert!(bench.tick_after(3_600_000).versions.is_empty());
}

fn restoring(older: &Client) -> Restoring {
    let older = Restorable::read(&older.replica.snapshot()).unwrap();
    Restoring { older: Arc::new(older), author: Some("Bob".to_owned()) }
}

#[test]
fn what_the_map_is_is_kept_before_it_becomes_what_it_was_and_nothing_comes_between() {
    let (mut bench, mut ann) = (bench(), Client::new(1));
    bench.join_extended(1);
    bench.save(1, ann.add("old"));
    let older = restoring(&ann);
    bench.update(1, [ann.add("in flight")]);
    bench.room.restore(RequestId(1), older.clone());
    assert!(bench.take().versions.is_empty(), "what is in flight has to be part of the version");
    assert_eq!(bench.commit().versions, [Some("Bob".to_owned())]);
    assert!(!bench.room.can_integrate(true), "what came now would be in no version");
    assert!(!bench.room.is_idle());

    bench.room.kept_before_restore(RequestId(1), true, Timestamp::UNIX_EPOCH, bench.now_ms);
    let seen = bench.take();
    assert_eq!((seen.commits.len(), seen.answers.len()), (1, 0));
    let seen = bench.commit();
    assert_eq!((seen.frames.len(), seen.answers.len()), (1, 1), "it is answered when it is on disk");
    assert_eq!(bench.sync(2, None).view_nodes(), ["old"]);

    bench.room.restore(RequestId(3), older);
    bench.take();
    bench.room.kept_before_restore(RequestId(3), true, Timestamp::UNIX_EPOCH, bench.now_ms);
    let seen = bench.take();
    assert_eq!((seen.commits.len(), seen.answers.len()), (0, 1), "there is nothing to do");
}

#[test]
fn without_a_version_of_what_it_is_a_map_stays_as_it_is() {
    let (mut bench, mut ann) = (bench(), Client::new(1));
    bench.join_extended(1);
    let older = restoring(&ann);
    bench.save(1, ann.add("a"));
    bench.room.restore(RequestId(1), older.clone());
    assert_eq!(bench.take().versions.len(), 1);
    bench.room.kept_before_restore(RequestId(1), false, Timestamp::UNIX_EPOCH, bench.now_ms);
    assert!(matches!(bench.take().error(), RoomError::NotSaved));
    assert!(bench.room.can_integrate(true));

    bench.room.restore(RequestId(2), older.clone());
    bench.take();
    assert!(
        matches!(bench.store_is_behind(true).error(), RoomError::NotSaved),
        "nobody waits for a store that is behind"
    );
    bench.room.kept_before_restore(RequestId(2), true, Timestamp::UNIX_EPOCH, bench.now_ms);
    assert!(bench.take().is_empty(), "too late");
    bench.room.restore(RequestId(3), older);
    assert!(matches!(bench.take().error(), RoomError::NotSaved));
    assert_eq!(bench.sync(4, None).view_nodes(), ["a"]);
}
