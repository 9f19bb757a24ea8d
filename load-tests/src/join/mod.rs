//! `synapti-load join`: many clients that open the same large map at once.

mod client;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::value_parser;
use futures_util::future::try_join_all;
use synapti_crdt::{AsideLimits, Digest, Replica};
use tokio::time::Instant;

use crate::{
    client::{Client, answered},
    cores::Cores,
    crowd::Recent,
    marker::Markers,
    open::add_branches,
    process::Process,
    report::{Bar, Fact, Figure, Limit, Report},
    stats::{Sorted, ms},
    subject::{Kind, Subject, Target},
    wire::Scratch,
};
use client::{Joined, join};

/// The bar for the server's CPU time for each client, in milliseconds.
const CPU_AT_MOST_MS: f64 = 3.0;

/// The bar for the time until everybody has the whole map.
const ALL_SYNCED_WITHIN: Duration = Duration::from_millis(800);

/// Of so many clients that received the same bytes, one is looked at in full.
const CHECKED_EVERY: usize = 50;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Clients that join at once
    #[arg(long, default_value_t = 200, value_parser = value_parser!(u32).range(1..=2000))]
    clients: u32,
    /// Nodes of the map
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=200_000))]
    nodes: u32,
}

/// What one rush of clients came to.
struct Rush {
    synced: Sorted,
    all_synced: Duration,
    bytes: usize,
    cpu: Option<Duration>,
    waited: Option<Duration>,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let cores = Cores::of_this_machine()?;
    cores.pin_client()?;
    let room = format!("join-{:08x}", rand::random::<u32>());
    let subject = args.target.up(Kind::Synapti, cores, &[]).await?;
    let mut author = Client::join_within(subject.address.answered_within(), subject.address.url(), &room).await?;
    eprintln!("making a map of {} nodes", args.nodes);
    add_branches(&mut author, args.nodes as usize).await?;
    let digest = author.replica.digest();
    // The room is open, and somebody has read all of it.
    let reader = Client::join(subject.address.url(), &room).await?;
    ensure!(reader.replica.digest() == digest, "the map that was read is not the one that was written");
    drop(reader);
    eprintln!("{} clients join, the room is open", args.clients);
    let warm = rush(args, &subject, &room, digest).await?;
    drop(author);
    subject.forget([room.as_str()]).await;
    let mut rushes = vec![("room open", warm)];
    if let Some(subject) = args.target.restart(subject, cores).await? {
        eprintln!("{} clients join, the room is not open", args.clients);
        rushes.push(("room on disk", rush(args, &subject, &room, digest).await?));
        subject.down().await?;
    }
    Ok(report(args, cores, &rushes))
}

/// Lets everybody in at once, and looks at what each has received.
async fn rush(args: &Args, subject: &Subject, room: &str, digest: Digest) -> anyhow::Result<Rush> {
    let (scratch, recent) = (Scratch::default(), Recent::default().into());
    // Nothing is marked here; frames are only told apart.
    let markers = Markers::new(rand::random());
    let cpu = || subject.process.map(Process::cpu).transpose();
    let waited = || subject.process.map(Process::waited_for_processor).transpose();
    let (cpu_before, waited_before, begun) = (cpu()?, waited()?, Instant::now());
    let clients = (0..args.clients).map(|_| join(&subject.address, room, &scratch, &recent, &markers));
    let joined = answered("the sync of all clients", try_join_all(clients)).await?;
    let (cpu_after, waited_after) = (cpu()?, waited()?);
    check(&joined, digest)?;
    let synced = joined.iter().map(|client| client.synced - begun).collect();
    let synced = Sorted::new(synced).context("nobody has joined")?;
    Ok(Rush {
        all_synced: synced.percentile(100),
        synced,
        bytes: joined[0].bytes(),
        cpu: cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before)),
        waited: waited_after.zip(waited_before).map(|(after, before)| after.saturating_sub(before)),
    })
}

/// Whether everybody has the whole map. Equal bytes are equal documents.
fn check(joined: &[Joined], digest: Digest) -> anyhow::Result<()> {
    let first = &joined[0];
    for (number, client) in joined.iter().enumerate() {
        let is_like_first = client.same_bytes(first);
        if is_like_first && number % CHECKED_EVERY != 0 && number + 1 != joined.len() {
            continue;
        }
        let replica = Replica::load(1, AsideLimits::default(), client.updates())?;
        ensure!(
            replica.digest() == digest && replica.held_bytes() == 0,
            "client {number} says that it is synced, and its map is not the one that was written"
        );
    }
    Ok(())
}

fn report(args: &Args, cores: Cores, rushes: &[(&str, Rush)]) -> Report {
    let (mut figures, mut facts, mut bars) = (Vec::new(), Vec::new(), Vec::new());
    for (how, rush) in rushes {
        figures.push(Figure::new(format!("{how}: from the first connect to synced"), &rush.synced));
        facts.push(Fact::new(format!("{how}: all synced"), "ms", [ms(rush.all_synced)]));
        let each_ms = |time: Duration| time.as_secs_f64() * 1000.0 / f64::from(args.clients);
        facts.extend(rush.cpu.map(|cpu| Fact::new(format!("{how}: CPU per client"), "ms", [each_ms(cpu)])));
        facts.extend(rush.waited.map(|waited| Fact::new(format!("{how}: waited for a processor"), "ms", [ms(waited)])));
    }
    // The bars are for a room that is open.
    if let Some((_, warm)) = rushes.first()
        && (args.clients, args.nodes) == (200, 10_000)
    {
        let each_ms = warm.cpu.map(|cpu| cpu.as_secs_f64() * 1000.0 / f64::from(args.clients));
        bars.extend(
            each_ms.map(|ms| Bar::new("200 clients join: CPU per client", Limit::AtMost(CPU_AT_MOST_MS), "ms", ms)),
        );
        let limit = Limit::AtMost(ms(ALL_SYNCED_WITHIN));
        bars.push(Bar::new("200 clients join: all synced", limit, "ms", ms(warm.all_synced)));
    }
    Report {
        command: "join",
        about: format!(
            "{} clients join a room at once, each receives a map of {} nodes ({} bytes); all maps are the one that was written; {}",
            args.clients,
            args.nodes,
            rushes.first().map_or(0, |(_, rush)| rush.bytes),
            cores.about()
        ),
        figures,
        facts,
        bars,
    }
}
