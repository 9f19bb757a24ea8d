//! `synapti-load ai`: maps that a model grows, live for all who look. The model is one of ours.

mod api;
mod ask;
mod ground;
mod kept;
mod part;
mod provider;
mod queue;
mod script;
mod stopping;
mod stream;
mod viewers;
mod words;

use std::path::PathBuf;

use clap::{ValueEnum, value_parser};

use crate::{cores::Cores, report::Report};
use ground::Ground;
use part::Part;
use stream::Plan;

/// Runs that go on at one time where they are not to wait for each other.
const RUNS_MAX: u32 = 256;

#[derive(clap::Args)]
pub struct Args {
    /// Start this server on empty data folders
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// Where data folders are made
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// Only this part; several can be named
    #[arg(long, value_enum)]
    part: Vec<What>,
    /// Viewers of the map in which one answer grows
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=1000))]
    viewers: u32,
    /// How often one answer grows, one after the other
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds that an answer takes, about
    #[arg(long, default_value_t = 15, value_parser = value_parser!(u32).range(1..=15))]
    seconds: u32,
    /// Answers that grow at the same time
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=RUNS_MAX as i64))]
    runs: u32,
    /// Maps for which an answer is kept
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=1000))]
    kept: u32,
    /// Requests that wait
    #[arg(long, default_value_t = 5000, value_parser = value_parser!(u32).range(1..=50_000))]
    waiting: u32,
    /// Runs that are stopped
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=1000))]
    stopped: u32,
}

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// One answer grows before many viewers
    One,
    /// Answers that were kept
    Kept,
    /// Many answers at the same time, each in a map of its own
    Maps,
    /// Many answers at the same time in one map
    Map,
    /// A long queue
    Queue,
    /// Runs that are stopped
    Stop,
}

/// Tokens in a second of an answer that grows alone, and of one of many.
const RATE_ALONE: u32 = 50;
const RATE_AMONG_MANY: u32 = 30;

/// Viewers of the one map in which many answers grow.
const FEW: u32 = 3;

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let cores = Cores::of_this_machine()?;
    cores.pin_client()?;
    let mut report = Report {
        command: "ai",
        about: format!(
            "a model of this program answers as OpenAI's do; every token reached every viewer and stayed in its map; {}",
            cores.about()
        ),
        figures: Vec::new(),
        facts: Vec::new(),
        bars: Vec::new(),
    };
    for what in What::value_variants() {
        if !args.part.is_empty() && !args.part.contains(what) {
            continue;
        }
        let Part { figures, facts, bars } = what.measure(args, cores).await?;
        report.figures.extend(figures);
        report.facts.extend(facts);
        report.bars.extend(bars);
    }
    Ok(report)
}

impl What {
    /// On a fresh server.
    async fn measure(self, args: &Args, cores: Cores) -> anyhow::Result<Part> {
        let mut ground = Ground::start(args, cores, if self == Self::Queue { 1 } else { RUNS_MAX }).await?;
        match self.measure_on(args, &ground).await {
            Ok(part) => {
                ground.stop().await?;
                Ok(part)
            }
            Err(error) => Err(ground.blame(error)),
        }
    }

    async fn measure_on(self, args: &Args, ground: &Ground) -> anyhow::Result<Part> {
        let Args { viewers, rounds, seconds, runs, .. } = *args;
        let many = Plan { maps: 1, runs: 1, viewers: 1, rate: RATE_AMONG_MANY, seconds, rounds: 1, has_bars: false };
        match self {
            Self::One => Plan { viewers, rate: RATE_ALONE, rounds, has_bars: true, ..many }.measure(ground).await,
            Self::Maps => Plan { maps: runs, has_bars: true, ..many }.measure(ground).await,
            Self::Map => Plan { runs, viewers: FEW, ..many }.measure(ground).await,
            Self::Kept => kept::measure(ground, args.kept).await,
            Self::Queue => queue::measure(ground, args.waiting).await,
            Self::Stop => stopping::measure(ground, args.stopped).await,
        }
    }
}
