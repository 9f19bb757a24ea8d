//! What waits at the gate: for how long, how much, and whose it is.

use synapti_crdt::map::{MapEdit, NewNode, NodePatch};
use synapti_crdt::{ApplyError, AsideLimits, Op, Replica, Sender};
use yrs::{Map, MapRef, Out, ReadTxn, Text, Transact};

use crate::support::{Place, Watched, bare_of, deletion, text, update};

fn piece(clock: u32, content: &str) -> Vec<u8> {
    let place = if clock == 0 { Place::Root } else { Place::After(1, clock - 1) };
    update(&[(1, clock, &[text(place, content)])])
}

#[test]
fn a_hole_is_closed_whatever_fills_it() {
    // The missing part comes alone, within something longer, or overlapping both sides.
    for (start, filler) in [(2, "cd"), (0, "abcd"), (1, "bcde"), (0, "abcdefg")] {
        let mut room = Watched::new();
        room.take(&piece(0, "ab"), 1).unwrap();
        room.take(&piece(4, "ef"), 2).unwrap();
        room.take(&piece(6, "g"), 3).unwrap();
        assert_eq!(room.text(), "ab");
        assert_eq!([1, 2, 3].map(|from| room.replica.held_from(Sender(from))), [0, 1, 1]);
        room.take(&piece(start, filler), 4).unwrap();
        assert_eq!(room.text(), "abcdefg", "{filler} at {start}");
        assert_eq!(room.replica.held_bytes(), 0);
        assert_eq!([2, 3].map(|from| room.replica.held_from(Sender(from))), [0, 0]);
        room.check_reloads();
    }
}

#[test]
fn pieces_that_overlap_each_other_join() {
    let mut room = Watched::new();
    for (clock, content) in [(5, "fgh"), (3, "def"), (4, "e"), (3, "de"), (6, "ghij")] {
        room.take(&piece(clock, content), 1).unwrap();
    }
    assert!(room.journal.is_empty());
    room.take(&piece(0, "abcd"), 1).unwrap();
    assert_eq!((room.text().as_str(), room.replica.held_bytes()), ("abcdefghij", 0));
    assert_eq!(room.journal.len(), 1);
    room.check_reloads();
}

#[test]
fn deletions_wait_for_what_they_delete() {
    let mut room = Watched::new();
    room.take(&piece(0, "ab"), 1).unwrap();
    room.take(&deletion(1, 1, 3), 2).unwrap();
    assert_eq!(room.text(), "a", "what is there is deleted at once");
    assert_eq!(room.replica.held_from(Sender(2)), 1);
    room.take(&piece(2, "c"), 1).unwrap();
    assert_eq!(room.replica.held_from(Sender(2)), 1, "one element is still to come");
    room.take(&piece(3, "de"), 1).unwrap();
    assert_eq!((room.text().as_str(), room.replica.held_bytes()), ("ae", 0));
    room.check_reloads();
}

#[test]
fn the_same_piece_waits_for_everybody_who_sent_it() {
    let mut room = Watched::new();
    for from in [1, 2, 1] {
        room.take_at(&piece(2, "c"), from, from * 10).unwrap();
        room.take_at(&deletion(7, 0, 1), from, from * 10).unwrap();
    }
    assert_eq!([1, 2].map(|from| room.replica.held_from(Sender(from))), [2, 2]);
    room.take(&piece(0, "ab"), 3).unwrap();
    assert_eq!([1, 2].map(|from| room.replica.held_from(Sender(from))), [1, 1]);
    assert_eq!(room.text(), "abc");
    assert_eq!(room.replica.expire_held(u64::MAX).collect::<Vec<_>>(), [Sender(1), Sender(2)]);
    assert_eq!(room.replica.held_bytes(), 0);
}

