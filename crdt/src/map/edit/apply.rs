//! Hands each edit to the part that carries it out, and edits what belongs to the map as a whole.

use yrs::{Any, Map, ReadTxn, TransactionMut};

use super::{EditError, MapEdit, NewNode, ParentRef, edge, import, node, write};
use crate::map::outline::Outline;
use crate::map::read::child_map;
use crate::map::roots::{MapRoots, SCHEMA};

/// Carries out one edit within a transaction of the document that `roots` belong to.
///
/// The document must count text in UTF-16 units (`OffsetKind::Utf16`), as JavaScript does.
///
/// # Errors
///
/// Says why the edit was refused; then nothing was written.
pub fn apply_edit(txn: &mut TransactionMut<'_>, roots: &MapRoots, edit: &MapEdit) -> Result<(), EditError> {
    match edit {
        MapEdit::Init { topic, root, created_at } => init(txn, roots, topic, root.as_ref(), created_at),
        MapEdit::Import(map) => import::import(txn, roots, map),
        MapEdit::PatchMeta { topic, root } => patch_meta(txn, roots, topic.as_deref(), root.as_deref()),
        MapEdit::AddNode(new) => node::add(txn, roots, new),
        MapEdit::PatchNode { id, patch } => node::patch(txn, roots, id, patch),
        MapEdit::RemoveNode { id, children } => node::remove(txn, roots, id, *children),
        MapEdit::AddEdge(new) => edge::add(txn, roots, new),
        MapEdit::PatchEdge { id, patch } => edge::patch(txn, roots, id, patch),
        MapEdit::RemoveEdge { id } => edge::remove(txn, roots, id),
    }
}

fn init(
    txn: &mut TransactionMut<'_>,
    roots: &MapRoots,
    topic: &str,
    root: Option<&NewNode>,
    created_at: &str,
) -> Result<(), EditError> {
    if roots.meta.contains_key(txn, "schema") {
        return Err(EditError::AlreadyInitialised);
    }
    if let Some(root) = root {
        if Outline::read(txn, roots).tree.root.is_some() {
            return Err(EditError::AlreadyInitialised);
        }
        let placed = root.parent != ParentRef::Default || root.before.is_some() || root.after.is_some();
        if placed {
            return Err(EditError::Invalid {
                field: "root",
                reason: "the first node has neither a parent nor siblings",
            });
        }
        node::add(txn, roots, root)?;
    }
    write::set(txn, &roots.meta, "schema", SCHEMA);
    write::set(txn, &roots.meta, "topic", topic);
    write::set(txn, &roots.meta, "created_at", created_at);
    Ok(())
}

fn patch_meta(
    txn: &mut TransactionMut<'_>,
    roots: &MapRoots,
    topic: Option<&str>,
    root: Option<&str>,
) -> Result<(), EditError> {
    if let Some(id) = root {
        require_node(txn, roots, id)?;
    }
    for (key, value) in [("topic", topic), ("root", root)] {
        if let Some(value) = value {
            write::set(txn, &roots.meta, key, Any::from(value));
        }
    }
    Ok(())
}

fn require_node<T: ReadTxn>(txn: &T, roots: &MapRoots, id: &str) -> Result<(), EditError> {
    match child_map(txn, &roots.nodes, id) {
        Some(_) => Ok(()),
        None => Err(EditError::NodeNotFound(id.to_owned())),
    }
}
