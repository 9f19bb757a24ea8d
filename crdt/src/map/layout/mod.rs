//! Places the nodes that nobody has placed.
//!
//! The root is at the origin, its children on a ring of radius 4, all others on radius 2 around their parent, facing
//! away from what is above it. The plane is x–z; y only varies slightly, by a hash of the id. The result depends on
//! nothing but the map.
//!
//! No two automatic labels overlap. Each branch is given a disc that holds all its labels; the discs of siblings are
//! packed around their parent without touching, and a ring that is too full is pushed out or continued on further
//! rings, whichever stays closer. Nodes with a place of their own keep it; what hangs under them is placed around
//! them, and turned and pushed out until it is clear of everything that is there already. Only the root stays at the
//! origin whatever somebody puts there. Floating topics surround the root's branch.
//!
//! The work is O(n log n) and free of recursion, so that neither long chains nor wide stars are a problem.

mod disc;
mod grid;
mod label;
mod pack;
mod plan;

pub use label::{LabelBox, label_box};
use plan::Plan;

use super::tree::Tree;

/// What the layout needs to know of a node.
#[derive(Debug, Clone, Copy)]
pub struct LayoutNode<'a> {
    /// Its id, which decides its y.
    pub id: &'a str,
    /// Its title, which decides the size of its label.
    pub title: &'a str,
    /// Its size.
    pub size: f64,
    /// Its place, if it has one.
    pub pos: Option<[f64; 3]>,
}

/// Gives every node of `tree` a place. `nodes` has the order of the tree's input.
pub fn layout(tree: &Tree, nodes: &[LayoutNode<'_>]) -> Vec<[f64; 3]> {
    let mut plan = Plan::new(tree, nodes);
    plan.place_root();
    plan.place_around_placed();
    plan.place_topics();
    plan.places
}

#[cfg(test)]
mod tests;