#[test]
fn what_overflows_is_of_one_sender_and_can_be_sent_again() {
    let limits = AsideLimits { bytes_max: 2_000 };
    let mut room = Watched::with_limits(limits);
    room.take(&piece(1, "b"), 1).unwrap();
    let long = "x".repeat(700);
    let greedy: Vec<_> =
        (0..3).map(|n| update(&[(2, 1 + n * 700, &[text(Place::After(2, n * 700), &long)])])).collect();
    let results: Vec<_> = greedy.iter().map(|update| room.take(update, 2)).collect();
    assert!(results[0].is_ok() && results[1].is_ok());
    assert!(matches!(results[2], Err(ApplyError::AsideFull)));
    assert_eq!([1, 2].map(|from| room.replica.held_from(Sender(from))), [1, 0]);
    assert!(room.replica.held_bytes() < limits.bytes_max);

    room.take(&update(&[(2, 0, &[text(Place::Root, "2")])]), 2).unwrap();
    for update in &greedy {
        room.take(update, 2).unwrap();
    }
    room.take(&piece(0, "a"), 1).unwrap();
    assert_eq!((room.clock(1), room.clock(2), room.replica.held_bytes()), (2, 2101, 0));
    room.check_reloads();
}

#[test]
fn an_update_with_a_hole_at_its_end_does_not_count_what_passes() {
    let limits = AsideLimits { bytes_max: 4_000 };
    let mut room = Watched::with_limits(limits);
    // 1,000 letters of two clients, each behind the other's, and then something that has to wait.
    let letters = |own: u64, other: u64| -> Vec<Vec<u8>> {
        (0..500_u32)
            .map(|at| match (own, at) {
                (1, 0) => text(Place::Root, "o"),
                (1, _) => text(Place::After(other, at - 1), "o"),
                _ => text(Place::After(other, at), "t"),
            })
            .collect()
    };
    let sections: [(u64, u32, &[Vec<u8>]); 3] =
        [(3, 5, &[text(Place::After(3, 4), "late")]), (2, 0, &letters(2, 1)), (1, 0, &letters(1, 2))];
    room.take(&update(&sections), 1).unwrap();
    assert_eq!((room.clock(1), room.clock(2), room.clock(3)), (500, 500, 0));
    assert_eq!(room.replica.held_from(Sender(1)), 1);
    room.check_reloads();
}

#[test]
fn what_the_store_holds_waits_for_whoever_brings_the_rest() {
    let mut room = Watched::new();
    room.take_at(&piece(2, "c"), 0, 100).unwrap();
    assert_eq!(room.replica.expire_held(u64::MAX).count(), 0, "nobody could send it again");
    assert_eq!(room.replica.held_from(Sender::default()), 1);
    room.take(&piece(0, "ab"), 1).unwrap();
    assert_eq!((room.text().as_str(), room.replica.held_bytes()), ("abc", 0));
}

#[test]
fn expiry_spares_what_came_later() {
    let mut room = Watched::new();
    room.take_at(&piece(2, "c"), 1, 100).unwrap();
    room.take_at(&piece(3, "d"), 2, 200).unwrap();
    assert_eq!(room.replica.expire_held(100).count(), 0);
    assert_eq!(room.replica.expire_held(101).collect::<Vec<_>>(), [Sender(1)]);
    assert_eq!([1, 2].map(|from| room.replica.held_from(Sender(from))), [0, 1]);
    room.take(&piece(0, "ab"), 1).unwrap();
    assert_eq!(room.text(), "ab");
    room.take(&piece(2, "c"), 1).unwrap();
    assert_eq!((room.text().as_str(), room.replica.held_bytes()), ("abcd", 0));
}

#[test]
fn a_clients_edit_of_what_the_server_wrote_passes_at_once() {
    let mut room = Watched::new();
    let init = MapEdit::Init { topic: "Tea".into(), root: None, created_at: "2026-01-01T00:00:00Z".into() };
    let node = MapEdit::AddNode(NewNode::new("n", "Green 🍵"));
    let results = room.apply([Op::Edit(&init), Op::Edit(&node)], 0);
    assert!(results.iter().all(Result::is_ok), "{results:?}");

    let client = bare_of(&room.replica.snapshot());
    let nodes: MapRef = client.get_or_insert_map("nodes");
    let mut txn = client.transact_mut();
    let Some(Out::YMap(node)) = nodes.get(&txn, "n") else { panic!("the node is there") };
    let Some(Out::YText(title)) = node.get(&txn, "title") else { panic!("the title is a text") };
    title.insert(&mut txn, 0, "Fresh ");
    txn.commit();
    let typed = txn.encode_update_v1();
    drop(txn);

    let rename = MapEdit::PatchNode {
        id: "n".into(),
        patch: NodePatch { title: Some("Fresh green 🍵".into()), ..NodePatch::default() },
    };
    let ops = [Op::Update { update: &typed, from: Sender(1) }, Op::Edit(&rename)];
    assert!(room.apply(ops, 0).iter().all(Result::is_ok));
    assert_eq!(room.replica.held_bytes(), 0);
    assert_eq!(room.replica.map().nodes["n"].title, "Fresh green 🍵");
    room.check_reloads();
}

