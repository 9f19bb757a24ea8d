//! What an edit does to the size of a map, known before it is carried out.

use yrs::{MapRef, ReadTxn};

use super::{EdgePatch, MapEdit, NewEdge, NewNode, NodePatch, ParentRef};
use crate::map::read::{child_map, text};
use crate::map::roots::MapRoots;

impl MapEdit {
    /// How many nodes it adds.
    pub fn nodes_added(&self) -> usize {
        match self {
            Self::AddNode(_) | Self::Init { root: Some(_), .. } => 1,
            Self::Import(map) => map.nodes.len(),
            _ => 0,
        }
    }

    /// How many nodes and edges it writes, at least one for what it says of the map or of one of them.
    pub fn parts(&self) -> usize {
        match self {
            Self::Import(map) => 1 + map.nodes.len() + map.edges.len(),
            _ => 1,
        }
    }

    /// Bytes of all texts that it brings.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Init { topic, root, created_at } => {
                topic.len() + root.as_ref().map_or(0, new_node_bytes) + created_at.len()
            }
            Self::Import(map) => {
                let nodes = map.nodes.iter().map(|imported| new_node_bytes(&imported.node) + imported.order.len());
                let edges = map.edges.iter().map(new_edge_bytes);
                map.topic.len() + map.created_at.len() + nodes.sum::<usize>() + edges.sum::<usize>()
            }
            Self::PatchMeta { topic, root } => bytes([topic, root]),
            Self::AddNode(new) => new_node_bytes(new),
            Self::PatchNode { patch, .. } => {
                let NodePatch { title, summary, parent, color, run, .. } = patch;
                let optional = [color, run].map(|value| value.as_ref().unwrap_or(&None));
                bytes([title, summary]) + bytes(optional) + parent.as_ref().map_or(0, parent_bytes)
            }
            Self::AddEdge(new) => new_edge_bytes(new),
            Self::PatchEdge { patch, .. } => bytes([&patch.source, &patch.target, &patch.relationship]),
            Self::RemoveNode { .. } | Self::RemoveEdge { .. } => 0,
        }
    }
}

/// Whether an edit only takes away: removes something, clears values, or makes texts shorter. It may still add a few
/// bytes that say what is gone, but cannot be repeated for ever. An edit that will be refused takes away nothing and
/// adds nothing, and counts too.
pub fn takes_away<T: ReadTxn>(txn: &T, roots: &MapRoots, edit: &MapEdit) -> bool {
    match edit {
        MapEdit::RemoveNode { .. } | MapEdit::RemoveEdge { .. } => true,
        MapEdit::PatchNode { id, patch } => {
            child_map(txn, &roots.nodes, id).is_none_or(|node| patch_of_node_takes_away(txn, &node, patch))
        }
        MapEdit::PatchEdge { id, patch } => {
            let EdgePatch { source, target, relationship, strength } = patch;
            child_map(txn, &roots.edges, id).is_none_or(|edge| {
                source.is_none()
                    && target.is_none()
                    && strength.is_none()
                    && is_no_longer(txn, &edge, "relationship", relationship.as_deref())
            })
        }
        MapEdit::PatchMeta { topic, root } => {
            root.is_none() && is_no_longer(txn, &roots.meta, "topic", topic.as_deref())
        }
        MapEdit::Init { .. } | MapEdit::Import(_) | MapEdit::AddNode(_) | MapEdit::AddEdge(_) => false,
    }
}

fn patch_of_node_takes_away<T: ReadTxn>(txn: &T, node: &MapRef, patch: &NodePatch) -> bool {
    let NodePatch { title, summary, .. } = patch;
    // What is left besides the texts once everything that clears is left out.
    let cleared = |value: &Option<Option<String>>| value.clone().filter(Option::is_some);
    let rest = NodePatch {
        title: None,
        summary: None,
        pos: patch.pos.filter(Option::is_some),
        color: cleared(&patch.color),
        size: patch.size.filter(Option::is_some),
        expandable: patch.expandable.filter(Option::is_some),
        collapsed: patch.collapsed.filter(Option::is_some),
        run: cleared(&patch.run),
        state: patch.state.filter(Option::is_some),
        ..patch.clone()
    };
    rest == NodePatch::default()
        && is_no_longer(txn, node, "title", title.as_deref())
        && is_no_longer(txn, node, "summary", summary.as_deref())
}

/// Whether a text is left alone or becomes shorter.
fn is_no_longer<T: ReadTxn>(txn: &T, map: &MapRef, key: &str, new: Option<&str>) -> bool {
    let Some(new) = new else { return true };
    text(txn, map, key).is_some_and(|old| old == new || new.len() < old.len())
}

