//! `synapti-load cluster`: two nodes against one.
//!
//! The nodes share a `PostgreSQL`, which has to be there, and a Redis, which is started here.

mod bus;
mod edits;
mod ground;
mod measure;
mod postgres;
mod redis;
mod restart;
mod viewers;

use std::path::PathBuf;

use clap::{ValueEnum, value_parser};

use crate::report::{Bar, Fact, Figure, Report};
use ground::Ground;

#[derive(clap::Args)]
pub struct Args {
    /// The server
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// Address of a database server (postgres://…) where databases can be made. Each run has one of its own, which is removed
    /// in the end
    #[arg(long, value_name = "URL", env = "TEST_POSTGRES_URL", hide_env_values = true)]
    database_url: String,
    /// A Redis that runs, instead of one that is started for each run
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// Where the data folders are made
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// Measure this part alone
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// Measure a rolling restart with so many clients (2000 if no number is given), and nothing else
    #[arg(
        long, value_name = "CLIENTS", num_args = 0..=1, default_missing_value = "2000", conflicts_with = "part",
        value_parser = value_parser!(u32).range(1..=20_000)
    )]
    storm: Option<u32>,
    /// viewers: clients that look
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    viewers: u32,
    /// viewers: edits in a second
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// edits: rooms
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=10_000))]
    rooms: u32,
    /// edits: edits in a second, in all rooms together
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u32).range(1..=100_000))]
    edits: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 15, value_parser = value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Seconds before
    #[arg(long, default_value_t = 2)]
    warmup: u32,
    /// Rounds, each on fresh processes and a fresh database
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=20))]
    rounds: u32,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One editor and many viewers: on one node, and on two
    Viewers,
    /// Many edits on both nodes
    Edits,
}

/// What a part has to say.
#[derive(Default)]
struct Said {
    about: String,
    figures: Vec<Figure>,
    facts: Vec<Fact>,
    bars: Vec<Bar>,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let ground = Ground::reach(args).await?;
    let mut parts = Vec::new();
    if let Some(clients) = args.storm {
        parts.push(restart::measure(&ground, clients).await?);
    } else {
        // This one first: it uses all cores, and the other one pins this program to one of them.
        if args.part != Some(Part::Viewers) {
            parts.push(edits::measure(args, &ground).await?);
        }
        if args.part != Some(Part::Edits) {
            parts.push(viewers::measure(args, &ground).await?);
        }
    }
    let mut all = Said::default();
    let abouts: Vec<String> = parts.iter().map(|part| part.about.clone()).collect();
    for part in parts {
        all.figures.extend(part.figures);
        all.facts.extend(part.facts);
        all.bars.extend(part.bars);
    }
    let about = format!("{}; {}", abouts.join("; "), ground.about());
    Ok(Report { command: "cluster", about, figures: all.figures, facts: all.facts, bars: all.bars })
}

#[cfg(test)]
pub mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{Cli, Command};

    /// What was typed, besides what has to be there.
    pub fn args(more: &str) -> Args {
        let needed = ["synapti-load", "cluster", "--binary", "synapti", "--database-url", "postgres://host/maps"];
        match Cli::parse_from(needed.into_iter().chain(more.split_whitespace())).command {
            Command::Cluster(args) => args,
            _ => unreachable!("this is the command that was typed"),
        }
    }

    #[test]
    fn a_rolling_restart_has_two_thousand_clients_unless_it_is_said_how_many() {
        assert_eq!(args("").storm, None);
        assert_eq!(args("--storm").storm, Some(2000));
        assert_eq!(args("--storm 10000").storm, Some(10_000));
    }

    #[test]
    fn the_loads_are_those_of_the_bars() {
        let Args { viewers, rate, rooms, edits, .. } = args("");
        assert_eq!((viewers, rate, rooms, edits), (50, 50, 20, 1000));
    }
}
