//! Nodes: adding, changing, moving and removing them.

use yrs::{Any, Map, MapPrelim, MapRef, TextPrelim, TransactionMut};

use super::place::{Gap, Slot};
use super::write::{number, parent as parent_value, pos, set, set_or_clear};
use super::{Children, EditError, NewNode, NodePatch, ParentRef, check, text};
use crate::map::outline::Outline;
use crate::map::read::child_map;
use crate::map::roots::MapRoots;
use crate::map::state::Proposed;
use crate::map::tree::ParentLink;

pub(in crate::map) fn add(txn: &mut TransactionMut<'_>, roots: &MapRoots, new: &NewNode) -> Result<(), EditError> {
    check::new_node(new)?;
    let outline = Outline::read(txn, roots);
    if outline.index_of(&new.id).is_some() {
        return Err(EditError::NodeExists(new.id.clone()));
    }
    let (before, after) = (new.before.as_deref(), new.after.as_deref());
    let gap = Gap::find(&outline, &new.parent, before, after, None)?;
    let slot = gap.fill(&outline, 1);

    name_root(txn, roots, &outline, &new.id);
    rekey(txn, roots, &outline, &slot);
    let parent = gap.parent.map(|parent| outline.ids[parent].as_str());
    write(txn, roots, new, parent, slot.keys.first().map(String::as_str));
    Ok(())
}

/// Writes a node that is not there yet.
pub(super) fn write(
    txn: &mut TransactionMut<'_>,
    roots: &MapRoots,
    new: &NewNode,
    parent: Option<&str>,
    order: Option<&str>,
) {
    let node = roots.nodes.insert(txn, new.id.as_str(), MapPrelim::default());
    // Both texts always exist: two people who made one at the same time would lose what one of them typed.
    node.insert(txn, "title", TextPrelim::new(new.title.as_str()));
    node.insert(txn, "summary", TextPrelim::new(new.summary.as_str()));
    set(txn, &node, "parent", parent_value(parent));
    if let Some(order) = order {
        set(txn, &node, "order", order);
    }
    set(txn, &node, "source", new.source.as_str());
    write_optional(txn, &node, &optional_values(new));
    if let Some(relationship) = &new.relationship {
        set(txn, &node, "relationship", relationship.as_str());
    }
    if let Some(strength) = new.strength {
        set(txn, &node, "strength", number(strength));
    }
}

pub(super) fn patch(
    txn: &mut TransactionMut<'_>,
    roots: &MapRoots,
    id: &str,
    patch: &NodePatch,
) -> Result<(), EditError> {
    let node = child_map(txn, &roots.nodes, id).ok_or_else(|| EditError::NodeNotFound(id.to_owned()))?;
    check::node_patch(patch)?;
    // The only part that can still be refused comes first.
    move_node(txn, roots, id, patch)?;
    if let Some(title) = &patch.title {
        text::set_text(txn, &node, "title", title);
    }
    if let Some(summary) = &patch.summary {
        text::set_text(txn, &node, "summary", summary);
    }
    if let Some(source) = patch.source {
        set(txn, &node, "source", source.as_str());
    }
    write_optional(txn, &node, patch);
    Ok(())
}

pub(super) fn remove(
    txn: &mut TransactionMut<'_>,
    roots: &MapRoots,
    id: &str,
    children: Children,
) -> Result<(), EditError> {
    let outline = Outline::read(txn, roots);
    let node = outline.index_of(id).ok_or_else(|| EditError::NodeNotFound(id.to_owned()))?;
    if outline.tree.root == Some(node) && outline.ids.len() > 1 {
        return Err(EditError::RootHasChildren(id.to_owned()));
    }
    match children {
        Children::Remove => {
            for removed in outline.tree.branch(node) {
                roots.nodes.remove(txn, &outline.ids[removed]);
            }
        }
        Children::Lift => {
            lift_children(txn, roots, &outline, node);
            roots.nodes.remove(txn, id);
        }
    }
    Ok(())
}

/// Puts the children of `node` where it is, in their order.
fn lift_children(txn: &mut TransactionMut<'_>, roots: &MapRoots, outline: &Outline, node: usize) {
    let children = &outline.tree.nodes[node].children;
    if children.is_empty() {
        return;
    }
    let gap = Gap::left_by(outline, node);
    let slot = gap.fill(outline, children.len());
    name_root(txn, roots, outline, "");
    rekey(txn, roots, outline, &slot);
    let parent = gap.parent.map(|parent| outline.ids[parent].as_str());
    for (&child, key) in children.iter().zip(&slot.keys) {
        set_place(txn, roots, &outline.ids[child], parent, Some(key));
    }
}

