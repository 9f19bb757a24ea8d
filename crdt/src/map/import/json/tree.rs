//! Parents, from whatever a file says of them.

use std::collections::{HashMap, VecDeque};

use super::{
    edges::Edge,
    nodes::{Node, Parent},
};
use crate::map::import::Problems;

/// Where each node hangs, and which is the root.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub parents: Vec<Option<usize>>,
    pub root: Option<usize>,
}

/// Finds the parent of each node: the one that it names; else where a `contains` edge comes from; else, when nothing in the
/// file tells parents, the neighbour that is nearer to the first node.
pub(super) fn shape(nodes: &[Node], edges: &[Edge], index: &HashMap<&str, usize>, problems: &mut Problems) -> Shape {
    let mut parents = vec![None; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        let Parent::Is(parent) = &node.says else { continue };
        match index.get(parent.as_str()) {
            Some(&parent) => parents[at] = Some(parent),
            None => problems.add(format!("nodes[{}].parent_id", node.row), format!("there is no node `{parent}`")),
        }
    }
    if !is_ours(nodes) {
        let names_parents = parents.iter().any(Option::is_some);
        // A null among named parents is meant; a null on every node says nothing.
        let is_open = |node: &Node| node.says == Parent::Nothing || (node.says == Parent::None && !names_parents);
        for edge in edges.iter().filter(|edge| edge.is_contains && edge.source != edge.target) {
            if parents[edge.target].is_none() && is_open(&nodes[edge.target]) {
                parents[edge.target] = Some(edge.source);
            }
        }
        if parents.iter().all(Option::is_none) {
            parents = from_neighbours(nodes, edges, index);
        }
    }
    report_circles(nodes, &parents, problems);
    let root = parents.iter().position(Option::is_none);
    Shape { parents, root }
}

/// Whether the file is an export of ours, which leaves nothing to guess.
pub(super) fn is_ours(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| node.is_ours)
}

/// Walks from the first node over connections, or over edges when there are none; who is reached first is the parent.
fn from_neighbours(nodes: &[Node], edges: &[Edge], index: &HashMap<&str, usize>) -> Vec<Option<usize>> {
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let connected = nodes.iter().enumerate().flat_map(|(at, node)| {
        node.connections.iter().filter_map(move |other| Some((at, *index.get(other.as_str())?)))
    });
    let mut pairs: Vec<(usize, usize)> = connected.collect();
    if pairs.is_empty() {
        pairs = edges.iter().map(|edge| (edge.source, edge.target)).collect();
    }
    for (a, b) in pairs {
        neighbours[a].push(b);
        neighbours[b].push(a);
    }
    let mut parents = vec![None; nodes.len()];
    let mut reached = vec![false; nodes.len()];
    let mut queue: VecDeque<usize> = reached.first_mut().map(|first| *first = true).map(|()| 0).into_iter().collect();
    while let Some(at) = queue.pop_front() {
        for &next in &neighbours[at] {
            if !std::mem::replace(&mut reached[next], true) {
                parents[next] = Some(at);
                queue.push_back(next);
            }
        }
    }
    parents
}

/// Each circle of parents is a problem, told at the node where it was met.
fn report_circles(nodes: &[Node], parents: &[Option<usize>], problems: &mut Problems) {
    const UNVISITED: usize = usize::MAX;
    let mut visited_by = vec![UNVISITED; nodes.len()];
    for start in 0..nodes.len() {
        let mut current = Some(start);
        while let Some(at) = current.filter(|&at| visited_by[at] == UNVISITED) {
            visited_by[at] = start;
            current = parents[at];
        }
        if let Some(at) = current.filter(|&at| visited_by[at] == start) {
            let (id, row) = (&nodes[at].new.id, nodes[at].row);
            let message = format!("the parents of `{id}` form a circle: one of them must have the parent null");
            problems.add(format!("nodes[{row}].parent_id"), message);
        }
    }
}
