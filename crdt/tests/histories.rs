//! Histories that npm's `yjs` made, in any order, end where Yjs says that they end. `tests/clients/make-vectors.mjs`
//! writes them and documents their format.

#![expect(clippy::unwrap_used, reason = "a recorded history that cannot be read fails the test")]

#[path = "common/sliced.rs"]
mod sliced;
#[path = "../../protocol/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use serde_json::{Map as JsonMap, Value, json};
use synapti_crdt::{AsideLimits, Digest, Op, Replica, Sender};
use yrs::{
    Doc, GetString as _, ReadTxn as _, StateVector, Transact as _, Update, types::ToJson as _,
    updates::decoder::Decode as _,
};

/// Updates of one transaction: one by one, as the store does, and a few at once, as a busy room does.
const BATCHES: [usize; 2] = [1, 5];
const SHUFFLES: u64 = 4;

struct History {
    seed: u64,
    updates: Vec<Vec<u8>>,
    expected: Value,
    state_vector: BTreeMap<u64, u32>,
}

fn histories(file: &str) -> Vec<History> {
    let file: Value = serde_json::from_str(file).unwrap();
    let read = |history: &Value| History {
        seed: history["seed"].as_u64().unwrap(),
        updates: history["updates"].as_array().unwrap().iter().map(base64).collect(),
        expected: normal(&history["expected"]),
        state_vector: clocks(&StateVector::decode_v1(&base64(&history["stateVector"])).unwrap()),
    };
    file["histories"].as_array().unwrap().iter().map(read).collect()
}

fn check(file: &str) {
    for history in histories(file) {
        let mut digests = Vec::new();
        for (order, updates) in orders(&history) {
            for batch in BATCHES {
                let name = format!("history {}, {order}, {batch} at a time", history.seed);
                digests.push(check_order(&history, &updates, batch, &name));
            }
        }
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "history {}: the digests differ", history.seed);
    }
}

/// Applies the updates in this order and compares the document, what it says it integrated, and a replay of that.
fn check_order(history: &History, updates: &[&[u8]], batch: usize, name: &str) -> Digest {
    let mut replica = Replica::new(u64::MAX >> 11, AsideLimits::default());
    let mut journal = Vec::new();
    for batch in updates.chunks(batch) {
        let ops = batch.iter().map(|update| Op::Update { update, from: Sender(1) });
        let applied = replica.apply(ops, 0);
        assert!(applied.results.iter().all(Result::is_ok), "{name}: {:?}", applied.results);
        journal.extend(applied.update);
    }
    assert_eq!(replica.held_bytes(), 0, "{name}: something still waits");
    assert_same(&replica.snapshot(), history, &format!("{name}, snapshot"));

    let replayed = Replica::load(1, AsideLimits::default(), journal.iter().map(Vec::as_slice)).unwrap();
    assert_same(&replayed.snapshot(), history, &format!("{name}, replayed"));
    assert_eq!(replayed.digest(), replica.digest(), "{name}, replayed");
    replica.digest()
}

fn assert_same(state: &[u8], history: &History, name: &str) {
    let doc = Doc::new();
    let (text, list) = (doc.get_or_insert_text("text"), doc.get_or_insert_array("list"));
    let maps = ["meta", "nodes", "edges"].map(|root| (root, doc.get_or_insert_map(root)));
    doc.transact_mut().apply_update(Update::decode_v1(state).unwrap()).unwrap();
    let txn = doc.transact();
    let mut read = json!({"text": text.get_string(&txn), "list": list.to_json(&txn)});
    for (root, map) in maps {
        read[root] = json!(map.to_json(&txn));
    }
    assert_eq!(normal(&read), history.expected, "{name}");
    assert_eq!(clocks(&txn.state_vector()), history.state_vector, "{name}");
}

/// The updates as they were made, reversed, all of them twice, and shuffled.
fn orders(history: &History) -> Vec<(String, Vec<&[u8]>)> {
    let made: Vec<&[u8]> = history.updates.iter().map(Vec::as_slice).collect();
    let reversed = made.iter().rev().copied().collect();
    let twice = shuffled(made.repeat(2), history.seed);
    let mut orders = vec![("as made".into(), made.clone()), ("reversed".into(), reversed), ("twice".into(), twice)];
    orders.extend((0..SHUFFLES).map(|n| (format!("shuffle {n}"), shuffled(made.clone(), history.seed * 10 + n))));
    orders
}