/// Moves a node as far as the patch asks for it.
fn move_node(txn: &mut TransactionMut<'_>, roots: &MapRoots, id: &str, patch: &NodePatch) -> Result<(), EditError> {
    let (before, after) = (patch.before.as_deref(), patch.after.as_deref());
    if patch.parent.is_none() && before.is_none() && after.is_none() {
        return Ok(());
    }
    let outline = Outline::read(txn, roots);
    let node = outline.index_of(id).ok_or_else(|| EditError::NodeNotFound(id.to_owned()))?;
    if outline.tree.root == Some(node) {
        let stays = patch.parent == Some(ParentRef::Topic) && before.is_none() && after.is_none();
        let refused = EditError::RootCannotMove(id.to_owned());
        return if stays { Ok(()) } else { Err(refused) };
    }
    let parent = patch.parent.as_ref().unwrap_or(&ParentRef::Default);
    let gap = Gap::find(&outline, parent, before, after, Some(node))?;
    if let Some(parent) = gap.parent
        && outline.tree.is_in_branch(node, parent)
    {
        return Err(EditError::WouldCycle { node: id.to_owned(), parent: outline.ids[parent].clone() });
    }

    name_root(txn, roots, &outline, "");
    settle_cycle(txn, roots, &outline, node);
    let parent = gap.parent.map(|parent| outline.ids[parent].as_str());
    let keeps_order = gap.parent == outline.tree.nodes[node].parent && before.or(after).is_none();
    if keeps_order {
        set_place(txn, roots, id, parent, None);
    } else {
        let slot = gap.fill(&outline, 1);
        rekey(txn, roots, &outline, &slot);
        set_place(txn, roots, id, parent, slot.keys.first().map(String::as_str));
    }
    Ok(())
}

/// Writes down the root that the tree has, if `meta.root` does not name it: what is added or moved next must not
/// become the root by accident. `first` is the root of a map that has no nodes yet.
fn name_root(txn: &mut TransactionMut<'_>, roots: &MapRoots, outline: &Outline, first: &str) {
    if !outline.root_is_named {
        let root = outline.root_id().unwrap_or(first);
        set(txn, &roots.meta, "root", root);
    }
}

/// Keeps a node in its place that hangs under the root only because of a cycle, when moving `node` opens that cycle:
/// otherwise it would jump under the parent that it still names.
fn settle_cycle(txn: &mut TransactionMut<'_>, roots: &MapRoots, outline: &Outline, node: usize) {
    for (orphan, place) in outline.tree.nodes.iter().enumerate() {
        let ParentLink::Node(named) = &outline.parents[orphan] else {
            continue;
        };
        let opens = place.is_orphan
            && orphan != node
            && outline.index_of(named).is_some_and(|named| named != orphan && outline.tree.is_in_branch(node, named));
        if opens {
            set_place(txn, roots, &outline.ids[orphan], outline.root_id(), None);
        }
    }
}

fn rekey(txn: &mut TransactionMut<'_>, roots: &MapRoots, outline: &Outline, slot: &Slot) {
    for (sibling, key) in &slot.rekeyed {
        if let Some(node) = child_map(txn, &roots.nodes, &outline.ids[*sibling]) {
            set(txn, &node, "order", key.as_str());
        }
    }
}

fn set_place(txn: &mut TransactionMut<'_>, roots: &MapRoots, id: &str, parent: Option<&str>, order: Option<&str>) {
    if let Some(node) = child_map(txn, &roots.nodes, id) {
        set(txn, &node, "parent", parent_value(parent));
        if let Some(order) = order {
            set(txn, &node, "order", order);
        }
    }
}

/// The values that a node may lack, as a patch.
fn optional_values(new: &NewNode) -> NodePatch {
    NodePatch {
        pos: new.pos.map(Some),
        color: new.color.clone().map(Some),
        size: new.size.map(Some),
        expandable: new.expandable.map(Some),
        collapsed: new.collapsed.map(Some),
        run: new.run.clone().map(Some),
        state: new.state.map(Some),
        ..NodePatch::default()
    }
}

fn write_optional(txn: &mut TransactionMut<'_>, node: &MapRef, patch: &NodePatch) {
    let texts = |value: &Option<Option<String>>| -> Option<Option<Any>> {
        value.as_ref().map(|value| value.as_deref().map(Any::from))
    };
    let values: [(&str, Option<Option<Any>>); 7] = [
        ("pos", patch.pos.map(|value| value.map(pos))),
        ("color", texts(&patch.color)),
        ("size", patch.size.map(|value| value.map(number))),
        ("expandable", patch.expandable.map(|value| value.map(Any::Bool))),
        ("collapsed", patch.collapsed.map(|value| value.map(Any::Bool))),
        ("run", texts(&patch.run)),
        ("state", patch.state.map(|value| value.map(|Proposed| Any::from(Proposed::WORD)))),
    ];
    for (key, value) in values {
        if let Some(value) = value {
            set_or_clear(txn, node, key, value);
        }
    }
}
