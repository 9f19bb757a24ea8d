//! Histories that npm's `yjs` made, and documents of real editors.

use serde_json::Value;

use crate::support::{Random, check_restore, load};

#[path = "../../../protocol/tests/support/mod.rs"]
mod published;

fn recorded(file: &str) -> Vec<Vec<Vec<u8>>> {
    let file: Value = serde_json::from_str(file).unwrap();
    let updates = |history: &Value| history["updates"].as_array().unwrap().iter().map(base64).collect();
    file["histories"].as_array().unwrap().iter().map(updates).collect()
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

/// Restores a state from within each history, then the newest one.
fn check(histories: &[Vec<Vec<u8>>]) {
    let mut random = Random(histories.len() as u64);
    for (number, log) in histories.iter().enumerate() {
        let middle = random.below(log.len());
        let older = load(&log[..middle]);
        if older.held_bytes() > 0 {
            // The updates before do not make a state.
            continue;
        }
        let mut replica = load(log);
        let newest = replica.snapshot();
        check_restore(&mut replica, &older.snapshot(), &format!("history {number}, state {middle}"));
        check_restore(&mut replica, &newest, &format!("history {number}, newest"));
    }
}

#[test]
fn histories_of_yjs() {
    for file in [
        include_str!("../data/yjs-histories-maps.json"),
        include_str!("../data/yjs-histories-texts.json"),
        include_str!("../data/yjs-histories-lists.json"),
        include_str!("../data/yjs-histories-merged.json"),
        include_str!("../data/yjs-histories-surrogates.json"),
    ] {
        let histories = recorded(file);
        assert!(histories.len() > 1);
        check(&histories);
    }
}

#[test]
fn published_histories() {
    let histories: Vec<_> = published::histories().into_iter().filter(|log| !log.is_empty()).step_by(5).collect();
    assert!(histories.len() > 10);
    check(&histories);
}

/// Each is emptied, and filled again from nothing.
#[test]
fn documents_of_editors() {
    let updates = published::all_updates();
    let documents: Vec<_> = updates.iter().filter(|(name, _)| name.starts_with("y-octo")).collect();
    assert_eq!(documents.len(), 5);
    for (name, document) in documents {
        let mut replica = load(&[document]);
        let newest = replica.snapshot();
        check_restore(&mut replica, &[0, 0], &format!("{name}, emptied"));
        check_restore(&mut replica, &newest, &format!("{name}, filled"));
        let mut elsewhere = load(&[[0u8, 0]]);
        check_restore(&mut elsewhere, &newest, &format!("{name}, elsewhere"));
    }
}
