//! How deep shared types may be nested, whatever way they come.

use synapti_crdt::map::{Children, MapEdit, NewNode};
use synapti_crdt::{ApplyError, AsideLimits, Op, Replica, Restorable, Sender};
use synapti_protocol::limits::SHARED_TYPE_NESTING_MAX;
use synapti_protocol::update::{ContentKind, StructKind, scan};

use crate::support::{Place, Watched, deletion, map_at, nested_map, text, update};

const HONEST: u64 = 1;
const HOSTILE: u64 = 66;

/// Enough to overflow the stack of whoever deletes it.
const CHAIN: u32 = 20_000;

/// Elements of a chain that fit: one in the root, and one for each level below it.
const FITS: u32 = SHARED_TYPE_NESTING_MAX as u32 + 1;

/// Maps of `client` within each other.
fn chain(client: u64, clock: u32, len: u32) -> Vec<Vec<u8>> {
    (clock..clock + len).map(|at| if at == 0 { nested_map() } else { map_at(Place::In(client, at - 1)) }).collect()
}

fn goes_on(room: &mut Watched) {
    room.take(&update(&[(HONEST, 0, &[text(Place::Root, "fine")])]), HONEST).unwrap();
    assert_eq!(room.text(), "fine");
    assert_eq!(room.replica.held_bytes(), 0);
    room.check_reloads();
}

fn is_too_deep(result: &Result<(), ApplyError>) -> bool {
    matches!(result, Err(ApplyError::TooDeep))
}

#[test]
fn a_chain_in_one_update_is_refused_and_nothing_of_it_is_left() {
    let mut room = Watched::new();
    room.take(&update(&[(HOSTILE, 3 * CHAIN, &[text(Place::Root, "waits")])]), HOSTILE).unwrap();
    assert!(is_too_deep(&room.take(&update(&[(HOSTILE, 0, &chain(HOSTILE, 0, CHAIN))]), HOSTILE)));
    assert_eq!((room.clock(HOSTILE), room.replica.held_from(Sender(HOSTILE))), (0, 0));
    assert!(room.journal.is_empty());
    goes_on(&mut room);
}

#[test]
fn a_chain_that_comes_piece_by_piece_ends_at_the_limit() {
    let mut room = Replica::new(900, AsideLimits::default());
    for at in 0..CHAIN {
        let piece = update(&[(HOSTILE, at, &chain(HOSTILE, at, 1))]);
        let applied = room.apply([Op::Update { update: &piece, from: Sender(HOSTILE) }], 0);
        // What comes after the first that was refused lacks it.
        assert_eq!(is_too_deep(&applied.results[0]), at == FITS, "level {at}");
        assert_eq!(applied.update.is_some(), at < FITS);
    }
    // Whoever starts again meets the same limit.
    let again = update(&[(HOSTILE, FITS - 2, &chain(HOSTILE, FITS - 2, 5))]);
    let applied = room.apply([Op::Update { update: &again, from: Sender(HOSTILE + 1) }], 0);
    assert!(matches!(applied.results[0], Err(ApplyError::TooDeep)));
}

#[test]
fn each_level_may_be_another_clients_and_hang_on_a_neighbour() {
    let mut room = Replica::new(900, AsideLimits::default());
    let mut refused = 0;
    // Client n puts a map into that of client n - 1, and a second one beside it, left or right, which holds the next.
    for client in 1..=u64::from(FITS) + 20 {
        let place = if client == 1 { None } else { Some(Place::In(client - 1, 1)) };
        let first = place.map_or_else(nested_map, map_at);
        let beside = if client % 2 == 0 { Place::After(client, 0) } else { Place::Before(client, 0) };
        let piece = update(&[(client, 0, &[first, map_at(beside)])]);
        let applied = room.apply([Op::Update { update: &piece, from: Sender(client) }], 0);
        refused += u32::from(is_too_deep(&applied.results[0]));
    }
    assert_eq!(refused, 1, "the first that is too deep; what follows lacks it");
    let state = room.state_vector();
    let clients = synapti_protocol::update::scan_state_vector(&state).unwrap().len();
    assert_eq!(clients as u32, FITS);
}

#[test]
fn sections_that_refer_to_later_ones_are_judged_like_others() {
    for len in [FITS, FITS + 1] {
        // The highest client first, and each within the next lower.
        let structs: Vec<(u64, Vec<Vec<u8>>)> = (1..=u64::from(len))
            .rev()
            .map(|client| (client, vec![if client == 1 { nested_map() } else { map_at(Place::In(client - 1, 0)) }]))
            .collect();
        let sections: Vec<_> = structs.iter().map(|(client, structs)| (*client, 0, &structs[..])).collect();
        let mut room = Watched::new();
        let result = room.take(&update(&sections), HOSTILE);
        assert_eq!(is_too_deep(&result), len > FITS);
        assert_eq!(room.journal.is_empty(), len > FITS);
    }
}

