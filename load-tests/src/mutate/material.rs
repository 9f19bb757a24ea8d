//! Real messages, from which hostile ones are made. All are data of the tests of `protocol` and `crdt`, whose READMEs name
//! source and licence, or are written here.

use anyhow::{Context as _, bail};
use synapti_protocol::{
    awareness::{self, AwarenessEntry},
    lib0::{Reader, write_var_uint},
    limits::NESTING_MAX,
    message::{encode_ack, encode_notice, encode_permission_denied},
};

use crate::update::Author;

/// Larger documents are sent seldom: they take time and find little that smaller ones do not.
const LARGE_BYTES: usize = 8 << 10;

/// Of so many histories one is taken from the large collection.
const HISTORIES_EVERY: usize = 5;

macro_rules! data {
    ($path:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../", $path)).as_slice()
    };
}

/// Randomised histories of Yjs documents.
const HISTORIES: &[u8] = data!("protocol/tests/data/y-crdt-histories-quarter.bin");

/// Histories of Yjs documents as JSON.
const OUR_HISTORIES: [&[u8]; 4] = [
    data!("crdt/tests/data/yjs-histories-lists.json"),
    data!("crdt/tests/data/yjs-histories-maps.json"),
    data!("crdt/tests/data/yjs-histories-surrogates.json"),
    data!("crdt/tests/data/yjs-histories-texts.json"),
];

/// Documents of a real editor, each one update.
const DOCUMENTS: [&[u8]; 5] = [
    data!("protocol/tests/data/y-octo-basic.bin"),
    data!("protocol/tests/data/y-octo-database.bin"),
    data!("protocol/tests/data/y-octo-edge-case-left-right-same-node.bin"),
    data!("protocol/tests/data/y-octo-large.bin"),
    data!("protocol/tests/data/y-octo-with-subdoc.bin"),
];

/// What clients really send.
pub struct Material {
    /// Documents as they came to be: each a sequence of updates.
    pub histories: Vec<Vec<Vec<u8>>>,
    /// Whole large documents.
    pub large: Vec<Vec<u8>>,
    /// State vectors.
    pub state_vectors: Vec<Vec<u8>>,
    /// Presence.
    pub presence: Vec<Vec<u8>>,
    /// Whole messages of the other kinds.
    pub others: Vec<Vec<u8>>,
}

impl Material {
    /// Reads the data that is built in.
    pub fn new() -> anyhow::Result<Self> {
        let mut histories: Vec<_> = published()?.into_iter().step_by(HISTORIES_EVERY).collect();
        for json in OUR_HISTORIES {
            histories.extend(ours(json)?);
        }
        histories.push(by_hand());
        let documents = DOCUMENTS.map(<[u8]>::to_vec).into_iter();
        let (large, small): (Vec<_>, Vec<_>) = documents.partition(|document| document.len() > LARGE_BYTES);
        histories.extend(small.into_iter().map(|document| vec![document]));
        histories.retain(|history| !history.is_empty());
        Ok(Self {
            histories,
            large,
            state_vectors: state_vectors(),
            presence: presence(),
            others: vec![
                vec![3],
                encode_ack(7),
                encode_notice(r#"{"kind":"unsaved"}"#),
                encode_permission_denied("read only"),
            ],
        })
    }
}

fn published() -> anyhow::Result<Vec<Vec<Vec<u8>>>> {
    let mut reader = Reader::new(HISTORIES);
    let count = reader.count(1)?;
    let mut histories = Vec::with_capacity(count);
    for _ in 0..count {
        let updates = reader.count(1)?;
        let updates = (0..updates).map(|_| Ok(reader.var_bytes()?.to_vec()));
        histories.push(updates.collect::<anyhow::Result<_>>()?);
        // The expected text, map and array.
        reader.var_str()?;
        reader.skip_any(NESTING_MAX)?;
        reader.skip_any(NESTING_MAX)?;
    }
    reader.finish()?;
    Ok(histories)
}

fn ours(json: &[u8]) -> anyhow::Result<Vec<Vec<Vec<u8>>>> {
    let file: serde_json::Value = serde_json::from_slice(json)?;
    let histories = file["histories"].as_array().context("there are no histories in the file")?;
    let history = |history: &serde_json::Value| {
        let updates = history["updates"].as_array().context("there are no updates in the history")?;
        updates.iter().map(|update| base64(update.as_str().unwrap_or_default())).collect()
    };
    histories.iter().map(history).collect()
}

/// Keys that are set again and again, and a text of which pieces are deleted.
fn by_hand() -> Vec<Vec<u8>> {
    let (mut ada, mut bob) = (Author::new(71), Author::new(4_000_000_000));
    let (mut over, mut updates) = (None, Vec::new());
    for step in 0..12 {
        let mut draft = ada.draft();
        let set = draft.set("idea", &format!("version {step}"), over);
        let piece = draft.append("a piece of the text ");
        updates.push(draft.finish());
        let mut draft = bob.draft();
        draft.append("another ");
        draft.delete(piece);
        over = Some(draft.set("idea", "no, this", Some(set.id)).id);
        updates.push(draft.finish());
    }
    updates
}

fn state_vectors() -> Vec<Vec<u8>> {
    let clients: [&[(u64, u64)]; 3] = [&[], &[(71, 12)], &[(4_000_000_000, 90), (71, 250), (1, 1)]];
    let encode = |clients: &[(u64, u64)]| {
        let mut bytes = Vec::new();
        write_var_uint(&mut bytes, clients.len() as u64);
        for (client, clock) in clients {
            write_var_uint(&mut bytes, *client);
            write_var_uint(&mut bytes, *clock);
        }
        bytes
    };
    clients.into_iter().map(encode).collect()
}

fn presence() -> Vec<Vec<u8>> {
    let ada = AwarenessEntry { client: 71, clock: 3, state: r##"{"user":{"name":"Ada","color":"#8B5CF6"}}"## };
    let bob = AwarenessEntry { client: 4_000_000_000, clock: 9, state: r#"{"cursor":{"x":1.5e3,"y":[0,null,"é"]}}"# };
    let gone = AwarenessEntry { client: 71, clock: 4, state: "null" };
    [&[][..], &[ada], &[bob], &[ada, bob], &[gone]].map(awareness::encode).into()
}

fn base64(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut word, mut bits) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => bail!("this is no base64: {text}"),
        };
        word = word << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits) as u8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use synapti_protocol::{message, update};

    use super::*;

    #[test]
    fn all_of_it_is_in_order_before_it_is_mutated() {
        let material = Material::new().unwrap();
        assert!(material.histories.len() > 250, "{}", material.histories.len());
        assert!(!material.large.is_empty());
        for update in material.histories.iter().flatten().chain(&material.large) {
            assert!(update::scan(update).is_ok());
        }
        assert!(material.state_vectors.iter().all(|vector| update::scan_state_vector(vector).is_ok()));
        assert!(material.presence.iter().all(|payload| awareness::scan(payload).is_ok()));
        assert!(material.others.iter().all(|message| message::parse(message).is_ok()));
    }
}
