//! Everything that a document shows, as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use synapti_protocol::update::{ContentKind, Id, Struct, StructKind, scan};
use yrs::{
    Any, Array, ArrayRef, Doc, Map, MapRef, OffsetKind, Options, Out, ReadTxn, Text, Transact, Update, WriteTxn, Xml,
    XmlElementRef, XmlFragment, XmlOut, types::text::YChange, updates::decoder::Decode,
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Root {
    List,
    Map,
    Text,
    Xml,
}

/// Every root type of a state. What it is follows from what it holds or held; one that is two things is shown twice.
pub fn show(state: &[u8]) -> Value {
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let mut txn = doc.transact_mut();
    txn.apply_update(Update::decode_v1(state).unwrap()).unwrap();
    assert!(txn.prune_pending().is_none(), "a state lacks nothing");
    drop(txn);
    let mut shown = BTreeMap::new();
    for (name, root) in roots(state) {
        let value = match root {
            Root::List => list(&doc.get_or_insert_array(name), &doc.transact()),
            Root::Map => map(&doc.get_or_insert_map(name), &doc.transact()),
            Root::Text => text(&doc.get_or_insert_text(name), &doc.transact()),
            Root::Xml => children(&doc.get_or_insert_xml_fragment(name), &doc.transact()),
        };
        if value.as_object().is_some_and(|map| !map.is_empty()) || value.as_array().is_some_and(|list| !list.is_empty())
        {
            shown.insert(format!("{name} {}", root as u8), value);
        }
    }
    json!(shown)
}

/// The root types of a state. An item says which one it is in, or what it was written next to.
fn roots(state: &[u8]) -> BTreeSet<(&str, Root)> {
    let view = scan(state).unwrap();
    let items = || view.sections().flat_map(|section| section.structs().map(move |item| (section.client, item)));
    let mut places: BTreeMap<Id, (u32, (&str, bool))> = BTreeMap::new();
    loop {
        let known = places.len();
        for (client, item) in items() {
            let place = item.root.map(|name| (name, item.key.is_some()));
            let next_to = [item.origin, item.right_origin].into_iter().flatten().find_map(|id| {
                // Whatever is in a nested type has no place at all.
                let (start, (end, place)) = places.range(..=id).next_back()?;
                (start.client == id.client && id.clock < *end).then_some(*place)
            });
            let nowhere = (item.parent.is_some() || item.kind == StructKind::Gc).then_some(("", false));
            if let Some(place) = place.or(next_to).or(nowhere) {
                places.insert(Id { client, clock: item.clock }, (item.end(), place));
            }
        }
        if places.len() == known {
            break;
        }
    }
    let root = |(client, item): (u64, Struct<'_>)| {
        let (_, (name, is_entry)) = *places.get(&Id { client, clock: item.clock })?;
        let root = match item.kind {
            // What it was is shown by the others, if there are any.
            StructKind::Item(ContentKind::Deleted) | StructKind::Gc | StructKind::Skip => return None,
            _ if is_entry => Root::Map,
            StructKind::Item(ContentKind::String | ContentKind::Format | ContentKind::Embed) => Root::Text,
            StructKind::Item(ContentKind::Type) if [3, 6].contains(&item.content[0]) => Root::Xml,
            StructKind::Item(_) => Root::List,
        };
        (!name.is_empty()).then_some((name, root))
    };
    items().filter_map(root).collect()
}

fn out(value: Out, txn: &impl ReadTxn) -> Value {
    match value {
        Out::Any(any) => any_value(&any),
        Out::YText(value) => json!({"text": text(&value, txn)}),
        Out::YArray(value) => json!({"list": list(&value, txn)}),
        Out::YMap(value) => json!({"map": map(&value, txn)}),
        Out::YXmlElement(value) => element(&value, txn),
        Out::YXmlFragment(value) => json!({"fragment": children(&value, txn)}),
        Out::YXmlText(value) => json!({"xmlText": text(&value, txn), "attributes": attributes(&value, txn)}),
        Out::YDoc(value) => json!({"doc": value.guid().to_string(), "auto": value.auto_load()}),
        Out::UndefinedRef(_) => unreachable!("a nested type says what it is"),
    }
}

fn any_value(any: &Any) -> Value {
    match any {
        Any::Undefined => json!("undefined"),
        Any::Buffer(bytes) => json!({"bytes": bytes.to_vec()}),
        other => serde_json::to_value(other).unwrap(),
    }
}

fn list(list: &ArrayRef, txn: &impl ReadTxn) -> Value {
    list.iter(txn).map(|value| out(value, txn)).collect()
}

fn map(map: &MapRef, txn: &impl ReadTxn) -> Value {
    map.iter(txn).map(|(key, value)| (key.to_owned(), out(value, txn))).collect::<serde_json::Map<_, _>>().into()
}

/// The characters and embeds of a text, each with its attributes, whatever marks separate them.
fn text(text: &impl Text, txn: &impl ReadTxn) -> Value {
    let mut shown: Vec<Value> = Vec::new();
    for part in text.diff(txn, YChange::identity) {
        let attributes: BTreeMap<_, _> = part
            .attributes
            .iter()
            .flat_map(|attributes| attributes.iter())
            .map(|(key, value)| (key, any_value(value)))
            .collect();
        match part.insert {
            Out::Any(Any::String(characters)) => {
                shown.extend(characters.chars().map(|character| json!([character, attributes])));
            }
            other => shown.push(json!([out(other, txn), attributes])),
        }
    }
    json!(shown)
}

fn element(element: &XmlElementRef, txn: &impl ReadTxn) -> Value {
    json!({"tag": &**element.tag(), "attributes": attributes(element, txn), "children": children(element, txn)})
}

fn attributes(xml: &impl Xml, txn: &impl ReadTxn) -> Value {
    xml.attributes(txn).map(|(key, value)| (key.to_owned(), out(value, txn))).collect::<serde_json::Map<_, _>>().into()
}

fn children(fragment: &impl XmlFragment, txn: &impl ReadTxn) -> Value {
    let child = |child| match child {
        XmlOut::Element(value) => out(Out::YXmlElement(value), txn),
        XmlOut::Fragment(value) => out(Out::YXmlFragment(value), txn),
        XmlOut::Text(value) => out(Out::YXmlText(value), txn),
    };
    (0..fragment.len(txn)).filter_map(|at| fragment.get(txn, at)).map(child).collect()
}