#[test]
fn a_diff_holds_what_the_other_lacks() {
    let mut room = Watched::new();
    room.take(&piece(0, "ab"), 1).unwrap();
    let behind = room.replica.state_vector();
    room.take(&piece(2, "cd"), 1).unwrap();
    room.take(&deletion(1, 0, 1), 1).unwrap();
    let mut other = Replica::new(5, AsideLimits::default());
    for update in [piece(0, "ab"), room.replica.diff(&behind).unwrap()] {
        let op = Op::Update { update: &update, from: Sender(1) };
        other.apply([op], 0).results.pop().unwrap().unwrap();
    }
    assert_eq!(other.digest(), room.replica.digest());
    assert!(room.replica.diff(b"\xff").is_err());
    let doc = bare_of(&other.snapshot());
    assert!(doc.transact().store().pending_update().is_none());
}

#[test]
fn at_the_bound_whoever_has_most_waiting_loses_it() {
    let mut room = Watched::with_limits(AsideLimits { bytes_max: 4_000 });
    let late = |client: u64, len: usize| update(&[(client, 1, &[text(Place::After(client, 0), &"x".repeat(len))])]);
    room.take(&late(1, 100), 1).unwrap();
    room.take(&late(2, 3_000), 2).unwrap();
    room.take(&late(3, 1_000), 3).unwrap();
    assert!(matches!(room.refused[..], [(Sender(2), ApplyError::AsideFull)]), "{:?}", room.refused);
    assert_eq!([1, 2, 3].map(|from| room.replica.held_from(Sender(from))), [1, 0, 1]);
    // Whoever would become the heaviest by it loses what it sends.
    assert!(matches!(room.take(&late(1, 3_000), 1), Err(ApplyError::AsideFull)));
    assert_eq!([1, 2, 3].map(|from| room.replica.held_from(Sender(from))), [0, 0, 1]);
    room.take(&update(&[(3, 0, &[text(Place::Root, "3")])]), 4).unwrap();
    assert_eq!((room.clock(3), room.replica.held_bytes()), (1_001, 0));
}

#[test]
fn what_the_store_holds_gives_way_to_nobody() {
    let mut room = Watched::with_limits(AsideLimits { bytes_max: 1_000 });
    let long = update(&[(5, 1, &[text(Place::After(5, 0), &"x".repeat(2_000))])]);
    room.take(&long, 0).unwrap();
    assert!(matches!(room.take(&piece(2, "c"), 1), Err(ApplyError::AsideFull)));
    assert_eq!(room.replica.held_from(Sender::default()), 1);
}

/// What a client wrote offline for weeks, of which the first struct has not arrived.
#[test]
fn the_largest_message_can_wait_as_a_whole() {
    let structs: Vec<Vec<u8>> =
        (1..=900_000_u32).map(|clock| text(Place::After(1, clock - 1), "abcdefghijkl")).collect();
    let mut ranges = Vec::new();
    for clock in (1..600_000).step_by(6) {
        ranges.push((clock, 1));
    }
    let mut writer = synapti_protocol::update::UpdateWriter::new();
    let bytes = structs.concat();
    writer.section(1, 1, structs.len() as u32, [&bytes[..]]);
    writer.delete(1, &ranges);
    let update = writer.finish();
    assert!((15 << 20..16 << 20).contains(&update.len()), "{} bytes", update.len());
    let mut replica = Replica::new(9, AsideLimits::default());
    let applied = replica.apply([Op::Update { update: &update, from: Sender(1) }], 0);
    assert!(applied.results[0].is_ok() && applied.update.is_none(), "{:?}", applied.results);
    assert!(replica.held_bytes() > update.len());
}
