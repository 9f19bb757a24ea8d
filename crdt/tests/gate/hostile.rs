//! Updates that no honest client sends, and what they must not do to the others.

use synapti_crdt::{ApplyError, AsideLimits, Op, Sender};
use synapti_protocol::update::{StructKind, scan};

use crate::support::{Place, Watched, deletion, nested_map, text, update};

const HONEST: u64 = 1;
const HOSTILE: u64 = 66;

/// Two structs of different clients, each the origin of the other.
fn circle(first: (u64, u32), second: (u64, u32)) -> Vec<u8> {
    let after = |(client, clock)| Place::After(client, clock);
    update(&[(second.0, second.1, &[text(after(first), "bbbb")]), (first.0, first.1, &[text(after(second), "aaaa")])])
}

#[test]
fn a_circle_is_refused_and_leaves_nothing_behind() {
    let mut room = Watched::new();
    let error = room.take(&circle((1, 0), (2, 0)), HOSTILE).unwrap_err();
    assert!(matches!(error, ApplyError::Circular), "{error}");
    assert_eq!((room.replica.held_bytes(), room.clock(1), room.clock(2)), (0, 0, 0));

    room.take(&update(&[(1, 0, &[text(Place::Root, "hello")])]), HONEST).unwrap();
    room.take(&update(&[(2, 0, &[text(Place::After(1, 4), "!")])]), HONEST).unwrap();
    assert_eq!(room.text(), "hello!");
    room.check_reloads();
}

#[test]
fn what_a_circle_came_with_is_integrated() {
    let mut room = Watched::new();
    let mixed = update(&[
        (3, 0, &[text(Place::Root, "kept"), text(Place::After(1, 0), "lost")]),
        (2, 0, &[text(Place::After(1, 0), "b")]),
        (1, 0, &[text(Place::After(2, 0), "a")]),
    ]);
    assert!(matches!(room.take(&mixed, HOSTILE), Err(ApplyError::Circular)));
    assert_eq!((room.text().as_str(), room.clock(3), room.replica.held_bytes()), ("kept", 4, 0));
    room.check_reloads();
}

#[test]
fn a_circle_in_two_updates_waits_and_expires() {
    let mut room = Watched::new();
    room.take_at(&update(&[(1, 0, &[text(Place::After(2, 0), "a")])]), HOSTILE, 10).unwrap();
    room.take_at(&update(&[(2, 0, &[text(Place::After(1, 0), "b")])]), HOSTILE + 1, 20).unwrap();
    assert!(room.journal.is_empty());
    let expired: Vec<_> = room.replica.expire_held(21).collect();
    assert_eq!(expired, [Sender(HOSTILE), Sender(HOSTILE + 1)]);
    assert_eq!(room.replica.held_bytes(), 0);
    room.take(&update(&[(1, 0, &[text(Place::Root, "fine")])]), HONEST).unwrap();
    assert_eq!(room.text(), "fine");
}

#[test]
fn a_circle_in_the_name_of_another_does_not_take_away_what_that_one_has_waiting() {
    let mut room = Watched::new();
    room.take(&update(&[(1, 0, &[text(Place::Root, "one ")])]), HONEST).unwrap();
    // The third edit overtakes the second, whose clock a stranger then claims.
    room.take(&update(&[(1, 8, &[text(Place::After(1, 7), "three")])]), HONEST).unwrap();
    assert_eq!(room.replica.held_from(Sender(HONEST)), 1);
    let error = room.take(&circle((1, 4), (HOSTILE, 0)), HOSTILE).unwrap_err();
    assert!(matches!(error, ApplyError::Circular), "{error}");
    assert_eq!(room.replica.held_from(Sender(HONEST)), 1, "it still waits");
    room.take(&update(&[(1, 4, &[text(Place::After(1, 3), "two ")])]), HONEST).unwrap();
    assert_eq!(room.text(), "one two three");
    assert_eq!(room.replica.held_bytes(), 0);
    room.check_reloads();
}

/// Yjs takes an edit inside something that holds nothing for deleted.
#[test]
fn an_edit_inside_a_text_is_taken_for_deleted() {
    let mut room = Watched::new();
    room.take(&update(&[(1, 0, &[text(Place::Root, "abc")])]), HONEST).unwrap();
    let inside = update(&[(
        2,
        0,
        &[text(Place::After(1, 2), "d"), text(Place::In(1, 1), "lost"), text(Place::After(2, 0), "e")],
    )]);
    room.take(&inside, HOSTILE).unwrap();
    assert_eq!((room.text().as_str(), room.clock(2)), ("abcde", 6));
    let snapshot = room.replica.snapshot();
    let gone = scan(&snapshot).unwrap().sections().flat_map(|section| section.structs());
    assert_eq!(
        gone.filter(|item| item.kind == StructKind::Gc).map(|item| (item.clock, item.len)).collect::<Vec<_>>(),
        [(1, 4)]
    );
    room.check_reloads();
}

