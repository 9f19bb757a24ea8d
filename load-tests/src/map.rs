//! The large map that is opened: a tree that people could have made, the same in every run.

use synapti_crdt::map::{MapEdit, NewNode, ParentRef};

/// Children of each node, so that 10,000 nodes are about five levels deep.
const CHILDREN: usize = 8;

/// The first edit of an empty document.
pub fn init(topic: &str) -> MapEdit {
    MapEdit::Init {
        topic: topic.to_owned(),
        root: Some(NewNode::new(node_id(0), topic)),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

/// The edit that adds node number `index`, counted from the root, which is 0 and comes with [`init`].
pub fn add(index: usize) -> MapEdit {
    let mut node = NewNode::new(node_id(index), format!("Concept {index} of the map"));
    node.summary =
        format!("What concept {index} means, why it matters, and how it hangs together with its neighbours.");
    node.parent = ParentRef::Under(node_id((index - 1) / CHILDREN));
    MapEdit::AddNode(node)
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
        let mut replica = Replica::new(1, AsideLimits::default());
        let edits: Vec<MapEdit> = std::iter::once(init("Topic")).chain((1..100).map(add)).collect();
        let applied = replica.apply(edits.iter().map(Op::Edit), 0);
        assert!(applied.results.iter().all(Result::is_ok));
        let map = replica.map();
        assert_eq!(map.nodes.len(), 100);
        assert!(map.nodes.values().all(|node| !node.title.is_empty() && !node.order.is_empty()));
        let tree = map.derive_tree();
        assert_eq!(tree.root, Some(0));
        assert!(tree.nodes.iter().all(|node| node.children.len() <= CHILDREN));
        assert!(tree.topics.is_empty(), "every other node hangs under another");
    }
}
