//! Edits that cut a character of two UTF-16 units in half: what every Yjs replica shows is U+FFFD for each half.
//!
//! The recorded histories are in `histories.rs`; here are the cases that need an order or a batch of their own.

use synapti_crdt::map::{MapEdit, NewNode};
use synapti_crdt::{AsideLimits, Op, Replica, Sender};
use synapti_protocol::update::scan;
use yrs::merge_updates_v1;

use crate::support::{Place, Random, Watched, deletion, text, text_of, update};

const EMOJI: &str = "010101000401047465787404f09f988000";
const INSERT_BETWEEN: &str = "01010200c401000101015800";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn room() -> Watched {
    Watched::without_bare(AsideLimits::default())
}

/// Recorded from npm yjs 13.6.33: the updates, the text, and the clocks of clients 1 and 2.
const RECORDED: [(&[&str], &str, [u32; 2]); 4] = [
    (&[EMOJI, "000101010001"], "\u{FFFD}", [2, 0]),
    (&[EMOJI, INSERT_BETWEEN, "010101028401010362636400", "01010105840104016500"], "\u{FFFD}X\u{FFFD}bcde", [6, 1]),
    // 😀 replaced by 😁 unit by unit.
    (
        &["010101000401047465787408686920f09f98802100", "01010200c40104010503efbfbd0101010401"],
        "hi \u{FFFD}\u{FFFD}!",
        [6, 1],
    ),
    // A deletion that ends in the middle.
    (&["01010100040104746578740661f09f98806200", "000101010002", "01010104840103016300"], "\u{FFFD}bc", [5, 0]),
];

#[test]
fn recorded_cuts_end_as_in_yjs_in_any_order_and_batch() {
    for (updates, expected, clocks) in RECORDED {
        let updates: Vec<Vec<u8>> = updates.iter().map(|hex| bytes(hex)).collect();
        for seed in 0..24 {
            let mut random = Random(seed);
            let mut order: Vec<_> = updates.iter().chain(&updates[..1]).collect();
            random.shuffle(&mut order);
            let mut room = room();
            for batch in order.chunks(1 + random.below(order.len())) {
                room.take_all(batch);
            }
            assert_eq!((room.text().as_str(), [room.clock(1), room.clock(2)]), (expected, clocks), "seed {seed}");
            assert_eq!(room.replica.held_bytes(), 0);
            room.check_reloads();
        }
        // As one update, the way a store or a client's first answer has them.
        let mut room = room();
        room.take(&merge_updates_v1(updates).unwrap(), 1).unwrap();
        assert_eq!(room.text(), expected);
        room.check_reloads();
    }
}

#[test]
fn what_was_replaced_may_come_again() {
    let mut room = room();
    let both = merge_updates_v1([bytes(EMOJI), bytes(INSERT_BETWEEN)]).unwrap();
    for update in [&both, &bytes(EMOJI), &both, &bytes(INSERT_BETWEEN)] {
        room.take(update, 1).unwrap();
    }
    assert_eq!((room.text().as_str(), room.journal.len()), ("\u{FFFD}X\u{FFFD}", 1));
    room.check_reloads();
}

#[test]
fn a_pair_of_which_one_half_is_known_is_cut_there() {
    let mut room = room();
    room.take(&update(&[(1, 0, &[text(Place::Root, "a\u{FFFD}")])]), 1).unwrap();
    room.take(&update(&[(1, 0, &[text(Place::Root, "a😀b")])]), 1).unwrap();
    assert_eq!((room.text().as_str(), room.clock(1)), ("a\u{FFFD}\u{FFFD}b", 4));
    room.check_reloads();
}

#[test]
fn many_cuts_in_one_batch_replace_each_pair() {
    let mut room = room();
    let emoji = "😀".repeat(50);
    room.take(&update(&[(1, 0, &[text(Place::Root, &emoji)])]), 1).unwrap();
    let cut = |client: u64, at: u32| update(&[(client, 0, &[text(Place::Between((1, at), (1, at + 1)), "x")])]);
    // Half of them cut what is there; the others cut what the same batch brings.
    let more = update(&[(1, 100, &[text(Place::After(1, 99), &emoji)])]);
    let cuts = (0..100).map(|n| cut(10 + n, n as u32 * 2));
    let batch: Vec<Vec<u8>> = cuts.clone().take(50).chain([more]).chain(cuts.skip(50)).collect();
    room.take_all(&batch);
    assert_eq!(room.text(), "\u{FFFD}x\u{FFFD}".repeat(100));
    assert_eq!(room.journal.len(), 2);
    room.check_reloads();
}

#[test]
fn a_refused_cut_leaves_the_character_alone() {
    let mut room = room();
    room.take(&bytes(EMOJI), 1).unwrap();
    // It waits for something that never comes, and so does its cut.
    room.take(&update(&[(2, 5, &[text(Place::Between((1, 0), (1, 1)), "x")])]), 2).unwrap();
    assert_eq!((room.text().as_str(), room.replica.held_from(Sender(2))), ("😀", 1));
    room.check_reloads();
}

#[test]
fn characters_of_the_servers_own_edits_are_cut_too() {
    let mut room = room();
    let init = MapEdit::Init { topic: "t".into(), root: None, created_at: "2026-01-01T00:00:00Z".into() };
    let node = MapEdit::AddNode(NewNode::new("n", "😀"));
    // The server's client is 900; somebody who guesses its clocks cuts the title in the very batch that brings it.
    let mut probe = Replica::new(900, AsideLimits::default());
    probe.apply([Op::Edit(&init), Op::Edit(&node)], 0);
    let snapshot = probe.snapshot();
    let second_half = scan(&snapshot)
        .unwrap()
        .sections()
        .flat_map(|section| section.structs())
        .find(|item| item.content == [4, 0xf0, 0x9f, 0x98, 0x80])
        .map(|item| item.clock + 1);
    let cut = deletion(900, second_half.unwrap(), 1);
    let ops = [Op::Edit(&init), Op::Edit(&node), Op::Update { update: &cut, from: Sender(1) }];
    assert!(room.apply(ops, 0).iter().all(Result::is_ok));
    assert_eq!(room.replica.map().nodes["n"].title, "\u{FFFD}");
    assert_eq!(room.journal.len(), 1);
    room.check_reloads();
}

/// Somebody who got the halves one by one has a state vector that ends between them.
#[test]
fn a_diff_from_the_middle_of_a_pair_is_whole() {
    let mut room = room();
    room.take(&update(&[(1, 0, &[text(Place::Root, "a😀b")])]), 1).unwrap();
    let mut other = Watched::without_bare(AsideLimits::default());
    other.take(&update(&[(1, 0, &[text(Place::Root, "a\u{FFFD}")])]), 1).unwrap();
    let diff = room.replica.diff(&other.replica.state_vector()).unwrap();
    let ends: Vec<u32> = scan(&diff).unwrap().sections().map(|section| section.end).collect();
    assert_eq!(ends, [4]);
    other.take(&diff, 1).unwrap();
    assert_eq!((other.text().as_str(), other.clock(1)), ("a\u{FFFD}\u{FFFD}b", 4));
    other.check_reloads();
    assert_eq!(text_of(&crate::support::bare_of(&room.replica.snapshot())), "a😀b");
}
