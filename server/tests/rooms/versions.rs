//! When a room keeps a version by itself, and whose work it says it is.

use std::time::Duration;

use synapti_server::room::{SessionId, state::RoomLimits};

use crate::support::{Bench, Client, awareness};

fn bench() -> Bench {
    Bench::with(RoomLimits { sessions_max: 0, document_bytes_max: 0, version_every: Duration::from_mins(10) })
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
    bench.room.version_kept(true, bench.now_ms);
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
    bench.room.version_kept(false, bench.now_ms);
    assert_eq!(bench.tick_after(120_000).versions, [None], "it failed, so it is tried again");
    bench.room.version_kept(true, bench.now_ms);
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
