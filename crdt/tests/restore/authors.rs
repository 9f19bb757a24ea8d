//! People who edit one document of all shared types, at random and at the same time.

use std::sync::Arc;

use yrs::{
    Any, Array, ArrayPrelim, ArrayRef, ClientID, Doc, In, Map, MapPrelim, MapRef, OffsetKind, Options, Out, ReadTxn,
    Text, TextPrelim, TextRef, Transact, TransactionMut, Update, Xml, XmlElementPrelim, XmlFragment, XmlFragmentRef,
    XmlOut, XmlTextPrelim, types::Attrs, types::text::YChange, updates::decoder::Decode,
};

use crate::support::Random;

const KEYS: [&str; 4] = ["a", "b", "c", "title"];
const WORDS: [&str; 6] = ["x", "hello ", "🌊", "ab🙂c", "é", "the quick"];

/// One of them.
pub struct Author {
    doc: Doc,
    text: TextRef,
    list: ArrayRef,
    map: MapRef,
    xml: XmlFragmentRef,
    /// How much of the log it has read.
    read: usize,
}

impl Author {
    pub fn new(client_id: u64) -> Self {
        let client_id = ClientID::new(client_id);
        let doc = Doc::with_options(Options { client_id, offset_kind: OffsetKind::Utf16, ..Options::default() });
        let (text, list) = (doc.get_or_insert_text("text"), doc.get_or_insert_array("list"));
        let (map, xml) = (doc.get_or_insert_map("map"), doc.get_or_insert_xml_fragment("xml"));
        Self { doc, text, list, map, xml, read: 0 }
    }

    /// Reads what others have written up to now.
    pub fn catch_up(&mut self, log: &[Vec<u8>]) {
        for update in &log[self.read..] {
            self.doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
        }
        self.read = log.len();
    }

    /// Edits once; answers the update.
    pub fn edit(&self, random: &mut Random) -> Vec<u8> {
        let mut txn = self.doc.transact_mut();
        match random.below(8) {
            0..=2 => edit_text(&self.text, &mut txn, random),
            3 => edit_list(&self.list, &mut txn, random),
            4..=6 => edit_map(&self.map, &mut txn, random),
            _ => edit_xml(&self.xml, &mut txn, random),
        }
        txn.encode_update_v1()
    }
}

/// A history of `steps` edits of three people who hear of each other now and then.
pub fn history(random: &mut Random, steps: usize) -> Vec<Vec<u8>> {
    let mut authors = [11, 12, 13].map(Author::new);
    let mut log = Vec::new();
    for _ in 0..steps {
        let author = &mut authors[random.below(3)];
        if random.below(3) == 0 {
            author.catch_up(&log);
        }
        log.push(author.edit(random));
    }
    log
}

