//! The scanner of `synapti-protocol` against yrs: what it accepts, yrs decodes, and to the same end.
//!
//! `FUZZ_ITERATIONS` and `FUZZ_SEED` steer the mutations, as in the protocol's own fuzz test.

#[path = "../../protocol/tests/fuzz/mutate.rs"]
mod mutate;
#[path = "../../protocol/tests/support/mod.rs"]
mod support;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::Path;

use mutate::Mutator;
use synapti_protocol::json::{JsonFault, validate_portable};
use synapti_protocol::lib0::write_var_str;
use synapti_protocol::update::{
    DeleteRange, EMPTY_UPDATE, StructKind, UpdateView, UpdateWriter, modernize, scan, scan_state_vector,
};
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::{Any, Doc, Map, ReadTxn, StateVector, Transact, Update};

const ITERATIONS_DEFAULT: u64 = 20_000;
const SEED_DEFAULT: u64 = 0x5eed;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/tests/corpus");
    let entries = std::fs::read_dir(Path::new(folder).join(target)).expect("the corpus exists");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// What yrs may be given: the update itself, or what `modernize` makes of it.
fn readable<'a>(view: &UpdateView<'a>) -> Cow<'a, [u8]> {
    if view.needs_modernizing() { modernize(view).into() } else { view.bytes().into() }
}

/// Ranges by client, without overlaps.
fn merged(ranges: impl Iterator<Item = (u64, u32, u32)>) -> BTreeMap<u64, Vec<(u32, u32)>> {
    let mut sorted: Vec<_> = ranges.filter(|(_, start, end)| start < end).collect();
    sorted.sort_unstable();
    let mut clients: BTreeMap<u64, Vec<(u32, u32)>> = BTreeMap::new();
    for (client, start, end) in sorted {
        let ranges = clients.entry(client).or_default();
        match ranges.last_mut() {
            Some(last) if last.1 >= start => last.1 = last.1.max(end),
            _ => ranges.push((start, end)),
        }
    }
    clients
}

/// Checks that yrs sees in `bytes` what the scanner sees; true when the scanner accepts them.
fn agrees_with_yrs(bytes: &[u8]) -> bool {
    let Ok(view) = scan(bytes) else {
        return false;
    };
    let update =
        Update::decode_v1(&readable(&view)).unwrap_or_else(|error| panic!("yrs refuses {}: {error}", hex(bytes)));

    let structs = view
        .sections()
        .flat_map(|section| section.structs().map(move |next| (section.client, next.clock, next.end(), next.kind)));
    let inserted =
        structs.filter(|(_, _, _, kind)| *kind != StructKind::Skip).map(|(client, start, end, _)| (client, start, end));
    let insertions = update.insertions(true);
    let yrs_inserted = insertions
        .iter()
        .flat_map(|(client, ranges)| ranges.iter().map(|range| (client.get(), range.start, range.end)));
    assert_eq!(merged(inserted), merged(yrs_inserted), "insertions of {}", hex(bytes));

    let deleted = view.delete_set().map(|DeleteRange { client, clock, len }| (client, clock, clock + len));
    let yrs_deleted = update
        .delete_set()
        .iter()
        .flat_map(|(client, ranges)| ranges.iter().map(|range| (client.get(), range.start, range.end)));
    assert_eq!(merged(deleted), merged(yrs_deleted), "deletions of {}", hex(bytes));
    true
}

#[test]
fn yrs_reads_every_published_update_as_the_scanner_does() {
    for (name, update) in support::all_updates() {
        assert!(agrees_with_yrs(&update), "{name}");
    }
}

#[test]
fn yrs_reads_whatever_the_scanner_accepts() {
    let mut inputs = corpus("update");
    for input in &inputs {
        agrees_with_yrs(input);
    }
    inputs.extend(support::all_updates().into_iter().step_by(50).map(|(_, update)| update));
    inputs.retain(|input| input.len() <= 4 << 10);
    let mut mutator = Mutator::new(setting("FUZZ_SEED", SEED_DEFAULT));
    let iterations = setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT);
    let accepted = (0..iterations).filter(|_| agrees_with_yrs(&mutator.mutation_of(&inputs))).count();
    // Were nearly everything refused, agreeing would mean nothing.
    assert!(accepted as u64 > iterations / 50, "only {accepted} of {iterations} accepted");
}