#[test]
fn an_edit_inside_a_text_of_the_same_update_is_taken_for_deleted_and_one_inside_a_map_is_not() {
    let mut room = Watched::new();
    let list = update(&[(
        1,
        0,
        &[text(Place::Root, "abc"), text(Place::In(1, 1), "lost"), nested_map(), text(Place::In(1, 7), "kept")],
    )]);
    room.take(&list, HOSTILE).unwrap();
    assert_eq!((room.text().as_str(), room.clock(1)), ("abc", 12));
    let snapshot = room.replica.snapshot();
    let view = scan(&snapshot).unwrap();
    let kinds: Vec<_> =
        view.sections().flat_map(|section| section.structs()).map(|item| item.kind == StructKind::Gc).collect();
    assert_eq!(kinds, [false, true, false, false]);
    room.check_reloads();
}

#[test]
fn an_edit_inside_a_text_that_waited_does_not_take_others_with_it() {
    let mut room = Watched::new();
    let gap = update(&[(1, 0, &[text(Place::Root, "abc")])]);
    room.take(&update(&[(HOSTILE, 0, &[text(Place::In(1, 1), "lost")])]), HOSTILE).unwrap();
    room.take(&update(&[(2, 0, &[text(Place::After(1, 2), "d")])]), HONEST).unwrap();
    room.take(&update(&[(99, 0, &[text(Place::After(1, 2), "e")])]), HONEST).unwrap();
    assert!(room.replica.held_bytes() > 0);
    room.take(&gap, HONEST).unwrap();
    assert_eq!(room.text(), "abcde");
    assert_eq!(room.replica.held_bytes(), 0);
    room.check_reloads();
}

#[test]
fn one_bad_update_does_not_hinder_the_rest_of_its_batch() {
    let mut room = Watched::new();
    let hello = update(&[(1, 0, &[text(Place::Root, "hello")])]);
    let circle = circle((5, 0), (6, 0));
    let inside = update(&[(2, 0, &[text(Place::In(1, 1), "lost")])]);
    let more = update(&[(1, 5, &[text(Place::After(1, 4), "!")])]);
    let updates = [&hello[..], b"\xff\xff", &circle, &inside, &more];
    let ops = updates.iter().enumerate().map(|(at, update)| Op::Update { update, from: Sender(at as u64) });
    let results = room.apply(ops, 0);
    let accepted: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, false, false, true, true]);
    assert!(matches!(results[1], Err(ApplyError::Malformed(_))));
    assert!(matches!(results[2], Err(ApplyError::Circular)));
    assert_eq!((room.text().as_str(), room.journal.len()), ("hello!", 1));
    room.check_reloads();
}

/// Structs of two bytes cost far more once they wait than they weigh on the wire.
#[test]
fn many_small_pieces_that_wait_stay_within_the_limit() {
    let limits = AsideLimits { bytes_max: 64 << 10 };
    let mut room = Watched::with_limits(limits);
    let gc = vec![0, 1];
    let flood = update(&[(2, 1, &vec![gc; 100_000])]);
    assert!(matches!(room.take(&flood, HOSTILE), Err(ApplyError::AsideFull)));
    assert_eq!((room.replica.held_bytes(), room.replica.held_from(Sender(HOSTILE))), (0, 0));
    let ranges: Vec<(u32, u32)> = (0..100_000).map(|at| (at * 2, 1)).collect();
    let mut writer = synapti_protocol::update::UpdateWriter::new();
    writer.delete(3, &ranges);
    assert!(matches!(room.take(&writer.finish(), HOSTILE), Err(ApplyError::AsideFull)));
    assert_eq!(room.replica.held_bytes(), 0);
    assert!(room.journal.is_empty());
}

#[test]
fn a_deletion_of_what_nobody_wrote_touches_nothing_that_comes_later() {
    let mut room = Watched::new();
    room.take_at(&deletion(1, 0, 1000), HOSTILE, 5).unwrap();
    assert_eq!(room.replica.held_from(Sender(HOSTILE)), 1);
    assert_eq!(room.replica.expire_held(6).collect::<Vec<_>>(), [Sender(HOSTILE)]);
    room.take_at(&update(&[(1, 0, &[text(Place::Root, "mine")])]), HONEST, 7).unwrap();
    assert_eq!(room.text(), "mine");
    room.check_reloads();
}

/// Neighbours that lie apart, of which the one was freed when the map was open: as long as both are there, the edit belongs
/// to the deleted list, and else to the text. A map that is opened again must decide as it did before.
#[test]
fn a_map_that_is_opened_again_is_what_it_was_although_an_edit_hangs_on_something_freed() {
    let mut room = Watched::new();
    room.take(&update(&[(3, 0, &[nested_map(), text(Place::Root, "text"), text(Place::In(3, 0), "in")])]), HONEST)
        .unwrap();
    room.take(&deletion(3, 0, 1), HONEST).unwrap();
    room.take(&update(&[(1, 0, &[text(Place::Between((3, 6), (3, 2)), "apart")])]), HOSTILE).unwrap();
    assert_eq!(room.text(), "aparttext");
    room.check_reloads();
}
