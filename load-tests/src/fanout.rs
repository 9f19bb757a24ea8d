//! `synapti-load fanout`: one editor, and many who look.

use std::time::Duration;

use clap::value_parser;

use crate::{
    crowd::Plan,
    report::{Bar, Limit, Report},
    subject::Target,
    versus::{Comparison, Versus},
};

/// The bar for the server's CPU time per delivery, over that of the relay.
const RATIO_AT_MOST: f64 = 1.15;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    comparison: Comparison,
    /// Clients in each room that look
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=20_000))]
    viewers: u32,
    /// Edits in a second in each room
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=50_000))]
    rate: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Seconds before
    #[arg(long, default_value_t = 1)]
    warmup: u32,
    /// Rooms
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=10_000))]
    rooms: u32,
    /// Every client announces itself
    #[arg(long)]
    presence: bool,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let Args { viewers, rate, seconds, rooms, .. } = *args;
    let plan = Plan {
        rooms,
        viewers,
        stopped: 0,
        editors: 1,
        rate,
        warmup: Duration::from_secs(args.warmup.into()),
        measured: Duration::from_secs(seconds.into()),
        presence: args.presence,
        edit_bytes: 0,
    };
    let versus = Versus::measure(&args.target, &args.comparison, &plan).await?;
    let edit_bytes = versus.synapti[0].edit_bytes;
    let cores = versus.cores.about();
    Ok(Report {
        command: "fanout",
        about: format!(
            "{rooms} rooms of one editor and {viewers} viewers, {rate} edits of {edit_bytes} bytes in a second, for {seconds} s; \
             everything arrived; {cores}"
        ),
        figures: versus.figures(),
        facts: versus.facts(),
        bars: bars(args, &versus),
    })
}

/// There are bars for two shapes of load.
fn bars(args: &Args, versus: &Versus) -> Vec<Bar> {
    let p99_at_most_ms = match (args.rooms, args.viewers, args.rate) {
        (1, 1000, 20) => 15.0,
        (1, 100, 200) => 5.0,
        _ => return Vec::new(),
    };
    let shape = format!("{} viewers, {} edits/s", args.viewers, args.rate);
    let ratio = versus.ratio().map(|ratio| {
        Bar::new(format!("{shape}: CPU per delivery, over the relay's"), Limit::AtMost(RATIO_AT_MOST), "×", ratio)
    });
    let p99 = versus.p99_ms().map(|p99| Bar::new(format!("{shape}: p99"), Limit::AtMost(p99_at_most_ms), "ms", p99));
    ratio.into_iter().chain(p99).collect()
}
