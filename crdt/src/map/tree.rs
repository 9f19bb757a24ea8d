//! Derives the tree from the parents that the nodes name.
//!
//! Concurrent edits can leave any graph behind: parents that were deleted, nodes that name each other. Every reader
//! derives the same tree from the same nodes, and in it every node appears exactly once:
//!
//! 1. If `meta.root` names a node, that is the root, and its `parent` is ignored.
//! 2. A node whose parent is null is a topic; one whose parent names no node, or itself, is an orphan.
//! 3. In each cycle of parents, the node with the lowest id (bytewise) becomes an orphan.
//! 4. Without a root so far, it is the lowest topic by (order bytewise, id), else the lowest orphan by the same.
//! 5. Orphans hang under the root. The other topics float: they have no parent.
//!
//! Siblings, and the floating topics, sort by (order bytewise, id).

use std::collections::HashMap;

/// What a node's `parent` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentLink<S> {
    /// Nothing: the node is a topic.
    Null,
    /// The id of a node, which need not exist.
    Node(S),
    /// Something that is no id: it names no node.
    Invalid,
}

impl ParentLink<String> {
    /// The same link, borrowed.
    pub fn as_deref(&self) -> ParentLink<&str> {
        match self {
            Self::Null => ParentLink::Null,
            Self::Node(id) => ParentLink::Node(id),
            Self::Invalid => ParentLink::Invalid,
        }
    }
}

/// What the tree needs to know of a node. Ids are unique.
#[derive(Debug, Clone, Copy)]
pub struct TreeInput<'a> {
    /// The node's id.
    pub id: &'a str,
    /// The parent that it names.
    pub parent: ParentLink<&'a str>,
    /// Its place among siblings.
    pub order: &'a str,
}

/// The derived tree. Nodes are indices into the input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// The root; `None` only for a map without nodes.
    pub root: Option<usize>,
    /// The floating topics, sorted. The root is not among them.
    pub topics: Vec<usize>,
    /// One entry for each node of the input.
    pub nodes: Vec<TreeNode>,
}

/// A node's place in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeNode {
    /// The parent in the tree; `None` for the root and for floating topics.
    pub parent: Option<usize>,
    /// The children, sorted.
    pub children: Vec<usize>,
    /// Steps up to the root or to the floating topic.
    pub depth: u32,
    /// Whether it hangs under the root only because it has nowhere else to be.
    pub is_orphan: bool,
}

impl Tree {
    /// All nodes, each before its children, in sibling order: the root's branch first, then the floating topics.
    pub fn preorder(&self) -> Vec<usize> {
        let mut sequence = Vec::with_capacity(self.nodes.len());
        let mut stack: Vec<usize> = self.topics.iter().rev().copied().collect();
        stack.extend(self.root);
        while let Some(node) = stack.pop() {
            sequence.push(node);
            stack.extend(self.nodes[node].children.iter().rev());
        }
        sequence
    }

    /// `top` and everything below it, each node before its children.
    pub fn branch(&self, top: usize) -> Vec<usize> {
        let mut sequence = vec![top];
        let mut next = 0;
        while let Some(&node) = sequence.get(next) {
            sequence.extend(&self.nodes[node].children);
            next += 1;
        }
        sequence
    }

    /// Whether `top` is `node` or lies above it.
    pub fn is_in_branch(&self, top: usize, node: usize) -> bool {
        let mut above = Some(node);
        while let Some(current) = above {
            if current == top {
                return true;
            }
            above = self.nodes[current].parent;
        }
        false
    }
}

/// Derives the tree of `input` in O(n log n), without recursion.
pub fn derive(input: &[TreeInput<'_>], meta_root: Option<&str>) -> Tree {
    let by_id: HashMap<&str, usize> = input.iter().enumerate().map(|(index, node)| (node.id, index)).collect();
    let named_root = meta_root.and_then(|id| by_id.get(id).copied());

    let mut places: Vec<Place> = input
        .iter()
        .enumerate()
        .map(|(index, node)| match node.parent {
            _ if Some(index) == named_root => Place::Topic,
            ParentLink::Null => Place::Topic,
            ParentLink::Node(id) => match by_id.get(id) {
                Some(&parent) if parent != index => Place::Under(parent),
                _ => Place::Orphan,
            },
            ParentLink::Invalid => Place::Orphan,
        })
        .collect();
    break_cycles(input, &mut places);

    let mut sorted: Vec<usize> = (0..input.len()).collect();
    sorted.sort_unstable_by_key(|&index| (input[index].order, input[index].id));
    let lowest = |place| sorted.iter().copied().find(|&index| places[index] == place);
    let root = named_root.or_else(|| lowest(Place::Topic)).or_else(|| lowest(Place::Orphan));
    assemble(root, &sorted, &places)
}

/// Where a node goes, before the root is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Topic,
    Orphan,
    Under(usize),
}

/// Makes the lowest node of each cycle an orphan (rule 3). Each node has at most one parent, so following parents
/// from an unvisited node either ends, reaches a node that an earlier walk has settled, or closes a new cycle.
fn break_cycles(input: &[TreeInput<'_>], places: &mut [Place]) {
    const UNVISITED: usize = usize::MAX;
    let mut visited_by = vec![UNVISITED; places.len()];
    for start in 0..places.len() {
        let mut current = start;
        while visited_by[current] == UNVISITED {
            visited_by[current] = start;
            match places[current] {
                Place::Under(parent) => current = parent,
                Place::Topic | Place::Orphan => break,
            }
        }
        let closes_here = visited_by[current] == start && matches!(places[current], Place::Under(_));
        if closes_here {
            let lowest = lowest_of_cycle(input, places, current);
            places[lowest] = Place::Orphan;
        }
    }
}

fn lowest_of_cycle(input: &[TreeInput<'_>], places: &[Place], on_cycle: usize) -> usize {
    let mut lowest = on_cycle;
    let mut current = on_cycle;
    while let Place::Under(parent) = places[current] {
        if input[parent].id < input[lowest].id {
            lowest = parent;
        }
        if parent == on_cycle {
            break;
        }
        current = parent;
    }
    lowest
}

/// Links the nodes up in sibling order (rule 5) and counts depths from the top.
fn assemble(root: Option<usize>, sorted: &[usize], places: &[Place]) -> Tree {
    let mut tree = Tree { root, topics: Vec::new(), nodes: vec![TreeNode::default(); places.len()] };
    for &index in sorted.iter().filter(|&&index| Some(index) != root) {
        let parent = match places[index] {
            Place::Under(parent) => Some(parent),
            Place::Orphan => root,
            Place::Topic => None,
        };
        tree.nodes[index].parent = parent;
        tree.nodes[index].is_orphan = places[index] == Place::Orphan;
        match parent {
            Some(parent) => tree.nodes[parent].children.push(index),
            None => tree.topics.push(index),
        }
    }
    for index in tree.preorder() {
        if let Some(parent) = tree.nodes[index].parent {
            tree.nodes[index].depth = tree.nodes[parent].depth + 1;
        }
    }
    tree
}
