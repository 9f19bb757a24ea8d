//! Several elements at one key of a map. yrs keeps only the last piece of them when they are split, frees the map they are
//! in when that is deleted, and goes on to use what the other pieces refer to. No Yjs client writes them.

use synapti_crdt::{ApplyError, AsideLimits, Op, Replica, Sender};
use synapti_protocol::update::scan;

use crate::support::{Place, Watched, deleted, deletion, nested_map, text, update, values};

const HONEST: u64 = 1;
const HOSTILE: u64 = 66;

/// A map in the root list with one value; both are client 5's.
fn map_with_value() -> Vec<u8> {
    update(&[(5, 0, &[nested_map(), values(Place::AtKeyOf(5, 0), 1)])])
}

/// What becomes of several elements, each in a room of its own: they are split, the map is deleted, and they are deleted.
fn split_and_free(room: &mut Watched) {
    room.take(&update(&[(7, 0, &[values(Place::After(6, 0), 1)])]), HOSTILE).unwrap();
    for gone in [deletion(5, 0, 1), deletion(6, 1, 1), deletion(6, 0, 1)] {
        room.take(&gone, HOSTILE).unwrap();
    }
}

#[test]
fn several_elements_at_a_key_are_refused_however_they_get_there() {
    let at_key = [
        text(Place::AtKeyOf(5, 0), "abc"),
        values(Place::AtKeyOf(5, 0), 3),
        text(Place::After(5, 1), "abc"),
        values(Place::Before(5, 1), 2),
        text(Place::Between((5, 1), (5, 1)), "abc"),
    ];
    for structure in at_key {
        let mut room = Watched::new();
        room.take(&map_with_value(), HONEST).unwrap();
        let error = room.take(&update(&[(6, 0, &[structure])]), HOSTILE).unwrap_err();
        assert!(matches!(error, ApplyError::ManyAtKey), "{error}");
        assert_eq!((room.clock(6), room.journal.len()), (0, 1));
        room.take(&update(&[(6, 0, &[values(Place::AtKeyOf(5, 0), 1)])]), HONEST).unwrap();
        room.check_reloads();
    }
}

#[test]
fn the_rest_of_a_text_does_not_get_into_a_map_either() {
    let mut room = Watched::new();
    room.take(&map_with_value(), HONEST).unwrap();
    // Client 6 says two things at its first clocks: the rest of the text would hang on the value.
    room.take(&update(&[(6, 0, &[values(Place::AtKeyOf(5, 0), 1)])]), HOSTILE).unwrap();
    let error = room.take(&update(&[(6, 0, &[text(Place::Root, "abcd")])]), HOSTILE).unwrap_err();
    assert!(matches!(error, ApplyError::ManyAtKey), "{error}");
    room.check_reloads();
}

#[test]
fn what_was_set_aside_does_not_get_into_a_map_either() {
    let mut room = Watched::new();
    room.take(&update(&[(6, 0, &[text(Place::After(5, 1), "abc")])]), HOSTILE).unwrap();
    room.take(&map_with_value(), HONEST).unwrap();
    assert!(matches!(room.refused[..], [(Sender(HOSTILE), ApplyError::ManyAtKey)]), "{:?}", room.refused);
    assert_eq!((room.clock(6), room.replica.held_bytes()), (0, 0));
    room.check_reloads();
}

/// Yjs joins values that were overwritten one after the other.
#[test]
fn several_deleted_elements_at_a_key_are_let_in_and_may_be_split_and_freed() {
    let mut room = Watched::new();
    room.take(&map_with_value(), HONEST).unwrap();
    room.take(&update(&[(6, 0, &[deleted(Place::After(5, 1), 3), values(Place::After(6, 2), 1)])]), HONEST).unwrap();
    split_and_free(&mut room);
    room.check_reloads();
}

/// Whatever a store holds must be readable; what nobody wrote is worth nothing.
#[test]
fn what_the_store_holds_of_them_is_read_as_deleted() {
    let several = update(&[(6, 0, &[text(Place::After(5, 1), "abc"), text(Place::Root, "kept")])]);
    let stored = [map_with_value(), several];
    let mut room = Replica::load(900, AsideLimits::default(), stored.iter().map(Vec::as_slice)).unwrap();
    let snapshot = room.snapshot();
    let of_six = scan(&snapshot).unwrap().sections().find(|section| section.client == 6).unwrap();
    let texts: Vec<_> = of_six.structs().map(|item| (item.len, item.bytes.ends_with(b"kept"))).collect();
    assert_eq!(texts, [(3, false), (4, true)]);
    let reloaded = Replica::load(901, AsideLimits::default(), [&snapshot[..]]).unwrap();
    assert_eq!(reloaded.digest(), room.digest());

    let split = update(&[(7, 0, &[values(Place::After(6, 0), 1)])]);
    for update in [split, deletion(5, 0, 1), deletion(6, 1, 1), deletion(6, 0, 1)] {
        let applied = room.apply([Op::Update { update: &update, from: Sender(HOSTILE) }], 0);
        assert!(applied.results[0].is_ok());
    }
    assert!(!room.snapshot().is_empty());
}
