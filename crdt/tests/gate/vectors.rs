//! Documents and histories that others have published, in any order.

use synapti_protocol::lib0::Reader;
use synapti_protocol::update::{UpdateWriter, scan};
use yrs::encoding::read::Cursor;
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::{Any, Doc, ReadTxn, StateVector, Transact, Update};

use crate::support::{Random, Watched, bare_of, text_of};

const SHUFFLES: u64 = 3;

fn data(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/tests/data/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// One of y-crdt's randomised histories and what it ends in.
pub struct History {
    pub updates: Vec<Vec<u8>>,
    text: String,
    map: Any,
    list: Any,
}

pub fn histories() -> Vec<History> {
    let bytes = data("y-crdt-histories-quarter.bin");
    let mut reader = Reader::new(&bytes);
    let any = |reader: &mut Reader<'_>| {
        let start = reader.position();
        reader.skip_any(64).unwrap();
        Any::decode(&mut Cursor::new(&bytes[start..reader.position()])).unwrap()
    };
    let runs = reader.count(1).unwrap();
    (0..runs)
        .map(|_| {
            let count = reader.count(1).unwrap();
            History {
                updates: (0..count).map(|_| reader.var_bytes().unwrap().to_vec()).collect(),
                text: reader.var_str().unwrap().to_owned(),
                map: any(&mut reader),
                list: any(&mut reader),
            }
        })
        .collect()
}

#[test]
fn histories_end_as_published_in_any_order() {
    for (number, history) in histories().iter().enumerate() {
        let mut digests = Vec::new();
        for shuffle in 0..=SHUFFLES {
            let mut updates: Vec<&Vec<u8>> = history.updates.iter().collect();
            let mut random = Random(number as u64 * 10 + shuffle);
            if shuffle > 0 {
                let again: Vec<_> = updates.iter().copied().filter(|_| random.below(4) == 0).collect();
                updates.extend(again);
                random.shuffle(&mut updates);
            }
            let mut room = Watched::new();
            for batch in updates.chunks(1 + random.below(5)) {
                room.take_all(batch);
            }
            let name = format!("history {number}, shuffle {shuffle}");
            assert_eq!(room.replica.held_bytes(), 0, "{name}");
            let doc = bare_of(&room.replica.snapshot());
            let (map, list) = (doc.get_or_insert_map("map"), doc.get_or_insert_array("array"));
            assert_eq!(text_of(&doc), history.text, "{name}");
            assert_eq!(numbers(map.to_json(&doc.transact())), numbers(history.map.clone()), "{name}");
            assert_eq!(numbers(list.to_json(&doc.transact())), numbers(history.list.clone()), "{name}");
            room.check_reloads();
            digests.push(room.replica.digest());
        }
        assert!(digests.iter().all(|digest| *digest == digests[0]), "history {number}");
    }
}

/// JavaScript has one kind of number.
fn numbers(value: Any) -> serde_json::Value {
    fn normal(value: serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Number(number) => number.as_f64().into(),
            serde_json::Value::Array(items) => items.into_iter().map(normal).collect(),
            serde_json::Value::Object(entries) => {
                entries.into_iter().map(|(key, value)| (key, normal(value))).collect()
            }
            other => other,
        }
    }
    normal(serde_json::to_value(value).unwrap())
}

/// The documents by which Yjs checks that it still reads version 13's first format.
#[test]
fn the_first_format_of_yjs_13_reads_as_published() {
    let vectors: Vec<serde_json::Value> = serde_json::from_slice(&data("yjs-compat-13.json")).unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let name = vector["root_name"].as_str().unwrap();
        let update = base64(vector["update_base64"].as_str().unwrap());
        let mut room = Watched::new();
        room.take(&update, 1).unwrap();
        assert_eq!(room.replica.held_bytes(), 0, "{name}");
        let doc = bare_of(&room.replica.snapshot());
        let expected = &vector["expected"];
        match name {
            "array" => {
                let array = doc.get_or_insert_array(name);
                assert_eq!(serde_json::to_value(array.to_json(&doc.transact())).unwrap(), *expected);
            }
            "map" => {
                let map = doc.get_or_insert_map(name);
                assert_eq!(serde_json::to_value(map.to_json(&doc.transact())).unwrap(), *expected);
            }
            _ => {
                let inserts = expected.as_array().unwrap().iter().filter_map(|part| part["insert"].as_str());
                assert_eq!(text_of(&doc), inserts.collect::<String>());
            }
        }
        room.check_reloads();
        in_pieces(&update, name);
    }
}

#[test]
fn documents_of_another_editor_arrive_in_pieces() {
    for name in ["basic", "database", "edge-case-left-right-same-node", "large", "with-subdoc"] {
        in_pieces(&data(&format!("y-octo-{name}.bin")), name);
    }
}

/// Sends a document struct by struct groups, in any order, and compares it with the whole.
fn in_pieces(document: &[u8], name: &str) {
    let mut whole = Watched::new();
    whole.take(document, 1).unwrap();
    assert_eq!(whole.replica.held_bytes(), 0, "{name}");
    whole.check_reloads();
    let plain = Doc::new();
    plain.transact_mut().apply_update(Update::decode_v1(&whole.replica.snapshot()).unwrap()).unwrap();
    assert_eq!(plain.transact().state_vector(), StateVector::decode_v1(&whole.replica.state_vector()).unwrap());
    for shuffle in 0..SHUFFLES {
        let mut random = Random(shuffle);
        let mut pieces = pieces(&whole.replica.snapshot(), &mut random);
        random.shuffle(&mut pieces);
        let mut room = Watched::new();
        let batch = pieces.len().div_ceil(8);
        for pieces in pieces.chunks(batch) {
            room.take_all(pieces);
        }
        assert_eq!(room.replica.held_bytes(), 0, "{name}");
        assert_eq!(room.replica.digest(), whole.replica.digest(), "{name}, shuffle {shuffle}");
        room.check_reloads();
    }
}

fn pieces(document: &[u8], random: &mut Random) -> Vec<Vec<u8>> {
    let view = scan(document).unwrap();
    let mut pieces = Vec::new();
    for section in view.sections() {
        let structs: Vec<_> = section.structs().collect();
        let mut rest = &structs[..];
        while !rest.is_empty() {
            let (group, later) = rest.split_at(1 + random.below(rest.len().min(20)));
            let mut writer = UpdateWriter::new();
            writer.section(section.client, group[0].clock, group.len() as u32, group.iter().map(|item| item.bytes));
            pieces.push(writer.finish());
            rest = later;
        }
    }
    for range in view.delete_set() {
        let mut writer = UpdateWriter::new();
        writer.delete(range.client, &[(range.clock, range.len)]);
        pieces.push(writer.finish());
    }
    pieces
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut word, mut bits) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        word = word << 6 | ALPHABET.iter().position(|known| *known == byte).unwrap() as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
        }
    }
    out
}
