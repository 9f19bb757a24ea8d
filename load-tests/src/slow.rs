//! `synapti-load slow`: viewers that stop reading, and what they cost the server and the others.

use std::{rc::Rc, time::Duration};

use anyhow::{Context as _, ensure};
use clap::value_parser;

use crate::{
    cores::Cores,
    crowd::{self, ARRIVED_WITHIN, Outcome, Plan, Script},
    marker::Markers,
    report::{Bar, Fact, Figure, Limit, Report},
    subject::{Kind, Target},
};

/// The bar for the memory that those who do not read cost, in MB.
const GROWTH_BELOW_MB: f64 = 5.0;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Clients that look
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(2..=10_000))]
    viewers: u32,
    /// How many of them stop reading; there is a second run in which nobody does, unless this is 0
    #[arg(long, default_value_t = 10)]
    stopped: u32,
    /// Edits in a second
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Bytes that each edit has at least
    #[arg(long, default_value_t = 2048, value_parser = value_parser!(u32).range(0..=100_000))]
    edit_bytes: u32,
    /// Seconds for which they do not read
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u32).range(1..=80))]
    seconds: u32,
}

/// One run.
struct Run {
    name: String,
    outcome: Outcome,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    ensure!(args.stopped < args.viewers, "somebody has to go on reading: --stopped has to be below --viewers");
    let cores = Cores::of_this_machine()?;
    cores.pin_client()?;
    let plan = Plan {
        rooms: 1,
        viewers: args.viewers,
        stopped: args.stopped,
        editors: 1,
        rate: args.rate,
        warmup: Duration::from_secs(1),
        measured: Duration::from_secs(args.seconds.into()),
        presence: false,
        edit_bytes: args.edit_bytes,
    };
    let markers = Markers::new(rand::random());
    let scripts = crowd::scripts(&plan, &markers)?;
    let control = Plan { stopped: 0, ..plan.clone() };
    let mut runs = Vec::new();
    for plan in [control, plan].iter().skip(usize::from(args.stopped == 0)) {
        runs.push(once(&args.target, cores, plan, &markers, &scripts).await?);
    }
    report(args, cores, &runs)
}

async fn once(
    target: &Target,
    cores: Cores,
    plan: &Plan,
    markers: &Markers,
    scripts: &[Rc<Script>],
) -> anyhow::Result<Run> {
    let name = format!("{} of {} not reading", plan.stopped, plan.viewers);
    eprintln!("{name}");
    let subject = target.up(Kind::Synapti, cores, &[]).await?;
    let outcome = crowd::run(&subject, plan, markers, scripts).await?.whole()?;
    subject.down().await?;
    Ok(Run { name, outcome })
}

fn report(args: &Args, cores: Cores, runs: &[Run]) -> anyhow::Result<Report> {
    let last = runs.last().context("nothing was measured")?;
    let mut facts: Vec<Fact> = runs.iter().flat_map(Run::facts).collect();
    let mut bars = Vec::new();
    if let [control, stopped] = runs {
        if let (Some(control), Some(stopped)) = (control.growth_mb(), stopped.growth_mb()) {
            let difference = stopped - control;
            facts.push(Fact::new("anonymous memory, growth because of them", "MB", [difference]));
            let name = "memory that clients which do not read cost";
            bars.push(Bar::new(name, Limit::Below(GROWTH_BELOW_MB), "MB", difference));
        }
        if let Some(took) = stopped.outcome.caught_up_within {
            bars.push(Bar::below("all have everything after reading again", ARRIVED_WITHIN, took));
        }
    }
    let figure =
        |run: &Run| Figure::of_us(format!("{}: an edit reaches those who read", run.name), &run.outcome.latency);
    Ok(Report {
        command: "slow",
        about: format!(
            "one editor and {} viewers, {} edits of {} bytes in a second; {} viewers read nothing for {} s and then go on; nothing \
             was lost; {}",
            args.viewers,
            args.rate,
            last.outcome.edit_bytes,
            args.stopped,
            args.seconds,
            cores.about()
        ),
        figures: runs.iter().map(figure).collect(),
        facts,
        bars,
    })
}

impl Run {
    /// How much more memory the server had at the most than when the reading stopped.
    fn growth_mb(&self) -> Option<f64> {
        let (peak, begun) = (self.outcome.memory_peak?, self.outcome.memory_begun?);
        Some(peak.anon.saturating_sub(begun.anon) as f64 / 1e6)
    }

    fn facts(&self) -> impl Iterator<Item = Fact> {
        let fact =
            |name: &str, unit, value: Option<f64>| Some(Fact::new(format!("{}: {name}", self.name), unit, [value?]));
        let caught_up = self.outcome.caught_up_within.map(|took| took.as_secs_f64() * 1000.0);
        let waited = self.outcome.happened.used.map(|used| used.waited.as_secs_f64() * 1000.0);
        [
            fact("anonymous memory, growth", "MB", self.growth_mb()),
            fact("reading again to the last edit", "ms", caught_up),
            fact("CPU per delivery", "µs", self.outcome.cpu_us_per_delivery()),
            fact("waited for a processor", "ms", waited),
        ]
        .into_iter()
        .flatten()
    }
}