#[test]
fn what_was_set_aside_is_judged_when_its_turn_comes() {
    let mut room = Replica::new(900, AsideLimits::default());
    let mut take = |update: &[u8], from: u64| room.apply([Op::Update { update, from: Sender(from) }], 0);
    for at in (1..CHAIN).rev() {
        let from = if at < FITS { HONEST } else { HOSTILE };
        assert!(take(&update(&[(5, at, &chain(5, at, 1))]), from).results[0].is_ok());
    }
    // Two have sent the first piece that is too deep.
    assert!(take(&update(&[(5, FITS, &chain(5, FITS, 2))]), HOSTILE + 1).results[0].is_ok());
    let last = take(&update(&[(5, 0, &chain(5, 0, 1))]), HONEST + 1);
    assert!(last.results[0].is_ok());
    let refused: Vec<_> = last.refused.iter().map(|(from, _)| from.0).collect();
    assert_eq!(refused, [HOSTILE, HOSTILE + 1]);
    assert!(last.refused.iter().all(|(_, why)| matches!(why, ApplyError::TooDeep)));
    assert_eq!(scan(&last.update.unwrap()).unwrap().struct_count() as u32, FITS);
    assert_eq!(room.held_bytes(), 0, "what comes behind it is dropped");
}

#[test]
fn what_the_store_holds_is_read_however_deep_and_nobody_goes_deeper() {
    let deep = update(&[(5, 0, &chain(5, 0, 400))]);
    let mut room = Replica::load(900, AsideLimits::default(), [&deep[..]]).unwrap();
    let mut take = |update: &[u8]| room.apply([Op::Update { update, from: Sender(HOSTILE) }], 0).results.pop().unwrap();
    for inside in [FITS - 1, 300, 399] {
        assert!(is_too_deep(&take(&update(&[(HOSTILE, 0, &[map_at(Place::In(5, inside))])]))), "in {inside}");
    }
    take(&update(&[(HOSTILE, 0, &[map_at(Place::In(5, FITS - 2))])])).unwrap();
}

#[test]
fn what_the_server_writes_is_counted_too() {
    let mut room = Replica::new(900, AsideLimits::default());
    let node = MapEdit::AddNode(NewNode::new("n", "title"));
    let written = room.apply([Op::Edit(&node)], 0).update.unwrap();
    chain_below_node(&mut room, &written, 900);

    // The same where the node comes back by restoring.
    let before = room.snapshot();
    let delete = MapEdit::RemoveNode { id: "n".into(), children: Children::Remove };
    room.apply([Op::Edit(&delete)], 0);
    let mut again = Replica::load(901, AsideLimits::default(), [&room.snapshot()[..]]).unwrap();
    let older = Restorable::read(&before).unwrap();
    let written = again.apply([Op::Restore(&older)], 0).update.unwrap();
    chain_below_node(&mut again, &written, 901);
}

/// Only as much goes into a node as one level more leaves.
fn chain_below_node(room: &mut Replica, written: &[u8], server: u64) {
    let view = scan(written).unwrap();
    let mut structs = view.sections().filter(|section| section.client == server).flat_map(|section| section.structs());
    let is_node = |item: &synapti_protocol::update::Struct<'_>| {
        item.kind == StructKind::Item(ContentKind::Type) && item.parent.is_none()
    };
    let node = structs.find(is_node).unwrap().clock;
    let client = server + 100;
    let links: Vec<_> =
        (0..FITS).map(|at| map_at(if at == 0 { Place::In(server, node) } else { Place::In(client, at - 1) })).collect();
    let mut take = |structs: &[Vec<u8>]| {
        let update = update(&[(client, 0, structs)]);
        room.apply([Op::Update { update: &update, from: Sender(HOSTILE) }], 0).results.pop().unwrap()
    };
    assert!(is_too_deep(&take(&links)));
    take(&links[..links.len() - 1]).unwrap();
}

#[test]
fn a_chain_at_the_limit_is_deleted_and_loaded_on_a_small_stack() {
    let work = || {
        let mut room = Watched::new();
        room.take(&update(&[(HOSTILE, 0, &chain(HOSTILE, 0, FITS))]), HOSTILE).unwrap();
        room.take(&deletion(HOSTILE, 0, 1), HONEST).unwrap();
        goes_on(&mut room);
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
}

/// A client that goes back and forth between two places makes the gate remember much; of what is deleted it forgets it.
#[test]
fn what_is_remembered_of_deleted_elements_is_forgotten_and_the_rest_stays_exact() {
    let mut room = Replica::new(900, AsideLimits::default());
    let mut take = |update: &[u8]| room.apply([Op::Update { update, from: Sender(HONEST) }], 0).results.pop().unwrap();
    take(&update(&[(5, 0, &chain(5, 0, FITS - 1))])).unwrap();
    let mut clock = FITS - 1;
    for _ in 0..50 {
        let back_and_forth = (0..2_000).map(|at| text(if at % 2 == 0 { Place::Root } else { Place::In(5, 3) }, "x"));
        take(&update(&[(5, clock, &back_and_forth.collect::<Vec<_>>())])).unwrap();
        take(&deletion(5, clock, 2_000)).unwrap();
        clock += 2_000;
    }
    assert!(is_too_deep(&take(&update(&[(7, 0, &chain(7, 0, FITS + 1))]))));
    take(&update(&[(6, 0, &[map_at(Place::In(5, FITS - 2))])])).unwrap();
    assert!(is_too_deep(&take(&update(&[(6, 1, &[map_at(Place::In(6, 0))])]))));
}