/// Fisher-Yates with the numbers of a splitmix64 generator.
fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        items.swap(last, (mixed ^ (mixed >> 31)) as usize % (last + 1));
    }
    items
}

fn clocks(state_vector: &StateVector) -> BTreeMap<u64, u32> {
    state_vector.iter().map(|(client, &clock)| (client.get(), clock)).collect()
}

/// JavaScript has one kind of number; so has this.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(entries) => {
            let entries: JsonMap<String, Value> =
                entries.iter().map(|(key, value)| (key.clone(), normal(value))).collect();
            entries.into()
        }
        other => other.clone(),
    }
}

fn base64(value: &Value) -> Vec<u8> {
    let sextet = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = value.as_str().unwrap().bytes().filter(|&byte| byte != b'=').map(sextet).collect();
    let decode = |group: &[u8]| {
        let bits = group.iter().enumerate().fold(0, |bits, (at, &digit)| bits | u32::from(digit) << (18 - 6 * at));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(decode).collect()
}

#[test]
fn maps() {
    check(include_str!("data/yjs-histories-maps.json"));
}

#[test]
fn texts() {
    check(include_str!("data/yjs-histories-texts.json"));
}

#[test]
fn lists() {
    check(include_str!("data/yjs-histories-lists.json"));
}

#[test]
fn updates_with_skips() {
    check(include_str!("data/yjs-histories-merged.json"));
}

#[test]
fn edits_between_the_halves_of_surrogate_pairs() {
    check(include_str!("data/yjs-histories-surrogates.json"));
}

#[test]
fn answers_can_be_sliced() {
    for file in [
        include_str!("data/yjs-histories-maps.json"),
        include_str!("data/yjs-histories-texts.json"),
        include_str!("data/yjs-histories-lists.json"),
        include_str!("data/yjs-histories-merged.json"),
    ] {
        let slices: usize = histories(file).iter().map(|history| sliced::check_slices(&history.updates, true)).sum();
        assert!(slices > 1_000, "{slices}");
    }
    for history in histories(include_str!("data/yjs-histories-surrogates.json")) {
        sliced::check_slices(&history.updates, false);
    }
}

#[test]
fn answers_of_published_histories_can_be_sliced() {
    for history in support::histories().into_iter().step_by(10) {
        sliced::check_slices(&history, true);
    }
    for (name, document) in support::all_updates().into_iter().filter(|(name, _)| name.starts_with("y-octo")) {
        assert!(sliced::check_slices(&[document], true) > 4, "{name}");
    }
}

/// The smallest cases, with what every Yjs replica shows.
#[test]
fn half_a_character_becomes_a_replacement_character() {
    const INSERT: &str = "010101000401047465787404f09f988000";
    const INSERT_BETWEEN: &str = "01010200c401000101015800";
    for (updates, expected) in [
        (&[INSERT, INSERT_BETWEEN][..], "\u{FFFD}X\u{FFFD}"),
        (&[INSERT, "000101010001"], "\u{FFFD}"),
        (&[INSERT, "000101010101"], "\u{FFFD}"),
        // The author of the character types on: its clocks must not have moved.
        (&[INSERT, INSERT_BETWEEN, "010101028401010362636400", "01010105840104016500"], "\u{FFFD}X\u{FFFD}bcde"),
        // An author who typed the halves one by one sent U+FFFD for the first, and then both as one character.
        (&["010101000401047465787403efbfbd00", "010101000401047465787405f09f98807a00"], "\u{FFFD}\u{FFFD}z"),
    ] {
        let mut replica = Replica::new(9, AsideLimits::default());
        for update in updates {
            let update = hex(update);
            let applied = replica.apply([Op::Update { update: &update, from: Sender(1) }], 0);
            assert!(applied.results[0].is_ok());
        }
        let doc = Doc::new();
        let text = doc.get_or_insert_text("text");
        doc.transact_mut().apply_update(Update::decode_v1(&replica.snapshot()).unwrap()).unwrap();
        assert_eq!(text.get_string(&doc.transact()), expected);
        assert_eq!(replica.held_bytes(), 0);
    }
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
