//! One editor and many viewers: what a delivery costs on two nodes, over what it costs on one.

use std::time::Duration;

use super::{
    Args, Said,
    ground::{Ground, Shape},
    measure::{Load, Side},
};
use crate::{
    cores::Cores,
    crowd::Plan,
    report::{Bar, Fact, Limit},
};

/// The bar for the CPU time per delivery of two nodes together, over that of one node that knows of no cluster.
const RATIO_AT_MOST: f64 = 1.5;

/// The bar for 99 of 100 deliveries on two nodes, in milliseconds.
const P99_AT_MOST_MS: f64 = 8.0;

/// Measures: one node, one node with Redis, two nodes, in turn.
pub async fn measure(args: &Args, ground: &Ground) -> anyhow::Result<Said> {
    let cores = Cores::of_this_machine()?;
    cores.pin_client()?;
    let load = Load::new(plan(args))?;
    let mut sides = [Shape::Alone, Shape::Ready, Shape::Two].map(Side::new);
    for round in 1..=args.rounds {
        for side in &mut sides {
            eprintln!("viewers: {}, round {round} of {}", side.shape, args.rounds);
            side.add(ground, Some(cores), &load).await?;
        }
    }
    let [alone, ready, two] = &sides;
    let ratio = |one: &Side| over(two.cpu_us(), one.cpu_us());
    let mut facts: Vec<Fact> = sides.iter().flat_map(|side| side.facts("viewers")).collect();
    for one in [alone, ready] {
        let name = format!("viewers: CPU per delivery of two nodes, over {}", one.shape);
        facts.extend(ratio(one).map(|ratio| Fact::new(name, "×", [ratio])));
    }
    Ok(Said {
        about: format!(
            "viewers: one editor and {} viewers, {} edits of {} bytes in a second, for {} s; on two nodes the viewers are spread \
             evenly; everything arrived, and the map is the same on all nodes; {} (nodes and Redis are the server), PostgreSQL \
             wherever it runs",
            args.viewers,
            args.rate,
            two.edit_bytes(),
            args.seconds,
            cores.about()
        ),
        figures: sides.iter().flat_map(|side| side.figures("viewers")).collect(),
        facts,
        bars: bars(args, ratio(alone), two),
    })
}

/// Editors come first and clients take turns between the nodes, so the editor is on the first, and half of the viewers on
/// each.
fn plan(args: &Args) -> Plan {
    Plan {
        rooms: 1,
        viewers: args.viewers,
        stopped: 0,
        editors: 1,
        rate: args.rate,
        warmup: Duration::from_secs(args.warmup.into()),
        measured: Duration::from_secs(args.seconds.into()),
        presence: false,
        edit_bytes: 0,
    }
}

fn over(two: Option<f64>, one: Option<f64>) -> Option<f64> {
    Some(two? / one?)
}

/// There are bars for one shape of load.
fn bars(args: &Args, ratio: Option<f64>, two: &Side) -> Vec<Bar> {
    if (args.viewers, args.rate) != (50, 50) {
        return Vec::new();
    }
    let name = |what: &str| format!("50 viewers, 50 edits/s on two nodes: {what}");
    let ratio = ratio
        .map(|ratio| Bar::new(name("CPU per delivery, over one node's"), Limit::AtMost(RATIO_AT_MOST), "×", ratio));
    let p99 = |what, p99: Option<f64>| p99.map(|p99| Bar::new(name(what), Limit::AtMost(P99_AT_MOST_MS), "ms", p99));
    [ratio, p99("p99", two.p99_ms()), p99("p99 to the other node", two.across_p99_ms())].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{measure::tests::side, tests::args};

    fn verdicts(arguments: &str, ratio: Option<f64>, two: &Side) -> Vec<bool> {
        let bars = serde_json::to_value(bars(&args(arguments), ratio, two)).unwrap();
        bars.as_array().unwrap().iter().map(|bar| bar["met"].as_bool().unwrap()).collect()
    }

    #[test]
    fn the_ratio_is_of_two_nodes_over_one_and_has_to_be_one_and_a_half_at_most() {
        let (alone, two) = (side(Shape::Alone, &[(20, 0, 3)]), side(Shape::Two, &[(30, 0, 7)]));
        let ratio = over(two.cpu_us(), alone.cpu_us());
        assert_eq!(ratio, Some(1.5));
        assert_eq!(verdicts("", ratio, &two), [true, true, true]);
        assert_eq!(verdicts("", Some(1.51), &side(Shape::Two, &[(30, 0, 9)])), [false, false, false]);
    }

    #[test]
    fn another_load_has_no_bars() {
        let two = side(Shape::Two, &[(30, 0, 7)]);
        assert_eq!(verdicts("--viewers 49", Some(1.0), &two), [false; 0]);
        assert_eq!(verdicts("--rate 51", Some(1.0), &two), [false; 0]);
    }
}
