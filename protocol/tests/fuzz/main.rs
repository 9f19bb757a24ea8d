//! Fuzzing without a special toolchain: every target is fed its corpus, then mutations of it.
//!
//! `FUZZ_ITERATIONS` sets the number of mutations per target, `FUZZ_SEED` where the random numbers begin; a failure
//! prints both, and the input. An input that failed belongs into `tests/corpus/<target>/`, where it is replayed
//! from then on.

mod mutate;
mod targets;

#[path = "../support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::panic::catch_unwind;
use std::path::Path;

use mutate::Mutator;

const ITERATIONS_DEFAULT: u64 = 5_000;
const SEED_DEFAULT: u64 = 0x5eed;

/// Larger inputs take time and find nothing that smaller ones do not.
const INPUT_BYTES_MAX: usize = 4 << 10;

fn setting(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else {
        return default;
    };
    text.parse().unwrap_or_else(|_| panic!("{name} is not a number"))
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let entries = std::fs::read_dir(&folder).expect("the target has a corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    let inputs = paths.iter().map(|path| std::fs::read(path).expect("a readable file"));
    inputs.collect()
}

fn run(name: &str, target: fn(&[u8])) {
    fuzz(name, target, corpus(name));
}

fn fuzz(name: &str, target: fn(&[u8]), mut inputs: Vec<Vec<u8>>) {
    assert!(!inputs.is_empty(), "{name} has no corpus");
    for input in &inputs {
        check(name, target, input, "corpus");
    }
    inputs.retain(|input| input.len() <= INPUT_BYTES_MAX);
    let seed = setting("FUZZ_SEED", SEED_DEFAULT);
    let mut mutator = Mutator::new(seed);
    for iteration in 0..setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT) {
        let input = mutator.mutation_of(&inputs);
        check(name, target, &input, &format!("FUZZ_SEED={seed}, iteration {iteration}"));
    }
}

fn check(name: &str, target: fn(&[u8]), input: &[u8], origin: &str) {
    if catch_unwind(|| target(input)).is_err() {
        let hex = input.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("strings take everything");
            hex
        });
        panic!("target {name} failed ({origin}) on {hex}");
    }
}

#[test]
fn message() {
    run("message", targets::message);
}

#[test]
fn hocuspocus() {
    run("hocuspocus", targets::hocuspocus);
}

#[test]
fn awareness() {
    run("awareness", targets::awareness);
}

#[test]
fn update() {
    let mut inputs = corpus("update");
    inputs.extend(support::all_updates().into_iter().step_by(50).map(|(_, update)| update));
    fuzz("update", targets::update, inputs);
}

#[test]
fn state_vector() {
    run("state_vector", targets::state_vector);
}

#[test]
fn json() {
    run("json", targets::json);
}

/// A document cut anywhere is no document: a reader that took less than it needs would show here.
#[test]
fn every_truncation_of_real_updates_is_refused() {
    for (name, update) in support::all_updates() {
        if update.len() > 8 << 10 {
            continue;
        }
        for len in 0..update.len() {
            let verdict = synapti_protocol::update::scan(&update[..len]);
            assert!(verdict.is_err(), "{name} cut to {len} bytes");
        }
    }
}
