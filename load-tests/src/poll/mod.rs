//! `synapti-load poll`: clients that cannot use WebSocket.

mod latency;
mod line;
mod member;
mod poller;
mod report;
mod sse;
mod viewer;
mod waiting;

use std::time::Duration;

use anyhow::ensure;
use clap::value_parser;

use crate::{cores::Cores, report::Report, subject::Target};
use member::Way;
use waiting::Plan;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// How soon one edit reaches a poller and a stream of events, beside a WebSocket, instead of many that wait
    #[arg(long)]
    latency: bool,
    /// Polls that wait, and as many idle sockets, in turn
    #[arg(long, default_value_t = 5000, value_parser = value_parser!(u32).range(1..=20_000), conflicts_with = "latency")]
    waiting: u32,
    /// Rooms; those who wait are spread evenly
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=20_000), conflicts_with = "latency")]
    rooms: u32,
    /// Rounds of both, each on a fresh server
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..=20), conflicts_with = "latency")]
    rounds: u32,
    /// Edits in a second
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=100), requires = "latency")]
    rate: u32,
    /// Seconds: of edits with --latency [default: 20], else before the first edit, at most 30 [default: 10]
    #[arg(long, value_parser = value_parser!(u32).range(1..=3600))]
    seconds: Option<u32>,
}

/// Seconds that they wait before there is an edit, and the most: a poll waits no longer than 55 s, and first all have to join.
const STAYS_S: u32 = 10;
const STAYS_MAX_S: u32 = 30;

/// Seconds of edits.
const EDITS_S: u32 = 20;

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let cores = Cores::of_this_machine()?;
    cores.pin_client()?;
    if args.latency {
        let edits = args.rate * args.seconds.unwrap_or(EDITS_S);
        let plan = latency::Plan { rate: args.rate, edits };
        let measured = plan.measure(&args.target, cores).await?;
        return report::latency(plan, cores, &measured);
    }
    let Args { waiting, rooms, .. } = *args;
    ensure!(rooms <= waiting, "in a room there is somebody: --rooms has to be at most --waiting");
    let stays_s = args.seconds.unwrap_or(STAYS_S);
    ensure!(
        stays_s <= STAYS_MAX_S,
        "a poll waits no longer than {} s: --seconds has to be at most {STAYS_MAX_S}",
        poller::WAIT_S
    );
    let plan = Plan { waiting, rooms, stays: Duration::from_secs(stays_s.into()) };
    let (mut polls, mut sockets) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        polls.push(plan.round(&args.target, cores, Way::Poll).await?);
        sockets.push(plan.round(&args.target, cores, Way::Socket).await?);
    }
    Ok(report::waiting(plan, cores, &polls, &sockets))
}
