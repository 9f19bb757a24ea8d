//! `synapti-load open`: how long a large map takes from disk to a client, right after the server has started.
//!
//! Every measurement has its own copy of the data folder, which the operating system has forgotten, and its own
//! server: what one opening leaves in memory or tidies up on disk is of no help to the next.

mod build;
mod folder;
mod measure;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::value_parser;

use crate::report::{Bar, Figure, Report};
use build::Built;
pub use build::add_branches;
pub use folder::evict;
pub use measure::open_room;
use measure::{OPENED_BELOW, Openings};

#[derive(clap::Args)]
pub struct Args {
    /// The server to start
    #[arg(long, value_name = "FILE", default_value = "target/release/synapti")]
    binary: PathBuf,
    /// Nodes of the map
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1000..=200_000))]
    nodes: u32,
    /// Nodes that were added one by one since the last snapshot; the server makes a new one at 500
    #[arg(long, default_value_t = 450, value_parser = value_parser!(u32).range(1..=499))]
    tail: u32,
    /// Openings of each kind
    #[arg(long, default_value_t = 9, value_parser = value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Where the data folders are made; the disk under it is what is measured
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let place =
        tempfile::tempdir_in(&args.folder).with_context(|| format!("no data folder in {}", args.folder.display()))?;
    let built = build::build(args, place.path()).await?;
    let (mut tail, mut snapshot) = (Openings::default(), Openings::default());
    // In turns, so that a noisy minute does not hit one kind only.
    for run in 1..=args.runs {
        eprintln!("opening it, {run} of {}", args.runs);
        tail.measure(args, &built, &built.with_tail).await?;
        snapshot.measure(args, &built, &built.compacted).await?;
    }
    report(args, &built, snapshot, tail)
}

fn report(args: &Args, built: &Built, snapshot: Openings, tail: Openings) -> anyhow::Result<Report> {
    let mut figures = Vec::new();
    let mut bars = Vec::new();
    for (how, openings) in [("snapshot", snapshot), ("snapshot and tail", tail)] {
        for (name, measured) in openings.sorted()? {
            let name = format!("{how}: {name}");
            if name.ends_with(measure::ROOM) || name.ends_with(measure::JSON) {
                bars.push(Bar::below(format!("{name}, median"), OPENED_BELOW, measured.median()));
            }
            figures.push(Figure::new(name, &measured));
        }
    }
    let about = format!(
        "a map of {} nodes ({} bytes) from disk, not cached, on a server that has just started; with a tail: its last {} \
         nodes are single records; {} openings each",
        args.nodes, built.state_bytes, args.tail, args.runs
    );
    Ok(Report { command: "open", about, figures, facts: Vec::new(), bars })
}
