//! The nodes around a node.

use synapti_crdt::map::{MapState, NodeState};

use super::Budget;

/// Nodes around a node, the nearest first.
pub(super) struct Surroundings<'a> {
    path: Vec<&'a NodeState>,
    siblings: Vec<&'a NodeState>,
    existing: Vec<&'a NodeState>,
    neighbours: Vec<&'a NodeState>,
}

/// Their titles, in the order of the map.
#[derive(Default)]
pub(super) struct Told {
    pub path: Vec<String>,
    pub siblings: Vec<String>,
    pub existing: Vec<String>,
    pub neighbours: Vec<String>,
}

impl<'a> Surroundings<'a> {
    pub fn of(map: &'a MapState, id: &str) -> Self {
        let (mut ids, mut nodes) = (Vec::with_capacity(map.nodes.len()), Vec::with_capacity(map.nodes.len()));
        for (id, node) in &map.nodes {
            ids.push(id.as_str());
            nodes.push(node);
        }
        // Ids are in the order in which the tree counts them.
        let Ok(own) = ids.binary_search(&id) else {
            return Self { path: vec![], siblings: vec![], existing: vec![], neighbours: vec![] };
        };
        let tree = map.derive_tree();
        let above = std::iter::successors(tree.nodes[own].parent, |&node| tree.nodes[node].parent);
        let family = tree.nodes[own].parent.map_or(&[][..], |parent| &tree.nodes[parent].children);
        Self {
            path: above.map(|node| nodes[node]).collect(),
            siblings: nearest(family, own).into_iter().map(|node| nodes[node]).collect(),
            existing: tree.nodes[own].children.iter().rev().map(|&node| nodes[node]).collect(),
            neighbours: linked(map, id),
        }
    }

    /// Takes one of each in turn until the budget is spent, so that a long list does not crowd out the others.
    pub fn told(&self, budget: &mut Budget) -> Told {
        let lists = [&self.path, &self.siblings, &self.existing, &self.neighbours];
        let mut told: [Vec<String>; 4] = Default::default();
        let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0);
        'budget: for turn in 0..longest {
            for (list, told) in lists.iter().zip(&mut told) {
                let Some(node) = list.get(turn).filter(|node| !node.title.trim().is_empty()) else { continue };
                let Some(title) = budget.entry(&node.title) else { break 'budget };
                told.push(title);
            }
        }
        let [mut path, siblings, mut existing, neighbours] = told;
        path.reverse();
        existing.reverse();
        Told { path, siblings, existing, neighbours }
    }
}

/// The others of a family, those next to it first.
fn nearest(family: &[usize], own: usize) -> Vec<usize> {
    let Some(at) = family.iter().position(|&node| node == own) else { return Vec::new() };
    let (before, after) = (&family[..at], &family[at + 1..]);
    let mut nearest = Vec::with_capacity(family.len());
    for step in 0..before.len().max(after.len()) {
        nearest.extend(before.iter().rev().nth(step));
        nearest.extend(after.get(step));
    }
    nearest
}

/// Nodes at the other end of its cross links, the strongest first.
fn linked<'a>(map: &'a MapState, id: &str) -> Vec<&'a NodeState> {
    let mut linked: Vec<(f64, &str)> = map
        .edges
        .values()
        .filter(|edge| (edge.source == id) != (edge.target == id))
        .map(|edge| (edge.strength.unwrap_or(0.5), if edge.source == id { &edge.target } else { &edge.source }))
        .map(|(strength, other)| (strength, other.as_str()))
        .collect();
    linked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    linked.dedup_by_key(|(_, other)| *other);
    linked.into_iter().filter_map(|(_, other)| map.nodes.get(other)).collect()
}
