//! Reads a map out of a document, whatever else the document holds.
//!
//! A value of a wrong type counts as missing. What a reader must decide is decided here once: a missing `parent` is
//! null, any other `parent` that is not a string names no node, a missing `order` is the empty string.

use std::collections::BTreeMap;

use yrs::{Any, GetString, Map, MapRef, Out, ReadTxn};

use super::color::is_hex_color;
use super::roots::MapRoots;
use super::state::{EdgeState, MapState, NodeState, Proposed, Source};
use super::tree::ParentLink;

/// Reads the whole map.
pub fn read_map<T: ReadTxn>(txn: &T, roots: &MapRoots) -> MapState {
    MapState {
        schema: integer(txn, &roots.meta, "schema"),
        topic: read_topic(txn, roots),
        root: string(txn, &roots.meta, "root"),
        created_at: string(txn, &roots.meta, "created_at"),
        language: string(txn, &roots.meta, "language"),
        generation_time: number(txn, &roots.meta, "generation_time").filter(|seconds| *seconds >= 0.0),
        ai_model_version: string(txn, &roots.meta, "ai_model_version"),
        nodes: child_maps(txn, &roots.nodes).map(|(id, node)| (id, read_node(txn, &node))).collect(),
        edges: child_maps(txn, &roots.edges)
            .filter_map(|(id, edge)| Some((id, read_edge(txn, &edge)?)))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// Reads only what the map is about.
pub fn read_topic<T: ReadTxn>(txn: &T, roots: &MapRoots) -> Option<String> {
    text(txn, &roots.meta, "topic")
}

/// The entries of `map` that are maps themselves. It walks keys and looks each up, because the iterator of entries
/// recurses over foreign content.
pub(crate) fn child_maps<'a, T: ReadTxn>(txn: &'a T, map: &'a MapRef) -> impl Iterator<Item = (String, MapRef)> + 'a {
    map.keys(txn).filter_map(move |key| match map.get(txn, key) {
        Some(Out::YMap(child)) => Some((key.to_owned(), child)),
        _ => None,
    })
}

/// The child map under `key`, when there is one.
pub(crate) fn child_map<T: ReadTxn>(txn: &T, map: &MapRef, key: &str) -> Option<MapRef> {
    match map.get(txn, key) {
        Some(Out::YMap(child)) => Some(child),
        _ => None,
    }
}

pub(crate) fn read_parent<T: ReadTxn>(txn: &T, node: &MapRef) -> ParentLink<String> {
    match node.get(txn, "parent") {
        None | Some(Out::Any(Any::Null | Any::Undefined)) => ParentLink::Null,
        Some(Out::Any(Any::String(id))) => ParentLink::Node(id.to_string()),
        Some(_) => ParentLink::Invalid,
    }
}

pub(crate) fn read_order<T: ReadTxn>(txn: &T, node: &MapRef) -> String {
    string(txn, node, "order").unwrap_or_default()
}

pub(crate) fn string<T: ReadTxn>(txn: &T, map: &MapRef, key: &str) -> Option<String> {
    match map.get(txn, key) {
        Some(Out::Any(Any::String(value))) => Some(value.to_string()),
        _ => None,
    }
}

/// A text that may be a `Y.Text` or a plain string.
pub(crate) fn text<T: ReadTxn>(txn: &T, map: &MapRef, key: &str) -> Option<String> {
    match map.get(txn, key) {
        Some(Out::YText(text)) => Some(text.get_string(txn)),
        Some(Out::Any(Any::String(value))) => Some(value.to_string()),
        _ => None,
    }
}

fn read_node<T: ReadTxn>(txn: &T, node: &MapRef) -> NodeState {
    NodeState {
        title: text(txn, node, "title").unwrap_or_default(),
        summary: text(txn, node, "summary").unwrap_or_default(),
        parent: read_parent(txn, node),
        order: read_order(txn, node),
        pos: read_pos(txn, node),
        color: string(txn, node, "color").filter(|color| is_hex_color(color)),
        size: number(txn, node, "size").filter(|size| *size > 0.0),
        expandable: boolean(txn, node, "expandable").unwrap_or(true),
        collapsed: boolean(txn, node, "collapsed").unwrap_or(false),
        source: string(txn, node, "source").and_then(|word| Source::from_word(&word)),
        run: string(txn, node, "run"),
        state: string(txn, node, "state").filter(|word| word == Proposed::WORD).map(|_| Proposed),
        relationship: string(txn, node, "relationship"),
        strength: number(txn, node, "strength").map(|strength| strength.clamp(0.0, 1.0)),
    }
}

fn read_edge<T: ReadTxn>(txn: &T, edge: &MapRef) -> Option<EdgeState> {
    Some(EdgeState {
        source: string(txn, edge, "source")?,
        target: string(txn, edge, "target")?,
        relationship: text(txn, edge, "relationship"),
        strength: number(txn, edge, "strength").map(|strength| strength.clamp(0.0, 1.0)),
    })
}

fn read_pos<T: ReadTxn>(txn: &T, node: &MapRef) -> Option<[f64; 3]> {
    match node.get(txn, "pos") {
        Some(Out::Any(Any::Array(values))) => match values.as_ref() {
            [x, y, z] => Some([finite(x)?, finite(y)?, finite(z)?]),
            _ => None,
        },
        Some(Out::YArray(array)) => {
            use yrs::Array;
            if array.len(txn) != 3 {
                return None;
            }
            let at = |index| match array.get(txn, index) {
                Some(Out::Any(value)) => finite(&value),
                _ => None,
            };
            Some([at(0)?, at(1)?, at(2)?])
        }
        _ => None,
    }
}

fn boolean<T: ReadTxn>(txn: &T, map: &MapRef, key: &str) -> Option<bool> {
    match map.get(txn, key) {
        Some(Out::Any(Any::Bool(value))) => Some(value),
        _ => None,
    }
}

fn number<T: ReadTxn>(txn: &T, map: &MapRef, key: &str) -> Option<f64> {
    match map.get(txn, key) {
        Some(Out::Any(value)) => finite(&value),
        _ => None,
    }
}

fn integer<T: ReadTxn>(txn: &T, map: &MapRef, key: &str) -> Option<i64> {
    match map.get(txn, key) {
        Some(Out::Any(Any::Number(value))) => value.as_i64(),
        _ => None,
    }
}

/// A number of any encoding as a finite float.
fn finite(value: &Any) -> Option<f64> {
    let Any::Number(number) = value else {
        return None;
    };
    let value = match *number {
        yrs::Number::Int(value) => value as f64,
        yrs::Number::Float(value) => value,
    };
    value.is_finite().then_some(value)
}
