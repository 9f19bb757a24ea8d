//! Carries the layout out: sizes branches from below, then places them from above.

use xxhash_rust::xxh3::xxh3_64;

use super::grid::Grid;
use super::pack::{self, Branch, Ring, Spot};
use super::{LayoutNode, disc, label_box};
use crate::map::tree::Tree;

const ROOT_RING_RADIUS: f64 = 4.0;
pub(super) const RING_RADIUS: f64 = 2.0;
/// Children leave the sixth of the circle free that is towards their grandparent.
const FAN: f64 = std::f64::consts::TAU * 5.0 / 6.0;
const FULL_CIRCLE: f64 = std::f64::consts::TAU;
/// Room between the root's branch and the floating topics.
const TOPIC_GAP: f64 = 4.0;
/// The most that a node's y differs from that of the root, or of the placed node that it belongs to.
pub(super) const Y_MAX: f64 = 0.5;
/// Places beyond this are kept, but what hangs under them is placed as if they were here: farther out, floats are too
/// coarse to keep labels apart.
const PLACE_MAX: f64 = 1e6;
/// Directions tried before a ring is pushed out.
const TURNS: u32 = 6;
/// How often a ring is pushed out to twice its radius, at most: enough to leave anything within [`PLACE_MAX`].
const PUSHES_MAX: i32 = 24;

pub(super) struct Plan<'a> {
    tree: &'a Tree,
    nodes: &'a [LayoutNode<'a>],
    preorder: Vec<usize>,
    /// The radius of each node's label.
    radii: Vec<f64>,
    /// The disc of each node's automatic branch.
    branches: Vec<Branch>,
    /// Where each automatic node is, seen from its parent.
    spots: Vec<Spot>,
    pub places: Vec<[f64; 3]>,
    /// What is taken; only needed when somebody has placed nodes.
    taken: Option<Grid>,
}

impl<'a> Plan<'a> {
    pub fn new(tree: &'a Tree, nodes: &'a [LayoutNode<'a>]) -> Self {
        let radii: Vec<f64> = nodes.iter().map(|node| label_box(node.title, node.size).radius()).collect();
        let mut plan = Self {
            tree,
            nodes,
            preorder: tree.preorder(),
            branches: radii.iter().copied().map(Branch::leaf).collect(),
            radii,
            spots: vec![Spot::default(); nodes.len()],
            places: nodes.iter().map(|node| node.pos.unwrap_or_default()).collect(),
            taken: None,
        };
        if nodes.iter().any(|node| node.pos.is_some()) {
            let mut taken = Grid::default();
            for (index, node) in nodes.iter().enumerate() {
                if let Some([x, _, z]) = node.pos {
                    taken.insert_placed([near(x), near(z)], plan.radii[index]);
                }
            }
            plan.taken = Some(taken);
        }
        plan.size_branches();
        plan
    }

    /// Packs every branch, the deepest first.
    fn size_branches(&mut self) {
        for position in (0..self.preorder.len()).rev() {
            let node = self.preorder[position];
            let children = self.automatic_children(node);
            if children.is_empty() {
                continue;
            }
            let packed = self.pack(&self.ring_of(node), &children);
            let (branch, turn) = disc::enclose(self.radii[node], &packed);
            for (child, (spot, _)) in children.into_iter().zip(packed) {
                self.spots[child] = Spot { angle: spot.angle - turn, ..spot };
            }
            self.branches[node] = branch;
        }
    }

    pub fn place_root(&mut self) {
        let Some(root) = self.tree.root.filter(|&root| self.nodes[root].pos.is_none()) else {
            return;
        };
        self.take(root, [0.0; 3]);
        self.place_children(root, 0.0);
    }

    pub fn place_around_placed(&mut self) {
        for position in 0..self.preorder.len() {
            let node = self.preorder[position];
            if let Some([x, _, z]) = self.nodes[node].pos {
                self.place_children(node, near(z).atan2(near(x)));
            }
        }
    }

    pub fn place_topics(&mut self) {
        let topics: Vec<usize> = self.automatic(&self.tree.topics);
        let reach = self.tree.root.map_or(0.0, |root| self.reach_of_branch(root));
        let ring = Ring { inner: reach, radius: reach + TOPIC_GAP, fan: FULL_CIRCLE };
        self.place_ring(&topics, &ring, [0.0; 3], 0.0);
    }

    /// How far from the origin the automatic branch of the root extends, whatever its direction.
    fn reach_of_branch(&self, root: usize) -> f64 {
        if self.nodes[root].pos.is_some() {
            return 0.0;
        }
        let mut reach: f64 = 0.0;
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            let [x, _, z] = self.places[node];
            reach = reach.max(x.hypot(z) + self.radii[node]);
            stack.extend(self.automatic_children(node));
        }
        reach
    }

