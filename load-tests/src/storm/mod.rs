//! `synapti-load storm`: everybody comes back at once.

mod client;
mod crowd;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use clap::value_parser;
use tokio::time::Instant;

use crate::{
    client::ANSWERED_WITHIN,
    ports::free_port,
    report::{Bar, Fact, Figure, Report},
    server::{Launch, Server},
    stats::Sorted,
    wire::Address,
};
use client::Counts;
pub use crowd::Crowd;

/// The bar for the time until everybody has everything again.
pub const SYNCED_WITHIN: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub struct Args {
    /// The server
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,
    /// Where the data folder is made
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// Clients
    #[arg(long, default_value_t = 2000, value_parser = value_parser!(u32).range(1..=9000))]
    clients: u32,
    /// Rooms; the clients are spread evenly
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=9000))]
    rooms: u32,
    /// How often each kind of storm comes
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=20))]
    rounds: u32,
}

/// Why everybody has to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Every connection breaks, and the server is there.
    Cut,
    /// The server is stopped and started again.
    Stop,
    /// The server is killed and started again.
    Kill,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "all connections break",
            Self::Stop => "the server is restarted (SIGTERM)",
            Self::Kill => "the server is killed and started",
        })
    }
}

/// One storm.
struct Storm {
    cause: Cause,
    /// From when the server could be reached again to when each client had everything.
    synced: Sorted,
    away: Duration,
    counts: Counts,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    ensure!(args.rooms <= args.clients, "a room has at least one client: --rooms has to be at most --clients");
    let place =
        tempfile::tempdir_in(&args.folder).with_context(|| format!("no data folder in {}", args.folder.display()))?;
    let port = free_port()?;
    let mut server = start(args, place.path(), port).await?;
    let address = Address::resolve(&server.rooms_url(), ANSWERED_WITHIN).await?;
    eprintln!("{} clients join", args.clients);
    let mut crowd = Crowd::gather(address, args.clients, args.rooms);
    crowd.synced(Instant::now()).await.context("the first time")?;
    let mut storms = Vec::new();
    for round in 1..=args.rounds {
        for cause in [Cause::Cut, Cause::Stop, Cause::Kill] {
            eprintln!("round {round} of {}: {cause}", args.rounds);
            crowd.counts();
            crowd.edit();
            let (begun, back);
            (server, begun, back) = strike(args, cause, server, place.path(), port, &crowd).await?;
            let synced = crowd.synced(back).await.with_context(|| cause.to_string())?;
            storms.push(Storm { cause, synced, away: back - begun, counts: crowd.counts() });
        }
    }
    drop(crowd);
    server.stop().await?;
    Ok(report(args, &storms))
}

/// Sends everybody away; answers when that was, and when the server could be reached again.
async fn strike(
    args: &Args,
    cause: Cause,
    server: Server,
    folder: &Path,
    port: u16,
    crowd: &Crowd,
) -> anyhow::Result<(Server, Instant, Instant)> {
    let begun = Instant::now();
    match cause {
        Cause::Cut => {
            crowd.cut();
            return Ok((server, begun, begun));
        }
        Cause::Stop => server.stop().await?,
        Cause::Kill => server.kill().await?,
    }
    let server = start(args, folder, port).await?;
    Ok((server, begun, Instant::now()))
}

async fn start(args: &Args, folder: &Path, port: u16) -> anyhow::Result<Server> {
    let listen = [("SYNAPTI_LISTEN", format!("127.0.0.1:{port}"))];
    Launch::synapti(&args.binary, folder, &listen)?.start(None).await
}

fn report(args: &Args, storms: &[Storm]) -> Report {
    let (mut figures, mut facts, mut bars) = (Vec::new(), Vec::new(), Vec::new());
    for Storm { cause, synced, away, counts } in storms {
        figures.push(Figure::new(format!("{cause}: until a client has everything"), synced));
        facts.push(Fact::new(format!("{cause}: the server was away"), "ms", [away.as_secs_f64() * 1000.0]));
        facts.push(Fact::new(format!("{cause}: attempts that opened nothing"), "", [counts.refused as f64]));
        facts.extend(
            counts
                .closed
                .iter()
                .map(|(code, count)| Fact::new(format!("{cause}: closed with {code}"), "", [*count as f64])),
        );
        if args.clients == 2000 {
            bars.push(Bar::below(format!("2000 clients, {cause}: all synced"), SYNCED_WITHIN, synced.percentile(100)));
        }
    }
    Report {
        command: "storm",
        about: format!(
            "{} clients with presence in {} rooms, each room with an edit that was made meanwhile; they come back as y-websocket \
             does, 0.1 s after a connection broke and up to 2.5 s after an attempt that opened nothing, without jitter; times \
             from when the server listens; server and clients share all cores",
            args.clients, args.rooms
        ),
        figures,
        facts,
        bars,
    }
}