fn value(random: &mut Random) -> Any {
    match random.below(9) {
        0 => Any::Null,
        1 => Any::Undefined,
        2 => Any::Bool(true),
        3 => Any::from(random.below(100) as i64),
        4 => Any::from(0.25),
        5 => Any::from(WORDS[random.below(WORDS.len())]),
        6 => Any::Buffer(Arc::from([1, 2, random.below(5) as u8])),
        7 => Any::from_json(r#"{"z":1,"a":[1,{"y":2,"x":3}]}"#).unwrap(),
        _ => Any::from_json(r#"[1,"two",null]"#).unwrap(),
    }
}

fn input(random: &mut Random) -> In {
    match random.below(5) {
        0 => In::from(MapPrelim::from_iter([
            ("a", In::from(value(random))),
            ("b", In::from(TextPrelim::new("in 🙂 it"))),
        ])),
        1 => In::from(ArrayPrelim::from_iter([In::from(value(random)), In::from(MapPrelim::default())])),
        2 => In::from(TextPrelim::new(random.pick(&WORDS))),
        _ => In::from(value(random)),
    }
}

/// The places of a text at which no character is cut.
fn places(text: &impl Text, txn: &impl ReadTxn) -> Vec<u32> {
    let mut places = vec![0];
    let mut at = 0;
    for part in text.diff(txn, YChange::identity) {
        let lens = match &part.insert {
            Out::Any(Any::String(characters)) => characters.chars().map(|c| c.len_utf16() as u32).collect(),
            _ => vec![1],
        };
        for len in lens {
            at += len;
            places.push(at);
        }
    }
    places
}

fn attributes(random: &mut Random) -> Attrs {
    let value = [Any::from(true), Any::Null, Any::from("red")][random.below(3)].clone();
    Attrs::from_iter([(Arc::from(["bold", "color"][random.below(2)]), value)])
}

fn edit_text(text: &impl Text, txn: &mut TransactionMut<'_>, random: &mut Random) {
    let places = places(text, txn);
    let (one, other) = (random.pick(&places), random.pick(&places));
    let (from, to) = (one.min(other), one.max(other).min(one.min(other) + 12));
    let to = *places.iter().rfind(|&&place| place <= to).unwrap();
    match random.below(8) {
        0..=2 => text.insert(txn, from, random.pick(&WORDS)),
        3 => text.insert_with_attributes(txn, from, random.pick(&WORDS), attributes(random)),
        4 if random.below(3) == 0 => {
            text.insert_embed(txn, from, Any::from_json(r#"{"img":"u","alt":1}"#).unwrap());
        }
        4 | 5 if to > from => text.remove_range(txn, from, to - from),
        _ if to > from => text.format(txn, from, to - from, attributes(random)),
        _ => text.insert(txn, from, "."),
    }
}

fn edit_list(list: &ArrayRef, txn: &mut TransactionMut<'_>, random: &mut Random) {
    let len = list.len(txn) as usize;
    let at = random.below(len + 1) as u32;
    match random.below(5) {
        0 if (at as usize) < len => list.remove(txn, at),
        1 if (at as usize) < len => {
            let value = list.get(txn, at);
            edit_nested(value, txn, random);
        }
        2 => list.insert_range(txn, at, [value(random), value(random), value(random)]),
        _ => drop(list.insert(txn, at, input(random))),
    }
}

fn edit_map(map: &MapRef, txn: &mut TransactionMut<'_>, random: &mut Random) {
    let key = random.pick(&KEYS);
    match random.below(5) {
        0 => drop(map.remove(txn, key)),
        3 if random.below(4) == 0 => drop(map.insert(txn, key, Doc::new())),
        1 | 2 => {
            let value = map.get(txn, key);
            edit_nested(value, txn, random);
        }
        _ => drop(map.insert(txn, key, input(random))),
    }
}

fn edit_nested(value: Option<Out>, txn: &mut TransactionMut<'_>, random: &mut Random) {
    match value {
        Some(Out::YMap(map)) => edit_map(&map, txn, random),
        Some(Out::YArray(list)) => edit_list(&list, txn, random),
        Some(Out::YText(text)) => edit_text(&text, txn, random),
        _ => {}
    }
}

fn edit_xml(parent: &impl XmlFragment, txn: &mut TransactionMut<'_>, random: &mut Random) {
    let len = parent.len(txn) as usize;
    let at = random.below(len + 1) as u32;
    match (random.below(6), parent.get(txn, at)) {
        (0, Some(_)) => parent.remove_range(txn, at, 1),
        (1..=3, Some(XmlOut::Element(element))) => {
            if random.below(2) == 0 {
                element.insert_attribute(txn, random.pick(&KEYS), random.pick(&WORDS));
            } else {
                edit_xml(&element, txn, random);
            }
        }
        (1..=3, Some(XmlOut::Text(text))) => {
            if random.below(4) == 0 {
                text.insert_attribute(txn, random.pick(&KEYS), random.pick(&WORDS));
            } else {
                edit_text(&text, txn, random);
            }
        }
        (4, _) => drop(parent.insert(txn, at, XmlTextPrelim::new(random.pick(&WORDS)))),
        _ => drop(parent.insert(txn, at, XmlElementPrelim::empty(["p", "h1"][random.below(2)]))),
    }
}
