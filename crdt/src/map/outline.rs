//! The map's shape without its contents: what an edit needs to know before it writes.

use std::collections::HashMap;

use yrs::ReadTxn;

use super::read::{child_maps, read_order, read_parent, string};
use super::roots::MapRoots;
use super::tree::{self, ParentLink, Tree, TreeInput};

/// Ids, stored parents and orders of all nodes, and the tree that follows from them.
pub(crate) struct Outline {
    pub ids: Vec<String>,
    pub parents: Vec<ParentLink<String>>,
    pub orders: Vec<String>,
    pub tree: Tree,
    /// Whether the root is the one that `meta.root` names.
    pub root_is_named: bool,
    by_id: HashMap<String, usize>,
}

impl Outline {
    pub fn read<T: ReadTxn>(txn: &T, roots: &MapRoots) -> Self {
        let mut ids = Vec::new();
        let mut parents = Vec::new();
        let mut orders = Vec::new();
        for (id, node) in child_maps(txn, &roots.nodes) {
            ids.push(id);
            parents.push(read_parent(txn, &node));
            orders.push(read_order(txn, &node));
        }
        let by_id: HashMap<String, usize> = ids.iter().enumerate().map(|(index, id)| (id.clone(), index)).collect();
        let named_root = string(txn, &roots.meta, "root");
        let input: Vec<TreeInput<'_>> = (0..ids.len())
            .map(|index| TreeInput { id: &ids[index], parent: parents[index].as_deref(), order: &orders[index] })
            .collect();
        let tree = tree::derive(&input, named_root.as_deref());
        Self { tree, root_is_named: named_root.is_some_and(|id| by_id.contains_key(&id)), ids, parents, orders, by_id }
    }

    pub fn index_of(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub fn root_id(&self) -> Option<&str> {
        self.tree.root.map(|root| self.ids[root].as_str())
    }

    /// The sorted children of `parent`, or the floating topics.
    pub fn siblings_under(&self, parent: Option<usize>) -> &[usize] {
        match parent {
            Some(parent) => &self.tree.nodes[parent].children,
            None => &self.tree.topics,
        }
    }
}
