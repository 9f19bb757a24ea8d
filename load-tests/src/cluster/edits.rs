//! Many edits on both nodes: how long they take to the other one.

use std::time::Duration;

use anyhow::ensure;

use super::{
    Args, Said,
    ground::{Ground, Shape},
    measure::{Load, Side},
};
use crate::{
    crowd::Plan,
    report::{Bar, Limit},
};

/// The bar for 99 of 100 deliveries to the other node, in milliseconds.
const P99_BELOW_MS: f64 = 30.0;

/// Clients of each room, half of them on each node.
const EDITORS: u32 = 2;
const VIEWERS: u32 = 4;

/// Measures two nodes.
pub async fn measure(args: &Args, ground: &Ground) -> anyhow::Result<Said> {
    let Args { rooms, edits, seconds, .. } = *args;
    let load = Load::new(plan(args)?)?;
    let mut two = Side::new(Shape::Two);
    for round in 1..=args.rounds {
        eprintln!("edits: {}, round {round} of {}", two.shape, args.rounds);
        two.add(ground, None, &load).await?;
    }
    let bar = ((rooms, edits) == (20, 1000)).then_some(two.across_p99_ms()).flatten().map(|p99| {
        Bar::new("1000 edits/s over 20 rooms: p99 to the other node", Limit::Below(P99_BELOW_MS), "ms", p99)
    });
    Ok(Said {
        about: format!(
            "edits: {rooms} rooms with an editor and {} viewers on each of two nodes, {edits} edits of {} bytes in a second in \
             all, for {seconds} s; everything arrived, and all maps are the same on both nodes; nodes, Redis, PostgreSQL and \
             clients share all cores",
            VIEWERS / 2,
            two.edit_bytes(),
        ),
        figures: two.figures("edits"),
        facts: two.facts("edits"),
        bars: bar.into_iter().collect(),
    })
}

/// Clients take turns between the nodes, editors first.
fn plan(args: &Args) -> anyhow::Result<Plan> {
    ensure!(
        args.edits.is_multiple_of(args.rooms),
        "each room has the same number of edits in a second: --edits has to be a multiple of --rooms"
    );
    Ok(Plan {
        rooms: args.rooms,
        viewers: VIEWERS,
        stopped: 0,
        editors: EDITORS,
        rate: args.edits / args.rooms,
        warmup: Duration::from_secs(args.warmup.into()),
        measured: Duration::from_secs(args.seconds.into()),
        presence: false,
        edit_bytes: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::args;

    #[test]
    fn the_edits_are_shared_evenly_by_the_rooms() {
        let plan = plan(&args("--rooms 20 --edits 1000")).unwrap();
        assert_eq!((plan.rooms, plan.rate, plan.members()), (20, 50, 6));
        let uneven = super::plan(&args("--rooms 3 --edits 1000")).unwrap_err().to_string();
        assert!(uneven.contains("a multiple of --rooms"), "{uneven}");
    }
}
