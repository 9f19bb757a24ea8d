//! Packs the discs of branches around their parent.

use std::f64::consts::FRAC_PI_2;

/// The widest gap between neighbours that do not fill their fan.
const GAP_MAX: f64 = 0.25;
/// Halvings in the search for the radius of a full ring.
const SEARCH_STEPS: u32 = 24;

/// The disc that holds a node and its automatic branch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Branch {
    pub radius: f64,
    /// How far the disc's centre is from the node, in the node's direction.
    pub offset: f64,
}

impl Branch {
    pub fn leaf(radius: f64) -> Self {
        Self { radius, offset: 0.0 }
    }

    /// How far the disc extends from the node towards its parent.
    fn back(&self) -> f64 {
        self.radius - self.offset
    }
}

/// Where a node is, seen from its parent: an angle against the parent's direction, and a distance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Spot {
    pub angle: f64,
    pub distance: f64,
}

/// The ring that branches are packed on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ring {
    /// No disc reaches closer to the centre than this.
    pub inner: f64,
    /// The radius that the nodes have when there is room.
    pub radius: f64,
    /// The angle that is available.
    pub fan: f64,
}

impl Ring {
    fn distance(&self, branch: &Branch) -> f64 {
        self.radius.max(self.inner + branch.back())
    }

    /// Half the angle that a disc takes as seen from the centre. Discs in separate angles do not touch.
    fn half_angle(&self, branch: &Branch) -> f64 {
        let reach = self.distance(branch) + branch.offset;
        if reach <= branch.radius {
            return FRAC_PI_2;
        }
        (branch.radius / reach).asin()
    }

    fn angle(&self, branches: &[Branch]) -> f64 {
        branches.iter().map(|b| 2.0 * self.half_angle(b)).sum()
    }

    /// How far out the discs reach.
    fn outer(&self, branches: &[Branch]) -> f64 {
        branches.iter().map(|branch| self.distance(branch) + branch.offset + branch.radius).fold(0.0, f64::max)
    }
}

/// Packs `branches` in their order: on one ring, pushed out as far as it takes, or on several, each outside the one
/// before, if that stays closer to the centre.
pub(super) fn pack(ring: &Ring, branches: &[Branch]) -> Vec<Spot> {
    let one = push_out(ring, branches);
    if one.radius <= ring.radius {
        return spread(&one, branches);
    }
    let (several, outer) = on_several(ring, branches);
    if outer < one.outer(branches) { several } else { spread(&one, branches) }
}

/// The ring itself, or the smallest larger one that has room for all.
fn push_out(ring: &Ring, branches: &[Branch]) -> Ring {
    let fits = |radius: f64| Ring { radius, ..*ring }.angle(branches) <= ring.fan;
    if fits(ring.radius) {
        return *ring;
    }
    let mut too_small = ring.radius;
    let mut large = ring.radius * 2.0;
    while !fits(large) {
        too_small = large;
        large *= 2.0;
    }
    for _ in 0..SEARCH_STEPS {
        let middle = f64::midpoint(too_small, large);
        if fits(middle) {
            large = middle;
        } else {
            too_small = middle;
        }
    }
    Ring { radius: large, ..*ring }
}

/// Fills ring after ring. Returns how far out the last one reaches, too.
fn on_several(ring: &Ring, branches: &[Branch]) -> (Vec<Spot>, f64) {
    let mut spots = Vec::with_capacity(branches.len());
    let mut current = *ring;
    let mut rest = branches;
    while !rest.is_empty() {
        let mut angle = 0.0;
        let count = rest
            .iter()
            .take_while(|branch| {
                angle += 2.0 * current.half_angle(branch);
                angle <= current.fan
            })
            .count()
            .max(1);
        let (filled, left) = rest.split_at(count);
        spots.extend(spread(&current, filled));
        let outer = current.outer(filled);
        current = Ring { inner: outer, radius: outer, ..current };
        rest = left;
    }
    (spots, current.inner)
}

/// Spreads discs that fit on a ring over its fan.
fn spread(ring: &Ring, branches: &[Branch]) -> Vec<Spot> {
    let is_full_circle = ring.fan >= std::f64::consts::TAU;
    let free = (ring.fan - ring.angle(branches)).max(0.0);
    let gap = free / branches.len() as f64;
    let (gap, start) = if is_full_circle {
        let first = branches.first().map_or(0.0, |branch| ring.half_angle(branch));
        (gap, -first)
    } else {
        let gap = gap.min(GAP_MAX);
        let taken = ring.fan - free + gap * (branches.len() as f64 - 1.0);
        (gap, -taken / 2.0)
    };
    let mut angle = start;
    branches
        .iter()
        .map(|branch| {
            let half = ring.half_angle(branch);
            let spot = Spot { angle: angle + half, distance: ring.distance(branch) };
            angle += 2.0 * half + gap;
            spot
        })
        .collect()
}
