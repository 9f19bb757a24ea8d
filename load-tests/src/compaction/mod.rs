//! `synapti-load compaction`: what others notice while a large map is being compacted, and how fast it opens.

mod big;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use clap::value_parser;
use hdrhistogram::Histogram;
use synapti_crdt::Digest;

use crate::{
    acked::{Crowd, Plan, Tally},
    client::{ANSWERED_WITHIN, Client},
    crowd::histogram,
    http,
    open::{evict, open_room},
    report::{Bar, Fact, Figure, Limit, Report},
    server::{Launch, Server, without_rates},
    stats::Sorted,
    wire::Address,
};

/// The bar for what 99 of 100 may take longer while a map is compacted, in milliseconds.
const P99_MORE_AT_MOST_MS: f64 = 20.0;

/// The bar for the opening of the map.
const OPENED_BELOW: Duration = Duration::from_millis(300);

#[derive(clap::Args)]
pub struct Args {
    /// The server to start
    #[arg(long, value_name = "FILE", default_value = "target/release/synapti")]
    binary: PathBuf,
    /// Edits that the large map is made of
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(1000..=1_000_000))]
    updates: u32,
    /// Other rooms, with two clients in each
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=5000))]
    rooms: u32,
    /// Edits of each of these clients in a second
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Seconds of each window; there are four: quiet, compacting, quiet, compacting
    #[arg(long, default_value_t = 15, value_parser = value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Openings of the large map
    #[arg(long, default_value_t = 7, value_parser = value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Where the data folder is made
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
}

/// Times of all windows of one kind, in microseconds.
struct Windows {
    acked: Histogram<u64>,
    delivered: Histogram<u64>,
    compactions: f64,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let place =
        tempfile::tempdir_in(&args.folder).with_context(|| format!("no data folder in {}", args.folder.display()))?;
    let server = launch(args, place.path())?.start(None).await?;
    let address = Address::resolve(&server.rooms_url(), ANSWERED_WITHIN).await?;
    big::make(&address, args.updates).await?;
    let (mut quiet, mut compacting) = (Windows::default(), Windows::default());
    let plan = Plan { rooms: args.rooms, clients: 2, rate: f64::from(args.rate) };
    let mut crowd = Crowd::join(&address, plan).await?;
    let time = Duration::from_secs(args.seconds.into());
    for turn in 1..=2 {
        eprintln!("quiet, {turn} of 2");
        let before = compactions(&server).await?;
        let tally = crowd.edit_for(time).await?;
        quiet.add(&tally, compactions(&server).await? - before)?;
        eprintln!("compacting, {turn} of 2");
        let before = compactions(&server).await?;
        let tally = tokio::select! {
            tally = crowd.edit_for(time) => tally?,
            failed = big::compact_for_ever(&address) => return Err(failed.err().context("it ended")?),
        };
        compacting.add(&tally, compactions(&server).await? - before)?;
    }
    ensure!(compacting.compactions > 0.0, "the large map was not compacted while it was measured");
    let unsaved = crowd.told_unsaved();
    drop(crowd);
    let (digest, bytes) = document(&server).await?;
    server.stop().await?;
    let opened = openings(args, place.path(), digest).await?;
    Ok(report(args, [&quiet, &compacting], &opened, bytes, unsaved))
}

/// Maps close at once when they are empty, so that leaving is a reason for a snapshot.
fn launch(args: &Args, folder: &std::path::Path) -> anyhow::Result<Launch> {
    let mut settings = without_rates();
    settings.push(("SYNAPTI_ROOM_IDLE_CLOSE_AFTER", "0".to_owned()));
    Launch::synapti(&args.binary, folder, &settings)
}

/// Snapshots that the server has made since it started.
async fn compactions(server: &Server) -> anyhow::Result<f64> {
    http::counter(server.authority(), http::COMPACTIONS).await
}

/// Names the large map, and answers its size.
async fn document(server: &Server) -> anyhow::Result<(Digest, usize)> {
    let client = Client::join(&server.rooms_url(), big::ROOM).await?;
    Ok((client.replica.digest(), client.replica.snapshot().len()))
}

/// Opens the map again and again, each time on a server that has just started and a disk that nothing was read from.
async fn openings(args: &Args, folder: &std::path::Path, digest: Digest) -> anyhow::Result<Sorted> {
    let mut took = Vec::new();
    for run in 1..=args.runs {
        eprintln!("opening the map, {run} of {}", args.runs);
        evict(folder)?;
        let server = launch(args, folder)?.start(None).await?;
        took.push(open_room(&server.rooms_url(), big::ROOM, digest).await?.received);
        server.kill().await?;
    }
    Sorted::new(took).context("nothing was measured")
}

impl Default for Windows {
    fn default() -> Self {
        Self { acked: histogram(), delivered: histogram(), compactions: 0.0 }
    }
}

impl Windows {
    fn add(&mut self, tally: &Tally, compactions: f64) -> anyhow::Result<()> {
        self.acked.add(&tally.acked)?;
        self.delivered.add(&tally.delivered)?;
        self.compactions += compactions;
        Ok(())
    }
}

fn report(args: &Args, [quiet, compacting]: [&Windows; 2], opened: &Sorted, bytes: usize, unsaved: u64) -> Report {
    let Args { updates, rooms, rate, seconds, .. } = *args;
    let (mut figures, mut bars) = (Vec::new(), Vec::new());
    let kinds = [
        ("acknowledged", &quiet.acked, &compacting.acked),
        ("reaches the other client", &quiet.delivered, &compacting.delivered),
    ];
    for (what, quiet, compacting) in kinds {
        figures.push(Figure::of_us(format!("quiet: an edit {what}"), quiet));
        figures.push(Figure::of_us(format!("compacting: an edit {what}"), compacting));
        let p99_ms = |times: &Histogram<u64>| times.value_at_percentile(99.0) as f64 / 1000.0;
        let more_ms = p99_ms(compacting) - p99_ms(quiet);
        let name = format!("an edit {what}: p99, while another map is compacted, over a quiet server's");
        bars.push(Bar::new(name, Limit::AtMost(P99_MORE_AT_MOST_MS), "ms", more_ms));
    }
    figures.push(Figure::new("the map opens, whole state received", opened));
    let name = format!("a map of {updates} edits opens, median");
    bars.push(Bar::below(name, OPENED_BELOW, opened.median()));
    Report {
        command: "compaction",
        about: format!(
            "{rooms} rooms of 2, each client with {rate} edits in a second, in windows of {seconds} s, quiet and with a map of {updates} \
             edits ({bytes} bytes) being compacted again and again; then that map is opened, not cached, on a server that has just \
             started; server and clients share all cores"
        ),
        figures,
        facts: vec![
            Fact::new("compactions in quiet windows", "", [quiet.compactions]),
            Fact::new("compactions in the others", "", [compacting.compactions]),
            Fact::new("clients told that something is unsaved", "", [unsaved as f64]),
        ],
        bars,
    }
}