    /// Places the automatic branches under `node`, which has its place.
    fn place_children(&mut self, node: usize, direction: f64) {
        let children = self.automatic_children(node);
        let [x, y, z] = self.places[node];
        let ring = self.ring_of(node);
        self.place_ring(&children, &ring, [near(x), y, near(z)], direction);
    }

    /// Places branches on a ring, turned and pushed out until they are clear.
    fn place_ring(&mut self, members: &[usize], ring: &Ring, center: [f64; 3], direction: f64) {
        if members.is_empty() {
            return;
        }
        let mut found = Vec::new();
        'search: for push in 0..PUSHES_MAX {
            let pushed = Ring { radius: ring.radius * f64::powi(2.0, push), ..*ring };
            let packed = self.pack(&pushed, members);
            for turn in 0..TURNS {
                let turned = direction + FULL_CIRCLE * f64::from(turn) / f64::from(TURNS);
                found = self.places_of(members, &packed, center, turned);
                if self.are_clear(&found) {
                    break 'search;
                }
            }
        }
        for (node, place) in found {
            self.take(node, place);
        }
    }

    /// The places of all automatic nodes of packed branches.
    fn places_of(
        &self,
        members: &[usize],
        packed: &[(Spot, Branch)],
        center: [f64; 3],
        direction: f64,
    ) -> Vec<(usize, [f64; 3])> {
        let mut stack: Vec<(usize, [f64; 3], f64)> =
            members.iter().zip(packed).map(|(&node, (spot, _))| step(node, center, direction, spot)).collect();
        let mut places = Vec::new();
        while let Some((node, place, direction)) = stack.pop() {
            places.push((node, place));
            for child in self.automatic_children(node) {
                stack.push(step(child, place, direction, &self.spots[child]));
            }
        }
        places
    }

    fn are_clear(&self, places: &[(usize, [f64; 3])]) -> bool {
        self.taken
            .as_ref()
            .is_none_or(|taken| places.iter().all(|&(node, [x, _, z])| taken.is_clear([x, z], self.radii[node])))
    }

    fn take(&mut self, node: usize, place: [f64; 3]) {
        let [x, y, z] = place;
        if let Some(taken) = &mut self.taken {
            taken.insert([x, z], self.radii[node]);
        }
        let lift = if self.tree.root == Some(node) { 0.0 } else { slight_y(self.nodes[node].id) };
        self.places[node] = [x, y + lift, z];
    }

    fn ring_of(&self, node: usize) -> Ring {
        let is_root = self.tree.root == Some(node);
        let is_top = self.tree.nodes[node].parent.is_none();
        Ring {
            inner: self.radii[node],
            radius: if is_root { ROOT_RING_RADIUS } else { RING_RADIUS },
            fan: if is_top { FULL_CIRCLE } else { FAN },
        }
    }

    fn pack(&self, ring: &Ring, members: &[usize]) -> Vec<(Spot, Branch)> {
        let branches: Vec<Branch> = members.iter().map(|&node| self.branches[node]).collect();
        let spots = pack::pack(ring, &branches);
        spots.into_iter().zip(branches).collect()
    }

    fn automatic_children(&self, node: usize) -> Vec<usize> {
        self.automatic(&self.tree.nodes[node].children)
    }

    fn automatic(&self, nodes: &[usize]) -> Vec<usize> {
        nodes.iter().copied().filter(|&node| self.nodes[node].pos.is_none()).collect()
    }
}

/// The place and the direction of a node that is at `spot` as seen from `center`.
fn step(node: usize, center: [f64; 3], direction: f64, spot: &Spot) -> (usize, [f64; 3], f64) {
    let direction = direction + spot.angle;
    let [x, y, z] = center;
    let place = [x + spot.distance * direction.cos(), y, z + spot.distance * direction.sin()];
    (node, place, direction)
}

fn near(coordinate: f64) -> f64 {
    coordinate.clamp(-PLACE_MAX, PLACE_MAX)
}

fn slight_y(id: &str) -> f64 {
    let fraction = f64::from(xxh3_64(id.as_bytes()) as u32) / f64::from(u32::MAX);
    (fraction - 0.5) * 2.0 * Y_MAX
}
