//! Order keys for nodes that come in the order of a file.

use std::collections::HashMap;

use crate::map::order;

/// The longest order key that is kept as it is.
const ORDER_BYTES_MAX: usize = 128;

/// A node as far as its place among its siblings goes.
pub(super) struct Placed<'a> {
    pub id: &'a str,
    pub parent: Option<usize>,
    /// The key that it has already.
    pub order: Option<&'a str>,
}

/// One key for each node, so that siblings sort as they come. Keys that do so already stay.
pub(super) fn orders(nodes: &[Placed<'_>], root: Option<usize>) -> Vec<String> {
    let mut families: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (at, node) in nodes.iter().enumerate().filter(|(at, _)| Some(*at) != root) {
        families.entry(node.parent).or_default().push(at);
    }
    // The root has no siblings: what floats beside it is sorted without it.
    let alone = root.map(|root| vec![root]);
    let mut orders = vec![String::new(); nodes.len()];
    for family in families.into_values().chain(alone) {
        let keys = match kept(nodes, &family) {
            Some(kept) => kept.into_iter().map(str::to_owned).collect(),
            None => order::n_between(None, None, family.len()),
        };
        for (at, key) in family.into_iter().zip(keys) {
            orders[at] = key;
        }
    }
    orders
}

/// The keys of siblings, when all have one and they sort as the siblings come.
fn kept<'a>(nodes: &[Placed<'a>], family: &[usize]) -> Option<Vec<&'a str>> {
    let keys: Vec<&str> = family.iter().filter_map(|&at| nodes[at].order).collect();
    let is_whole = keys.len() == family.len() && keys.iter().all(|key| key.len() <= ORDER_BYTES_MAX);
    let sorts = |pair: &[usize]| {
        let [a, b] = pair else { return true };
        (nodes[*a].order, nodes[*a].id) < (nodes[*b].order, nodes[*b].id)
    };
    (is_whole && family.windows(2).all(sorts)).then_some(keys)
}
