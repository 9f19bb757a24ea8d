//! The large map that is opened: a tree that people could have made, the same in every run.
//!
//! Its nodes are numbered from the root, which is 0 and comes with [`init`]. Below the root are branches of
//! [`BRANCH_NODES`] nodes, the first of which is the branch's head.

use synapti_crdt::map::{MapEdit, NewNode, ParentRef};

/// Nodes of a branch.
pub const BRANCH_NODES: usize = 250;

/// Children of a node in a branch, so that it is four levels deep.
const CHILDREN: usize = 8;

/// The first edit of an empty document.
pub fn init(topic: &str) -> MapEdit {
    MapEdit::Init {
        topic: topic.to_owned(),
        root: Some(NewNode::new(node_id(0), topic)),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

/// Whether a node hangs under the root.
pub fn is_head(index: usize) -> bool {
    index % BRANCH_NODES == 1
}

/// The edit that adds a node to a document that has its parent.
pub fn add(index: usize) -> MapEdit {
    let mut node = NewNode::new(node_id(index), format!("Concept {index} of the map"));
    node.summary =
        format!("What concept {index} means, why it matters, and how it hangs together with its neighbours.");
    node.parent = ParentRef::Under(node_id(parent(index)));
    MapEdit::AddNode(node)
}

fn parent(index: usize) -> usize {
    let in_branch = (index - 1) % BRANCH_NODES;
    if in_branch == 0 { 0 } else { index - in_branch + (in_branch - 1) / CHILDREN }
}

fn node_id(index: usize) -> String {
    format!("node-{index:06}")
}

#[cfg(test)]
mod tests {
    use synapti_crdt::{AsideLimits, Op, Replica};

    use super::*;

    #[test]
    fn the_map_is_one_tree_with_titles_summaries_and_orders() {
        let nodes = 2 * BRANCH_NODES + 10;
        let mut replica = Replica::new(1, AsideLimits::default());
        let edits: Vec<MapEdit> = std::iter::once(init("Topic")).chain((1..nodes).map(add)).collect();
        let applied = replica.apply(edits.iter().map(Op::Edit), 0);
        assert!(applied.results.iter().all(Result::is_ok));
        let map = replica.map();
        assert_eq!(map.nodes.len(), nodes);
        assert!(map.nodes.values().all(|node| !node.title.is_empty() && !node.order.is_empty()));
        let tree = map.derive_tree();
        assert_eq!(tree.root, Some(0));
        assert!(tree.topics.is_empty(), "every other node hangs under another");
        let (root, others) = tree.nodes.split_first().unwrap();
        assert_eq!(root.children, (1..nodes).filter(|&index| is_head(index)).collect::<Vec<_>>());
        assert!(others.iter().all(|node| node.children.len() <= CHILDREN));
    }

    #[test]
    fn a_node_hangs_under_an_earlier_one_of_its_own_branch() {
        for index in (1..3 * BRANCH_NODES).filter(|&index| !is_head(index)) {
            let parent = parent(index);
            assert!(parent < index && (parent - 1) / BRANCH_NODES == (index - 1) / BRANCH_NODES, "{index}: {parent}");
        }
    }
}
