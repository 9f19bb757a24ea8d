//! What becomes of a run's nodes: they are accepted, or go again.

use std::collections::HashSet;

use yrs::{Map, TransactionMut};

use super::{MapRoots, Settled, Settlement, Verdict, grow::is_of};
use crate::map::{
    outline::Outline,
    read::{child_map, string},
    state::Proposed,
};

/// Carries out a settlement. `untouched` are the nodes that show nothing but what the run has written.
pub(crate) fn settle(
    txn: &mut TransactionMut<'_>,
    roots: &MapRoots,
    settlement: &Settlement,
    untouched: &HashSet<String>,
) -> Settled {
    let outline = Outline::read(txn, roots);
    let concerned = concerned(txn, roots, &outline, settlement);
    let chosen: Vec<usize> = match settlement.what {
        Verdict::Accept => concerned.clone(),
        Verdict::Reject | Verdict::Undo => {
            let is_named = settlement.what == Verdict::Reject && settlement.nodes.is_some();
            let may_go = concerned.iter().copied().filter(|&node| is_named || untouched.contains(&outline.ids[node]));
            without_children_that_stay(&outline, may_go.collect())
        }
    };
    for &node in &chosen {
        let id = &outline.ids[node];
        match settlement.what {
            Verdict::Accept => {
                if let Some(node) = child_map(txn, &roots.nodes, id) {
                    node.remove(txn, "state");
                }
            }
            Verdict::Reject | Verdict::Undo => {
                roots.nodes.remove(txn, id);
            }
        }
    }
    let ids = |nodes: &mut dyn Iterator<Item = usize>| nodes.map(|node| outline.ids[node].clone()).collect();
    Settled {
        wrote: Vec::new(),
        changed: ids(&mut chosen.iter().copied()),
        kept: ids(&mut concerned.iter().copied().filter(|node| !chosen.contains(node))),
    }
}

/// The nodes that a settlement is about, in the order of the tree.
fn concerned(txn: &TransactionMut<'_>, roots: &MapRoots, outline: &Outline, settlement: &Settlement) -> Vec<usize> {
    let named: Option<HashSet<&str>> =
        settlement.nodes.as_ref().map(|nodes| nodes.iter().map(String::as_str).collect());
    let is_proposed = |id: &str| {
        let node = child_map(txn, &roots.nodes, id);
        node.and_then(|node| string(txn, &node, "state")).is_some_and(|state| state == Proposed::WORD)
    };
    let is_concerned = |&node: &usize| {
        let id = outline.ids[node].as_str();
        named.as_ref().is_none_or(|named| named.contains(id))
            && is_of(txn, roots, id, &settlement.run)
            && (settlement.what == Verdict::Undo || is_proposed(id))
    };
    outline.tree.preorder().into_iter().filter(is_concerned).collect()
}

/// Of nodes that may go, those whose children go with them. The root stays.
fn without_children_that_stay(outline: &Outline, may_go: Vec<usize>) -> Vec<usize> {
    let mut going: HashSet<usize> = may_go.iter().copied().filter(|node| outline.tree.root != Some(*node)).collect();
    // Children come after their parents.
    for &node in may_go.iter().rev() {
        if outline.tree.nodes[node].children.iter().any(|child| !going.contains(child)) {
            going.remove(&node);
        }
    }
    may_go.into_iter().filter(|node| going.contains(node)).collect()
}
