//! Client ids that belong to somebody: what others bring under them is left out.

use synapti_crdt::{Applied, AsideLimits, LeftOut, Op, Replica, Sender};

use crate::support::{Place, deletion, text, update};

const ANN: u64 = 1;
const BOB: u64 = 2;

/// What Ann writes has an id of her own, 10; so has Bob's, 20. All others are nobody's.
fn may_write(from: Sender, client: u64) -> bool {
    match client {
        10 => from.0 == ANN,
        20 => from.0 == BOB,
        _ => true,
    }
}

fn take(room: &mut Replica, update: &[u8], from: u64) -> Applied {
    let applied = room.apply_checked([Op::Update { update, from: Sender(from) }], &may_write, 0);
    assert!(applied.results[0].is_ok(), "{:?}", applied.results);
    applied
}

fn room() -> Replica {
    let mut room = Replica::new(900, AsideLimits::default());
    take(&mut room, &update(&[(10, 0, &[text(Place::Root, "ann")])]), ANN);
    room
}

#[test]
fn a_clock_cannot_be_burned() {
    let mut room = room();
    let burning = take(&mut room, &update(&[(10, 3, &[vec![0, 9]])]), BOB);
    assert_eq!(burning.left_out, [LeftOut { from: Sender(BOB), client: 10, end: 12 }]);
    assert_eq!((burning.update, room.clock(10), room.held_bytes()), (None, 3, 0));
    take(&mut room, &update(&[(10, 3, &[text(Place::After(10, 2), " goes on")])]), ANN);
    assert_eq!(room.clock(10), 11);
}

#[test]
fn what_is_known_may_be_passed_on_and_deleted_by_anybody() {
    let mut room = room();
    let known = take(&mut room, &update(&[(10, 0, &[text(Place::Root, "ann")])]), BOB);
    assert!(known.left_out.is_empty() && known.update.is_none());
    let deleted = take(&mut room, &deletion(10, 0, 2), BOB);
    assert!(deleted.left_out.is_empty() && deleted.update.is_some());
}

#[test]
fn what_came_with_it_is_integrated_or_waits() {
    let mut room = room();
    let mixed = update(&[
        (20, 0, &[text(Place::Root, "bob"), text(Place::After(10, 3), "on hers")]),
        (10, 3, &[text(Place::After(10, 2), "!")]),
    ]);
    let applied = take(&mut room, &mixed, BOB);
    assert_eq!(applied.left_out.len(), 1);
    assert_eq!((room.clock(10), room.clock(20), room.held_from(Sender(BOB))), (3, 3, 1));
    let applied = take(&mut room, &update(&[(10, 3, &[text(Place::After(10, 2), "!")])]), ANN);
    assert!(applied.left_out.is_empty());
    assert_eq!((room.clock(10), room.clock(20), room.held_bytes()), (4, 10, 0));
}

#[test]
fn nobody_writes_under_the_documents_own_id() {
    let mut room = room();
    let forged =
        room.apply([Op::Update { update: &update(&[(900, 0, &[text(Place::Root, "x")])]), from: Sender(BOB) }], 0);
    assert!(forged.results[0].is_ok() && forged.update.is_none() && forged.left_out.is_empty());
    assert_eq!((room.clock(900), room.held_bytes()), (0, 0));
    // The store does: it may hold what the same opening wrote.
    let stored = update(&[(900, 0, &[text(Place::Root, "x")])]);
    assert_eq!(Replica::load(900, AsideLimits::default(), [&stored[..]]).unwrap().clock(900), 1);
}

#[test]
fn what_waits_under_an_id_is_dropped_when_it_becomes_somebody_elses() {
    let mut room = Replica::new(900, AsideLimits::default());
    let piece = |clock: u32, content: &str| update(&[(10, clock, &[text(Place::After(10, clock - 1), content)])]);
    let mut send = |update: &[u8], from: u64| {
        let op = Op::Update { update, from: Sender(from) };
        assert!(room.apply([op], 0).results[0].is_ok());
    };
    send(&piece(5, "hers"), ANN);
    send(&piece(20, "forged"), BOB);
    send(&piece(30, "hers"), ANN);
    send(&piece(30, "forged, and longer"), BOB);
    let mut lost: Vec<_> = room.disown(10, &may_write).iter().map(|lost| (lost.from.0, lost.end)).collect();
    lost.sort_unstable();
    assert_eq!(lost, [(ANN, 48), (BOB, 26), (BOB, 48)]);
    assert_eq!([ANN, BOB].map(|from| room.held_from(Sender(from))), [1, 0]);
    assert!(room.disown(10, &may_write).is_empty());
}
