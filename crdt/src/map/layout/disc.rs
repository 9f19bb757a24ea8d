//! Discs that hold discs.

use super::pack::{Branch, Spot};

#[derive(Clone, Copy)]
struct Disc {
    center: [f64; 2],
    radius: f64,
}

/// The disc of a node with its packed children, and the angle at which its centre lies.
///
/// The node is then turned so that its direction goes through that centre. Discs are merged the largest first: a long
/// branch with small ones beside it grows by about their size at each step, not by a share of its own.
pub(super) fn enclose(label_radius: f64, packed: &[(Spot, Branch)]) -> (Branch, f64) {
    let label = Disc { center: [0.0, 0.0], radius: label_radius };
    let mut discs: Vec<Disc> = packed.iter().map(disc_of).collect();
    discs.push(label);
    discs.sort_by(|a, b| b.radius.total_cmp(&a.radius));
    let merged = discs.iter().copied().reduce(merge).unwrap_or(label);

    let [x, z] = merged.center;
    let around_node = discs.iter().map(|disc| disc.center[0].hypot(disc.center[1]) + disc.radius).fold(0.0, f64::max);
    if around_node <= merged.radius {
        return (Branch::leaf(around_node), 0.0);
    }
    let branch = Branch { radius: merged.radius, offset: x.hypot(z) };
    (branch, z.atan2(x))
}

fn disc_of((spot, branch): &(Spot, Branch)) -> Disc {
    let reach = spot.distance + branch.offset;
    Disc { center: [reach * spot.angle.cos(), reach * spot.angle.sin()], radius: branch.radius }
}

/// The smallest disc that holds both.
fn merge(a: Disc, b: Disc) -> Disc {
    let [dx, dz] = [b.center[0] - a.center[0], b.center[1] - a.center[1]];
    let distance = dx.hypot(dz);
    if distance + b.radius <= a.radius {
        return a;
    }
    if distance + a.radius <= b.radius {
        return b;
    }
    let radius = (distance + a.radius + b.radius) / 2.0;
    let share = (radius - a.radius) / distance;
    Disc { center: [a.center[0] + dx * share, a.center[1] + dz * share], radius }
}
