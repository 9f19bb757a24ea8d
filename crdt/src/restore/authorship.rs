//! Who wrote what a map shows, as the ids of its elements tell.

use std::collections::HashSet;

use super::shape::Shape;
use crate::{map::IdRange, replica::ApplyError};

/// Keys of a node that say nothing of what somebody made of it: whether it is accepted, and whether its branch is folded away.
const NO_WORK_OF_ANYBODY: [&str; 2] = ["state", "collapsed"];

/// The nodes of a map that show nothing but elements within `wrote`, and miss none that their texts once had.
pub(crate) fn nodes_written_within(state: &[u8], wrote: &[IdRange]) -> Result<HashSet<String>, ApplyError> {
    let shape = Shape::read(state)?;
    let Some(&nodes) = shape.roots.get("nodes") else { return Ok(HashSet::new()) };
    let is_within = |id| wrote.iter().any(|range| range.has(id));
    let nodes = shape.entries(nodes).filter(|(_, node)| {
        let Some(branch) = node.branch.filter(|_| is_within(node.id)) else { return false };
        is_written_within(&shape, branch, &is_within)
    });
    Ok(nodes.map(|(id, _)| id.to_owned()).collect())
}

fn is_written_within(shape: &Shape, node: u32, is_within: &impl Fn(synapti_protocol::update::Id) -> bool) -> bool {
    let is_own = |at: u32| {
        let piece = &shape.pieces[at as usize];
        // The ends of a piece are of one client, and ranges end where a batch did, which a piece may go beyond.
        let last = synapti_protocol::update::Id { client: piece.id.client, clock: piece.end() - 1 };
        piece.is_visible && is_within(piece.id) && is_within(last)
    };
    shape.branch(node).entries.iter().all(|(key, &chain)| {
        if NO_WORK_OF_ANYBODY.contains(&&**key) {
            return true;
        }
        let Some(last) = shape.chains[chain as usize].last else { return true };
        let text = shape.pieces[last as usize].branch;
        is_own(last) && text.is_none_or(|text| shape.all_of_list(text).all(is_own))
    })
}
