//! `synapti-load latency`: how long one edit takes to another client while nothing else happens.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail, ensure};
use clap::value_parser;
use synapti_crdt::map::{MapEdit, NewNode};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::{
    client::{ANSWERED_WITHIN, Client},
    http, map,
    marker::{MARKED_MAX, Markers},
    report::{Bar, Figure, Report},
    server::Server,
    stats::Sorted,
};

/// The bar: half of the edits are there before.
const MEDIAN_BELOW: Duration = Duration::from_millis(5);

/// Edits between two lines of progress.
const PROGRESS_EVERY: u32 = 100;

#[derive(clap::Args)]
pub struct Args {
    /// Where the server's rooms are
    #[arg(long, default_value = "ws://127.0.0.1:8080/v1/ws")]
    url: String,
    /// Start this server on an empty data folder instead of using one that runs
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    binary: Option<PathBuf>,
    /// Edits to measure
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u32).range(1..i64::from(MARKED_MAX)))]
    edits: u32,
    /// Edits in a second
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=1000))]
    rate: u32,
}

/// When each edit was sent, and when it first arrived.
struct Times {
    sent: Vec<Instant>,
    arrived: Vec<Option<Instant>>,
    bytes: usize,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let Some(binary) = &args.binary else {
        let room = format!("load-{:08x}", rand::random::<u32>());
        let report = measure(args, &args.url, &room).await;
        // A server that somebody uses is left as it was found. After a failure that is worth a try only: there may be
        // no map, and no server.
        if let (Err(error), Ok(_)) = (http::remove_map(&args.url, &room).await, &report) {
            eprintln!("synapti-load: the map {room} stays on the server: {error:#}");
        }
        return report;
    };
    let folder = tempfile::tempdir()?;
    let server = Server::start(binary, folder.path()).await?;
    let report = measure(args, &server.rooms_url(), "latency").await?;
    server.stop().await?;
    Ok(report)
}

async fn measure(args: &Args, url: &str, room: &str) -> anyhow::Result<Report> {
    let mut writer = Client::join(url, room).await?;
    let init = writer.edit([&map::init("Latency")])?;
    writer.connection.send(init).await?;
    writer.sync().await?;
    let mut reader = Client::join(url, room).await?;
    let markers = Markers::new(rand::random());
    let mut times =
        Times { sent: Vec::with_capacity(args.edits as usize), arrived: vec![None; args.edits as usize], bytes: 0 };
    eprintln!("{} edits, {} in a second: about {} s", args.edits, args.rate, args.edits.div_ceil(args.rate));
    let Times { sent, arrived, bytes } = &mut times;
    tokio::try_join!(write(&mut writer, &markers, args, sent, bytes), read(&mut reader, &markers, arrived, args))?;
    // Without another sync, which would heal what was lost on the way.
    ensure!(writer.replica.digest() == reader.replica.digest(), "all edits arrived, and yet the two documents differ");
    report(args, &times)
}

/// Sends edits at their times, and reads what comes back, so that the server never waits for this client.
async fn write(
    writer: &mut Client,
    markers: &Markers,
    args: &Args,
    sent: &mut Vec<Instant>,
    bytes: &mut usize,
) -> anyhow::Result<()> {
    let mut due = interval(Duration::from_secs(1) / args.rate);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for edit in 0..args.edits {
        loop {
            tokio::select! {
                biased;
                _ = due.tick() => break,
                echo = writer.connection.frame() => drop(echo?),
            }
        }
        let frame = writer.edit([&marked_edit(markers, edit)])?;
        *bytes += frame.len();
        sent.push(Instant::now());
        writer.connection.send(frame).await?;
        if (edit + 1) % PROGRESS_EVERY == 0 {
            eprintln!("  {} of {} edits sent", edit + 1, args.edits);
        }
    }
    Ok(())
}

/// Notes when each edit arrives, and takes it in afterwards.
async fn read(
    reader: &mut Client,
    markers: &Markers,
    arrived: &mut [Option<Instant>],
    args: &Args,
) -> anyhow::Result<()> {
    let mut missing = arrived.len();
    let patience = ANSWERED_WITHIN + Duration::from_secs(1) / args.rate;
    while missing > 0 {
        let Ok(frame) = timeout(patience, reader.connection.frame()).await else {
            bail!("{missing} of {} edits have not arrived after {} s", args.edits, patience.as_secs());
        };
        let (frame, now) = (frame?, Instant::now());
        for edit in markers.find(&frame) {
            let place = arrived.get_mut(edit as usize).context("an edit arrived that nobody sent")?;
            missing -= usize::from(place.is_none());
            place.get_or_insert(now);
        }
        reader.take(&frame).await?;
    }
    Ok(())
}

fn marked_edit(markers: &Markers, edit: u32) -> MapEdit {
    MapEdit::AddNode(NewNode::new(markers.id(edit), format!("Idea {edit}")))
}

fn report(args: &Args, times: &Times) -> anyhow::Result<Report> {
    let pairs = times.sent.iter().zip(&times.arrived);
    let took = pairs.filter_map(|(sent, arrived)| Some((*arrived)?.duration_since(*sent))).collect();
    let took = Sorted::new(took).context("nothing was measured")?;
    let (edits, rate, bytes) = (args.edits, args.rate, times.bytes / times.sent.len().max(1));
    Ok(Report {
        command: "latency",
        about: format!(
            "from one client to another, {edits} edits of {bytes} bytes, {rate} in a second, all of them arrived"
        ),
        facts: Vec::new(),
        bars: vec![Bar::below("an edit reaches another client, median", MEDIAN_BELOW, took.median())],
        figures: vec![Figure::new("an edit reaches another client", &took)],
    })
}
