//! Nodes that grow.

use yrs::{GetString, Map, MapRef, Out, ReadTxn, Text, TransactionMut};

use super::{Fate, GrowField, GrowStep, Growth, Looks, MapRoots, MetaValue, title_key};
use crate::map::{
    edit::{
        EditError, MapEdit, NewNode, ParentRef, add_node, apply_edit,
        text::{is_plain, utf16_len},
        write,
    },
    outline::Outline,
    read::{child_map, string, text},
    state::Proposed,
};

/// Carries out the steps one by one; answers what became of each.
pub(crate) fn grow(txn: &mut TransactionMut<'_>, roots: &MapRoots, growth: &Growth) -> Vec<Fate> {
    let mut fates = Vec::with_capacity(growth.steps.len());
    for step in &growth.steps {
        let fate = perform(txn, roots, growth, step);
        fates.push(fate);
        if matches!(step, GrowStep::Init { .. }) && fate != Fate::Done {
            // It is somebody else's map: nothing of this is for it.
            fates.resize(growth.steps.len(), Fate::Gone);
            break;
        }
    }
    fates
}

fn perform(txn: &mut TransactionMut<'_>, roots: &MapRoots, growth: &Growth, step: &GrowStep) -> Fate {
    match step {
        GrowStep::Init { topic, root, created_at } => init(txn, roots, topic, root, created_at),
        GrowStep::Begin { id, parent, title } => begin(txn, roots, growth, (id, parent, title)),
        GrowStep::Append { id, field, written, text } => append(txn, roots, (id, *field), written, text),
        GrowStep::Seal { id, title } => seal(txn, roots, growth, id, title),
        GrowStep::Set { id, looks } => match child_map(txn, &roots.nodes, id) {
            None => Fate::Gone,
            Some(node) => {
                set_looks(txn, &node, looks);
                Fate::Done
            }
        },
        GrowStep::SetMeta { key, value } => {
            match value {
                MetaValue::Text(text) => write::set(txn, &roots.meta, key, text.as_str()),
                MetaValue::Number(number) => write::set(txn, &roots.meta, key, write::number(*number)),
            }
            Fate::Done
        }
    }
}

fn init(txn: &mut TransactionMut<'_>, roots: &MapRoots, topic: &str, root: &str, created_at: &str) -> Fate {
    if child_map(txn, &roots.nodes, root).is_some() {
        return Fate::Done;
    }
    let (topic, created_at) = (topic.to_owned(), created_at.to_owned());
    let root = Some(NewNode::new(root, topic.clone()));
    match apply_edit(txn, roots, &MapEdit::Init { topic, root, created_at }) {
        Ok(()) => Fate::Done,
        // Something else is in it.
        Err(_) => Fate::Exists,
    }
}

fn begin(
    txn: &mut TransactionMut<'_>,
    roots: &MapRoots,
    growth: &Growth,
    (id, parent, title): (&str, &str, &str),
) -> Fate {
    let new = NewNode {
        parent: ParentRef::Under(parent.to_owned()),
        source: growth.source,
        run: Some(growth.run.clone()),
        state: Some(Proposed),
        ..NewNode::new(id, title)
    };
    match add_node(txn, roots, &new) {
        Ok(()) => Fate::Done,
        Err(EditError::NodeExists(_)) => Fate::Exists,
        // Of all that can be refused, only the parent is not this run's own choice.
        Err(_) => Fate::Gone,
    }
}

fn append(
    txn: &mut TransactionMut<'_>,
    roots: &MapRoots,
    (id, field): (&str, GrowField),
    written: &str,
    more: &str,
) -> Fate {
    let Some(node) = child_map(txn, &roots.nodes, id) else { return Fate::Gone };
    let key = match field {
        GrowField::Title => "title",
        GrowField::Summary => "summary",
    };
    match node.get(txn, key) {
        Some(Out::YText(text)) if is_plain(txn, &text) && text.get_string(txn) == written => {
            text.insert(txn, utf16_len(written), more);
            Fate::Done
        }
        _ => Fate::Taken,
    }
}

/// Removes a node whose title an older sibling has, as long as nobody else has touched it.
fn seal(txn: &mut TransactionMut<'_>, roots: &MapRoots, growth: &Growth, id: &str, title: &str) -> Fate {
    let Some(node) = child_map(txn, &roots.nodes, id) else { return Fate::Gone };
    if text(txn, &node, "title").as_deref() != Some(title) || string(txn, &node, "run").as_ref() != Some(&growth.run) {
        return Fate::Taken;
    }
    let outline = Outline::read(txn, roots);
    let Some(own) = outline.index_of(id) else { return Fate::Gone };
    let place = &outline.tree.nodes[own];
    let key = title_key(title);
    let is_same = |txn: &TransactionMut<'_>, sibling: usize| {
        let sibling = child_map(txn, &roots.nodes, &outline.ids[sibling]);
        sibling.and_then(|sibling| text(txn, &sibling, "title")).is_some_and(|title| title_key(&title) == key)
    };
    let siblings = outline.siblings_under(place.parent);
    let is_double = siblings.iter().any(|&sibling| sibling != own && is_same(txn, sibling));
    if is_double && place.children.is_empty() {
        roots.nodes.remove(txn, id);
        return Fate::Exists;
    }
    Fate::Done
}

fn set_looks(txn: &mut TransactionMut<'_>, node: &MapRef, looks: &Looks) {
    let is_free = |txn: &TransactionMut<'_>, key: &str| !node.contains_key(txn, key);
    let texts = [("color", &looks.color), ("relationship", &looks.relationship)];
    for (key, value) in texts {
        if let Some(value) = value.as_deref().filter(|_| is_free(txn, key)) {
            write::set(txn, node, key, value);
        }
    }
    for (key, value) in [("size", looks.size), ("strength", looks.strength)] {
        if let Some(value) = value.filter(|_| is_free(txn, key)) {
            write::set(txn, node, key, write::number(value));
        }
    }
    if let Some(value) = looks.expandable.filter(|_| is_free(txn, "expandable")) {
        write::set(txn, node, "expandable", value);
    }
}

/// Whether a node is one that this run has made, as it says itself.
pub(super) fn is_of<T: ReadTxn>(txn: &T, roots: &MapRoots, id: &str, run: &str) -> bool {
    let node = child_map(txn, &roots.nodes, id);
    node.and_then(|node| string(txn, &node, "run")).is_some_and(|made_by| made_by == run)
}
