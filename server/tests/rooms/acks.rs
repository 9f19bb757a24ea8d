//! Who has asked for it is told what becomes of their edits, and never too early.

use synapti_protocol::update::EMPTY_UPDATE;

use crate::support::{Bench, Client};

#[test]
fn an_edit_is_acknowledged_when_it_is_on_disk_and_only_to_those_who_asked() {
    let (mut bench, mut ann, mut bob) = (Bench::new(), Client::new(1), Client::new(2));
    bench.join_extended(1);
    bench.join(2);
    let seen = bench.integrate(&[
        crate::support::update_of(1, ann.add("a")),
        crate::support::update_of(2, bob.add("b")),
        crate::support::update_of(1, ann.add("c")),
    ]);
    assert!(seen.acks.is_empty(), "{seen:?}");
    assert_eq!(bench.commit().acks, [(1, 2)]);
}

#[test]
fn what_brings_nothing_new_is_acknowledged_with_what_it_repeats() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join_extended(1);
    bench.join_extended(2);
    assert_eq!(bench.update(1, [EMPTY_UPDATE.to_vec().into()]).acks, [(1, 1)]);
    let update = ann.add("a");
    bench.save(1, update.clone());
    assert_eq!(bench.update(2, [update.clone()]).acks, [(2, 1)], "it is on disk already");

    bench.store_is_behind(true);
    let next = ann.add("b");
    assert!(bench.update(1, [next.clone()]).acks.is_empty());
    assert!(bench.update(2, [next]).acks.is_empty(), "what it repeats is not on disk yet");
    assert_eq!(bench.commit().acks, [(1, 3), (2, 2)]);
}

#[test]
fn an_edit_that_waits_for_an_earlier_one_is_acknowledged_once_that_has_come() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join_extended(1);
    bench.join_extended(2);
    let (first, second) = (ann.add("a"), ann.add("b"));
    assert!(bench.update(1, [second]).acks.is_empty());
    let mut bob = Client::new(2);
    assert_eq!(bench.save(2, bob.add("c")).acks, [(2, 1)], "others do not wait for it");
    // Somebody else brings what was missing.
    assert!(bench.update(2, [first]).acks.is_empty());
    assert_eq!(bench.commit().acks, [(1, 1), (2, 2)]);
}

#[test]
fn who_has_left_is_told_nothing() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join_extended(1);
    bench.update(1, [ann.add("a")]);
    bench.room.leave(synapti_server::room::SessionId(1), 0);
    assert!(bench.commit().acks.is_empty());
}

#[test]
fn while_the_store_is_behind_edits_are_shown_at_once_and_everybody_is_told() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join_extended(1);
    let seen = bench.update(1, [ann.add("a")]);
    assert!(seen.frames.is_empty() && seen.unsaved.is_empty());
    let seen = bench.store_is_behind(true);
    assert_eq!((seen.frames.len(), &seen.unsaved[..]), (1, &[true][..]));
    for name in ["b", "c"] {
        let seen = bench.update(1, [ann.add(name)]);
        assert_eq!((seen.commits.len(), seen.frames.len(), seen.unsaved.len()), (1, 1, 0), "{seen:?}");
        assert!(seen.acks.is_empty());
    }
    assert_eq!(bench.sync(1, None).view_nodes(), ["a", "b", "c"], "newcomers are not kept waiting");
    assert!(bench.join_extended(2).has_unsaved);

    // The store takes the first; the rest is on its way.
    let seen = bench.commit();
    assert_eq!((seen.acks, seen.frames.len(), seen.unsaved.len()), (vec![(1, 1)], 0, 0));
    bench.store_is_behind(false);
    assert!(!bench.room.can_integrate(true), "it catches up before it takes more");
    assert_eq!(bench.commit().acks, [(1, 2)]);
    let seen = bench.commit();
    assert_eq!((&seen.acks[..], &seen.unsaved[..]), (&[(1, 3)][..], &[false][..]));
    assert!(bench.update(1, [ann.add("d")]).frames.is_empty(), "as ever, nothing is shown before it is on disk");
    assert_eq!(bench.commit().frames.len(), 1);
}

#[test]
fn a_store_that_was_behind_with_others_edits_changes_nothing_here() {
    let mut bench = Bench::new();
    bench.join_extended(1);
    assert!(bench.store_is_behind(true).is_empty());
    assert!(bench.store_is_behind(false).is_empty());
}

#[test]
fn when_there_is_no_room_left_to_run_ahead_edits_wait() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join_extended(1);
    bench.store_is_behind(true);
    assert!(bench.room.can_integrate(false), "the first is with the journal in any case");
    bench.update(1, [ann.add("a")]);
    assert!(!bench.room.can_integrate(false));
    assert!(bench.room.can_integrate(true));
}
