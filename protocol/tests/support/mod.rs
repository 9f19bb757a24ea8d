//! Reads the published test data in `tests/data` (its README names source and licence of each file).

use std::path::Path;

use synapti_protocol::lib0::Reader;
use synapti_protocol::limits::NESTING_MAX;

fn data(name: &str) -> Vec<u8> {
    // Spelt so that the tests of the crate next door can share this file.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/tests/data");
    let path = Path::new(folder).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const DAMAGED: &str = "the test data is as it was published";

/// Documents of a real editor (`AFFiNE`), each as one update.
const DOCUMENTS: [&str; 5] = [
    "y-octo-basic.bin",
    "y-octo-database.bin",
    "y-octo-edge-case-left-right-same-node.bin",
    "y-octo-large.bin",
    "y-octo-with-subdoc.bin",
];

/// Every update in the data, with a name for messages.
pub fn all_updates() -> Vec<(String, Vec<u8>)> {
    let documents = DOCUMENTS.iter().map(|name| ((*name).to_owned(), data(name)));
    let histories = histories().into_iter().enumerate().flat_map(|(number, history)| {
        history.into_iter().enumerate().map(move |(step, update)| (format!("history {number}, update {step}"), update))
    });
    documents.chain(compat()).chain(histories).collect()
}

/// The three documents by which Yjs checks that it still reads version 13's first format.
fn compat() -> Vec<(String, Vec<u8>)> {
    let text = String::from_utf8(data("yjs-compat-13.json")).expect(DAMAGED);
    text.split("\"update_base64\": \"")
        .skip(1)
        .enumerate()
        .map(|(number, rest)| {
            let encoded = rest.split('"').next().expect(DAMAGED);
            (format!("compat {number}"), base64(encoded))
        })
        .collect()
}

/// Randomised histories of Yjs documents: the updates of each in the order in which they were made.
pub fn histories() -> Vec<Vec<Vec<u8>>> {
    let bytes = data("y-crdt-histories-quarter.bin");
    let mut reader = Reader::new(&bytes);
    let run_count = reader.count(1).expect(DAMAGED);
    let mut histories = Vec::with_capacity(run_count);
    for _ in 0..run_count {
        let count = reader.count(1).expect(DAMAGED);
        let updates = (0..count).map(|_| reader.var_bytes().expect(DAMAGED).to_vec());
        histories.push(updates.collect());
        // The expected text, map and array.
        reader.var_str().expect(DAMAGED);
        reader.skip_any(NESTING_MAX).expect(DAMAGED);
        reader.skip_any(NESTING_MAX).expect(DAMAGED);
    }
    reader.finish().expect(DAMAGED);
    histories
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let (mut word, mut bits) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let digit = ALPHABET.iter().position(|known| *known == byte).expect(DAMAGED);
        word = word << 6 | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    out
}
