//! `synapti-load max`: the most edits in a second that all viewers get in time.

mod search;
mod step;

use anyhow::Context as _;
use clap::value_parser;

use crate::{
    cores::Cores,
    report::{Bar, Fact, Figure, Limit, Report},
    subject::{Kind, Target},
    versus,
};
use search::{Found, Search};
use step::{Load, Step, Verdict};

/// Where the search on the relay begins; it sends every edit in a frame of its own.
const RELAY_START: u32 = 40;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Clients that look
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=20_000))]
    viewers: u32,
    /// Clients that edit
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u32).range(1..=100))]
    editors: u32,
    /// Seconds that each step measures
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Edits in a second of the first step
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=100_000))]
    start: u32,
    /// Only this many edits in a second, and no search
    #[arg(long, value_parser = value_parser!(u32).range(1..=100_000))]
    at: Option<u32>,
    /// Search with the naive relay too
    #[arg(long, conflicts_with = "at")]
    against_relay: bool,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let cores = Cores::of_this_machine()?;
    cores.pin_client()?;
    let mut load = Load::new(&args.target, cores, args.viewers, args.editors, args.seconds);
    if let Some(rate) = args.at {
        let step = load.step(Kind::Synapti, rate).await?;
        let facts = versus::facts("server", std::slice::from_ref(&step.outcome));
        return Ok(report(args, cores, &[("server", step)], facts, Vec::new()));
    }
    let mut best = Vec::new();
    let mut facts = Vec::new();
    let kinds = [("relay", Kind::Relay, RELAY_START), ("server", Kind::Synapti, args.start)];
    for (whose, kind, start) in kinds.into_iter().skip(usize::from(!args.against_relay)) {
        let Found { kept, failed } = search(&mut load, whose, kind, start).await?;
        facts.push(Fact::new(format!("{whose}: most edits in a second"), "", [f64::from(kept.rate)]));
        facts.extend(
            failed
                .iter()
                .map(|step| Fact::new(format!("{whose}: next step, {}", step.verdict), "", [f64::from(step.rate)])),
        );
        facts.extend(versus::facts(whose, std::slice::from_ref(&kept.outcome)));
        best.push((whose, kept));
    }
    let bars = best.last().map_or(Vec::new(), |(_, step)| bars(args, step));
    Ok(report(args, cores, &best, facts, bars))
}

async fn search(load: &mut Load<'_>, whose: &str, kind: Kind, start: u32) -> anyhow::Result<Found<Step>> {
    let mut search = Search::new(start);
    while let Some(rate) = search.next() {
        let mut step = try_step(load, whose, kind, rate).await?;
        for _ in 1..step.verdict.tries() {
            step = try_step(load, whose, kind, rate).await?;
            if step.verdict == Verdict::Kept {
                break;
            }
        }
        let is_kept = step.verdict == Verdict::Kept;
        search.tell(rate, step, is_kept);
    }
    search.found().with_context(|| format!("{whose}: not even one edit in a second arrives everywhere in time"))
}

async fn try_step(load: &mut Load<'_>, whose: &str, kind: Kind, rate: u32) -> anyhow::Result<Step> {
    let step = load.step(kind, rate).await?;
    eprintln!("{whose}: {rate} edits/s: {}, p99 {:.1} ms", step.verdict, step.outcome.latency_ms(99.0));
    Ok(step)
}

fn bars(args: &Args, step: &Step) -> Vec<Bar> {
    let at_least = match args.viewers {
        100 => 20_000.0,
        1000 => 6_000.0,
        _ => return Vec::new(),
    };
    let name = format!("{} viewers: most edits in a second", args.viewers);
    vec![Bar::new(name, Limit::AtLeast(at_least), "edits/s", f64::from(step.rate))]
}

fn report(args: &Args, cores: Cores, steps: &[(&str, Step)], facts: Vec<Fact>, bars: Vec<Bar>) -> Report {
    let figure = |(whose, step): &(&str, Step)| {
        Figure::of_us(format!("{whose}: at {} edits/s ({})", step.rate, step.verdict), &step.outcome.latency)
    };
    let edit_bytes = steps.first().map_or(0, |(_, step)| step.outcome.edit_bytes);
    Report {
        command: "max",
        about: format!(
            "one room of {} editors and {} viewers, edits of {edit_bytes} bytes, {} s a step; in time: p99 below {} ms and nothing \
             lost; {}",
            args.editors,
            args.viewers,
            args.seconds,
            step::P99_BELOW_MS,
            cores.about()
        ),
        figures: steps.iter().map(figure).collect(),
        facts,
        bars,
    }
}
