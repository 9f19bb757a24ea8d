//! `synapti-load stopped`: whether others notice that some do not read, and what each of these holds on to.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::value_parser;

use crate::{
    cores::Cores,
    crowd::{self, ARRIVED_WITHIN, Plan, Window},
    marker::Markers,
    report::{Bar, Fact, Figure, Limit, Report},
    subject::{Kind, Target},
    versus::median,
};

/// The bar for 99 of 100 deliveries to those who read, over the same when everybody reads.
const P99_AT_MOST: f64 = 1.3;

/// The bar for the memory that one who does not read costs, in KB.
const HELD_BELOW_KB: f64 = 256.0;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Clients that look
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(2..=10_000))]
    viewers: u32,
    /// How many of them stop reading
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..=9_999))]
    stopped: u32,
    /// Edits in a second
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Bytes that each edit has at least
    #[arg(long, default_value_t = 2048, value_parser = value_parser!(u32).range(0..=100_000))]
    edit_bytes: u32,
    /// Seconds of each window
    #[arg(long, default_value_t = 12, value_parser = value_parser!(u32).range(1..=40))]
    seconds: u32,
    /// Pairs of windows: all read, some do not
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=10))]
    pairs: u32,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    ensure!(args.stopped < args.viewers, "somebody has to go on reading: --stopped has to be below --viewers");
    let cores = Cores::of_this_machine()?;
    cores.pin_client()?;
    let windows = 2 * args.pairs;
    let plan = Plan {
        rooms: 1,
        viewers: args.viewers,
        stopped: args.stopped,
        editors: 1,
        rate: args.rate,
        warmup: Duration::from_secs(args.seconds.into()),
        measured: Duration::from_secs((args.seconds * windows).into()),
        presence: false,
        edit_bytes: args.edit_bytes,
    };
    let markers = Markers::new(rand::random());
    let scripts = crowd::scripts(&plan, &markers)?;
    let subject = args.target.up(Kind::Synapti, cores, &[]).await?;
    let windows = crowd::alternate(&subject, &plan, windows, &markers, &scripts).await?;
    subject.down().await?;
    report(args, cores, &windows)
}

/// Windows of one kind.
struct Side<'a> {
    name: &'static str,
    windows: Vec<&'a Window>,
}

impl Side<'_> {
    fn p99_ms(&self) -> Vec<f64> {
        self.windows.iter().map(|window| window.latency.value_at_percentile(99.0) as f64 / 1000.0).collect()
    }

    /// For each of so many clients.
    fn held_kb(&self, stopped: u32) -> Vec<f64> {
        self.windows.iter().filter_map(|window| Some(window.held_bytes? / 1000.0 / f64::from(stopped))).collect()
    }

    fn figures(&self) -> impl Iterator<Item = Figure> {
        let figure = |(turn, window): (usize, &&Window)| {
            Figure::of_us(format!("{}, {}: an edit reaches those who read", self.name, turn + 1), &window.latency)
        };
        self.windows.iter().enumerate().map(figure)
    }

    fn facts(&self) -> impl Iterator<Item = Fact> {
        let again = self.windows.iter().map(|window| window.caught_up_within.as_secs_f64() * 1000.0);
        let waited: Vec<f64> =
            self.windows.iter().filter_map(|window| Some(window.waited?.as_secs_f64() * 1000.0)).collect();
        let waited =
            (!waited.is_empty()).then(|| Fact::new(format!("{}: waited for a processor", self.name), "ms", waited));
        let p99 = Fact::new(format!("{}: p99", self.name), "ms", self.p99_ms());
        let again = Fact::new(format!("{}: the last edit everywhere", self.name), "ms", again);
        [Some(p99), waited, Some(again)].into_iter().flatten()
    }
}

fn report(args: &Args, cores: Cores, windows: &[Window]) -> anyhow::Result<Report> {
    let of = |name, is_stopped| Side {
        name,
        windows: windows.iter().filter(|window| window.is_stopped == is_stopped).collect(),
    };
    let (all, some) = (of("all read", false), of("some do not", true));
    let (p99_all, p99_some) = (median(all.p99_ms()), median(some.p99_ms()));
    let ratio = p99_some.zip(p99_all).map(|(some, all)| some / all).context("nothing was measured")?;
    let mut bars = Vec::new();
    if (args.viewers, args.stopped, args.rate, args.edit_bytes) == (100, 10, 200, 2048) {
        bars.push(Bar::new("10 of 100 do not read: p99 of the others", Limit::AtMost(P99_AT_MOST), "×", ratio));
    }
    let mut facts: Vec<Fact> = all.facts().chain(some.facts()).collect();
    facts.push(Fact::new("p99 when some do not read, over that when all do", "×", [ratio]));
    let held = some.held_kb(args.stopped);
    if let Some(held_median) = median(held.clone()) {
        facts.push(Fact::new("memory of one who does not read, given back when it reads", "KB", held));
        facts.push(Fact::new("the same when all read: memory that moves by itself", "KB", all.held_kb(args.stopped)));
        bars.push(Bar::new("memory of one who does not read", Limit::Below(HELD_BELOW_KB), "KB", held_median));
    }
    let again = some.windows.iter().map(|window| window.caught_up_within).max().unwrap_or_default();
    bars.push(Bar::below("they have everything after reading again", ARRIVED_WITHIN, again));
    Ok(Report {
        command: "stopped",
        about: format!(
            "one editor and {} viewers, {} edits of at least {} bytes in a second, in windows of {} s: in every second one {} of \
             the viewers read nothing; nothing was lost, and all have the same document; {}",
            args.viewers,
            args.rate,
            args.edit_bytes,
            args.seconds,
            args.stopped,
            cores.about()
        ),
        figures: all.figures().chain(some.figures()).collect(),
        facts,
        bars,
    })
}
