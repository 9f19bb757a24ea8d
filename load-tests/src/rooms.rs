//! `synapti-load rooms`: many small rooms at once, in which everybody edits.

use std::time::Duration;

use clap::value_parser;

use crate::{
    crowd::Plan,
    report::{Bar, Limit, Report},
    subject::Target,
    versus::{Comparison, Versus},
};

/// The bar for the server's CPU time per delivery, over that of the relay.
const RATIO_AT_MOST: f64 = 1.6;

/// The bar for 99 of 100 deliveries, in milliseconds.
const P99_AT_MOST_MS: f64 = 8.0;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    comparison: Comparison,
    /// Rooms
    #[arg(long, default_value_t = 250, value_parser = value_parser!(u32).range(1..=10_000))]
    rooms: u32,
    /// Clients in each room
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u32).range(2..=1000))]
    editors: u32,
    /// Edits of each client in a second
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Seconds before
    #[arg(long, default_value_t = 1)]
    warmup: u32,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let Args { rooms, editors, rate, seconds, .. } = *args;
    let plan = Plan {
        rooms,
        viewers: 0,
        stopped: 0,
        editors,
        rate: rate * editors,
        warmup: Duration::from_secs(args.warmup.into()),
        measured: Duration::from_secs(seconds.into()),
        presence: false,
        edit_bytes: 0,
    };
    let versus = Versus::measure(&args.target, &args.comparison, &plan).await?;
    Ok(Report {
        command: "rooms",
        about: format!(
            "{rooms} rooms of {editors} editors, each with {rate} edits of {} bytes in a second, for {seconds} s; everything \
             arrived at the others; {}",
            versus.synapti[0].edit_bytes,
            versus.cores.about()
        ),
        figures: versus.figures(),
        facts: versus.facts(),
        bars: bars(args, &versus),
    })
}

/// There are bars for one shape of load.
fn bars(args: &Args, versus: &Versus) -> Vec<Bar> {
    if (args.rooms, args.editors, args.rate) != (250, 4, 2) {
        return Vec::new();
    }
    let ratio = versus.ratio().map(|ratio| {
        Bar::new("250 rooms of 4: CPU per delivery, over the relay's", Limit::AtMost(RATIO_AT_MOST), "×", ratio)
    });
    let p99 = versus.p99_ms().map(|p99| Bar::new("250 rooms of 4: p99", Limit::AtMost(P99_AT_MOST_MS), "ms", p99));
    ratio.into_iter().chain(p99).collect()
}