fn new_node_bytes(new: &NewNode) -> usize {
    let NewNode { id, title, summary, parent, color, run, relationship, .. } = new;
    id.len() + title.len() + summary.len() + parent_bytes(parent) + bytes([color, run, relationship])
}

fn new_edge_bytes(new: &NewEdge) -> usize {
    new.id.len() + new.source.len() + new.target.len() + new.relationship.len()
}

fn parent_bytes(parent: &ParentRef) -> usize {
    match parent {
        ParentRef::Under(id) => id.len(),
        ParentRef::Default | ParentRef::Topic => 0,
    }
}

fn bytes<const N: usize>(texts: [&Option<String>; N]) -> usize {
    texts.into_iter().flatten().map(String::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Children;
    use crate::{AsideLimits, Op, Replica};

    fn map() -> Replica {
        let mut replica = Replica::new(1, AsideLimits::default());
        let long = |id: &str| NewNode { color: Some("#ffffff".into()), ..NewNode::new(id, "a long title") };
        let edge = NewEdge {
            id: "e".into(),
            source: "a".into(),
            target: "b".into(),
            relationship: "near".into(),
            strength: 0.5,
        };
        let init =
            MapEdit::Init { topic: "Planets".into(), root: Some(long("a")), created_at: "2026-01-01T00:00:00Z".into() };
        let edits = [init, MapEdit::AddNode(long("b")), MapEdit::AddEdge(edge)];
        let applied = replica.apply(edits.iter().map(Op::Edit), 0);
        assert!(applied.results.iter().all(Result::is_ok), "{applied:?}");
        replica
    }

    fn patch_node(patch: NodePatch) -> MapEdit {
        MapEdit::PatchNode { id: "b".into(), patch }
    }

    fn title(title: &str) -> NodePatch {
        NodePatch { title: Some(title.into()), ..NodePatch::default() }
    }

    fn relationship(text: &str) -> MapEdit {
        let patch = EdgePatch { relationship: Some(text.into()), ..EdgePatch::default() };
        MapEdit::PatchEdge { id: "e".into(), patch }
    }

    fn topic(text: &str) -> MapEdit {
        MapEdit::PatchMeta { topic: Some(text.into()), root: None }
    }

    #[test]
    fn removing_clearing_and_shortening_take_away() {
        for edit in [
            MapEdit::RemoveNode { id: "b".into(), children: Children::Remove },
            MapEdit::RemoveEdge { id: "e".into() },
            patch_node(NodePatch::default()),
            patch_node(title("a title")),
            patch_node(title("something")),
            patch_node(NodePatch { color: Some(None), pos: Some(None), run: Some(None), ..title("") }),
            MapEdit::PatchNode { id: "nobody".into(), patch: title("a title of no node") },
            relationship("far"),
            topic("Moons"),
        ] {
            assert!(map().takes_away(&edit), "{edit:?}");
        }
    }

    #[test]
    fn everything_else_may_add() {
        for edit in [
            MapEdit::AddNode(NewNode::new("c", "")),
            patch_node(title("a longer title")),
            patch_node(title("a wrong title")),
            patch_node(title("a_long_title")),
            patch_node(NodePatch { summary: Some("new".into()), ..title("") }),
            patch_node(NodePatch { color: Some(Some("#000000".into())), ..title("") }),
            patch_node(NodePatch { pos: Some(Some([0.0; 3])), ..title("") }),
            patch_node(NodePatch { collapsed: Some(Some(true)), ..title("") }),
            patch_node(NodePatch { parent: Some(ParentRef::Topic), ..title("") }),
            relationship("very near"),
            topic("All planets"),
            MapEdit::PatchMeta { topic: None, root: Some("b".into()) },
        ] {
            assert!(!map().takes_away(&edit), "{edit:?}");
        }
    }

    #[test]
    fn all_texts_of_an_edit_count() {
        let node =
            NewNode { summary: "12345".into(), parent: ParentRef::Under("12".into()), ..NewNode::new("1", "12") };
        assert_eq!(MapEdit::AddNode(node).text_bytes(), 10);
        assert_eq!(patch_node(NodePatch { run: Some(Some("12".into())), ..title("123") }).text_bytes(), 5);
        assert_eq!(relationship("1234").text_bytes(), 4);
        assert_eq!(topic("12").text_bytes(), 2);
        assert_eq!(MapEdit::RemoveEdge { id: "e".into() }.text_bytes(), 0);
    }
}