#[test]
fn yrs_reads_state_vectors_as_the_scanner_does() {
    let inputs = corpus("state_vector");
    let mut mutator = Mutator::new(setting("FUZZ_SEED", SEED_DEFAULT));
    let mutations = (0..setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT)).map(|_| mutator.mutation_of(&inputs));
    let mut accepted = 0;
    for bytes in inputs.clone().into_iter().chain(mutations) {
        let Ok(view) = scan_state_vector(&bytes) else {
            continue;
        };
        accepted += 1;
        let vector = StateVector::decode_v1(&bytes).expect("what the scanner accepts");
        let expected: BTreeMap<u64, u32> = view.iter().collect();
        let found: BTreeMap<u64, u32> = vector.iter().map(|(client, clock)| (client.get(), *clock)).collect();
        assert_eq!(found, expected, "{}", hex(&bytes));
    }
    assert!(accepted > 100, "only {accepted} accepted");
}

/// Applies an update to a new document and returns the document's own encoding.
fn applied(bytes: &[u8]) -> Vec<u8> {
    let doc = Doc::new();
    let update = Update::decode_v1(bytes).expect("what the scanner accepts");
    // A parent that is no shared type is an error, not a crash.
    let _ = doc.transact_mut().apply_update(update);
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}

#[test]
fn yrs_survives_whatever_the_scanner_accepts() {
    let mut inputs = corpus("update");
    inputs.extend(support::all_updates().into_iter().step_by(20).map(|(_, update)| update));
    inputs.retain(|input| input.len() <= 4 << 10);
    let mut mutator = Mutator::new(setting("FUZZ_SEED", SEED_DEFAULT));
    for _ in 0..setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT) {
        let bytes = mutator.mutation_of(&inputs);
        if let Ok(view) = scan(&bytes) {
            let bytes = readable(&view);
            let encoded = catch_unwind(|| applied(&bytes)).unwrap_or_else(|_| panic!("yrs panics on {}", hex(&bytes)));
            let verdict = scan(&encoded).map(drop);
            assert_eq!(verdict, Ok(()), "what yrs makes of {}", hex(&bytes));
        }
    }
}

#[test]
fn structs_without_length_are_kept_from_yrs() {
    for bytes in [&[1, 1, 1, 0, 0, 0, 0][..], &[1, 1, 1, 0, 10, 0, 0]] {
        let view = scan(bytes).expect("Yjs may write it");
        assert_eq!(applied(&readable(&view)), EMPTY_UPDATE);
    }
}

#[test]
fn modernized_values_mean_what_the_json_meant() {
    let texts = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.5",
        "1e300",
        "2147483647",
        "-2147483648",
        "9007199254740991",
        r#""a\n\u00e9\ud83d\ude00""#,
        "[]",
        "{}",
        r#"{"a":[1,{"b":null}],"c":"d","c":"e"}"#,
    ];
    for text in texts {
        let mut item = vec![0x22, 1, 1, b'm', 1, b'k', 1];
        write_var_str(&mut item, text);
        let mut writer = UpdateWriter::new();
        writer.section(1, 0, 1, [item.as_slice()]);
        let old = writer.finish();
        let modern = modernize(&scan(&old).expect("old, not wrong"));

        let doc = Doc::new();
        let map = doc.get_or_insert_map("m");
        let update = Update::decode_v1(&modern).expect("readable by yrs");
        doc.transact_mut().apply_update(update).expect("nothing is missing");
        let found = map.get(&doc.transact(), "k").expect("the entry").to_json(&doc.transact());
        let expected = Any::from_json(text).expect("JSON");
        assert!(same_value(&found, &expected), "{text}: {found:?}");
    }
}

/// yrs tells integers from floats, JSON and JavaScript do not.
fn same_value(left: &Any, right: &Any) -> bool {
    match (left, right) {
        (Any::Number(left), Any::Number(right)) => left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}

#[test]
fn portable_json_is_what_yrs_parses() {
    let inputs = corpus("json");
    let mut mutator = Mutator::new(setting("FUZZ_SEED", SEED_DEFAULT));
    let iterations = setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT);
    let mutations: Vec<_> = (0..iterations).map(|_| mutator.mutation_of(&inputs)).collect();
    let mut accepted = 0;
    for bytes in inputs.iter().chain(&mutations) {
        let Ok(text) = str::from_utf8(bytes) else {
            continue;
        };
        let by_yrs = Any::from_json(text).is_ok();
        match validate_portable(text) {
            Ok(()) => {
                accepted += 1;
                assert!(by_yrs, "yrs refuses {text}");
            }
            Err(error) if error.fault == JsonFault::Syntax => assert!(!by_yrs, "yrs takes {text}"),
            Err(_) => {}
        }
    }
    assert!(accepted > 100, "only {accepted} accepted");
}
