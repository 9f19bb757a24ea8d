//! `synapti-load idle`: what a connection costs that is open and does next to nothing.

mod connection;

use std::{
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use clap::value_parser;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::answered,
    cores::Cores,
    process::{Memory, Process},
    progress::Progress,
    report::{Bar, Fact, Limit, Report},
    subject::{Kind, Subject, Target},
    versus::percent,
    wire::{self, Address, Scratch},
};
use connection::{Connection, Counts};

/// The bar: memory of the server for each connection. A KB is 1000 bytes.
const CONNECTION_AT_MOST_KB: f64 = 9.0;

/// Handshakes at the same time.
const JOINING_MAX: usize = 64;

/// Connections from one address: it has no more ports than some 28,000.
const CONNECTIONS_PER_ADDRESS: u32 = 20_000;

/// Connections more than asked for that the server is allowed.
const SPARE: u32 = 100;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Connections
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=200_000))]
    connections: u32,
    /// Rooms; the connections are spread evenly
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=200_000))]
    rooms: u32,
    /// Seconds that they stay
    #[arg(long, default_value_t = 40, value_parser = value_parser!(u32).range(1..=36_000))]
    seconds: u32,
}

/// What the server's memory was.
struct Memories {
    before: Memory,
    settled: Memory,
    after: Memory,
    peak: Memory,
    cpu_percent: f64,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let Args { connections, rooms, .. } = *args;
    ensure!(rooms <= connections, "a room without a connection is not open: --rooms has to be at most --connections");
    let files = rlimit::increase_nofile_limit(u64::MAX)?;
    ensure!(
        files > u64::from(connections + SPARE),
        "{connections} connections need more open files than the {files} that are allowed: raise the limit with ulimit -n"
    );
    let cores = Cores::of_this_machine()?;
    cores.pin_client()?;
    let settings = [
        ("SYNAPTI_LIMITS_MAX_CONNECTIONS", (connections + SPARE).to_string()),
        ("SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_ROOM", (connections.div_ceil(rooms) + SPARE).to_string()),
    ];
    let subject = args.target.up(Kind::Synapti, cores, &settings).await?;
    let counts = Rc::new(Counts::default());
    let memories = stay(args, &subject, &counts).await?;
    subject.down().await?;
    Ok(report(args, cores, memories.as_ref(), &counts))
}

/// Connects, stays, and looks at the server.
async fn stay(args: &Args, subject: &Subject, counts: &Rc<Counts>) -> anyhow::Result<Option<Memories>> {
    let memory = || subject.process.map(Process::memory).transpose();
    let before = memory()?;
    let watch = subject.process.map(Process::watch);
    let run = rand::random::<u32>();
    let room_of = |connection: u32| format!("idle-{run:08x}-{}", connection % args.rooms);
    let (connections, mut alive) = connect(args, subject, counts, &room_of).await?;
    let settled = memory()?;
    let cpu = || subject.process.map(Process::cpu).transpose();
    let (cpu_before, stays) = (cpu()?, Duration::from_secs(args.seconds.into()));
    counts.frames.set(0);
    let frames_before: Vec<u64> = connections.iter().map(|connection| connection.frames()).collect();
    let progress = Progress::phase("staying", 0);
    tokio::select! {
        () = sleep(stays) => {}
        left = alive.join_next() => return Err(left.context("there are no connections")??),
    }
    drop(progress);
    let after = memory()?;
    if stays > 2 * connection::RENEWED_EVERY {
        // Their own renewals come back, so whoever was sent nothing in that time is there no more.
        let silent =
            connections.iter().zip(&frames_before).filter(|(connection, before)| connection.frames() == **before);
        let silent = silent.count();
        ensure!(silent == 0, "{silent} connections have joined, and were sent nothing in {} s", args.seconds);
    }
    let used = cpu()?.zip(cpu_before).map_or(Duration::ZERO, |(after, before)| after.saturating_sub(before));
    let cpu_percent = percent(used, stays);
    drop(alive);
    let rooms: Vec<String> = (0..args.rooms).map(room_of).collect();
    subject.forget(rooms.iter().map(String::as_str)).await;
    Ok(before.zip(settled).zip(after).zip(watch).map(|(((before, settled), after), watch)| Memories {
        before,
        settled,
        after,
        peak: watch.peak().max(after),
        cpu_percent,
    }))
}

/// Opens all connections, and waits until each has the state of its room.
async fn connect(
    args: &Args,
    subject: &Subject,
    counts: &Rc<Counts>,
    room_of: &impl Fn(u32) -> String,
) -> anyhow::Result<(Vec<Rc<Connection>>, JoinSet<anyhow::Error>)> {
    let progress = Progress::phase("joining", args.connections.into());
    let scratch = Scratch::default();
    let mut alive = JoinSet::new();
    let mut connections = Vec::with_capacity(args.connections as usize);
    let mut opening = stream::iter(0..args.connections)
        .map(|number| {
            let (room, scratch, address) = (room_of(number), &scratch, address_of(&subject.address, number));
            async move { wire::open(&address, &room, scratch).await }
        })
        .buffered(JOINING_MAX);
    // They live while others join.
    while let Some((inbox, outbox)) = opening.try_next().await? {
        let connection = Rc::new(Connection::new(counts.clone()));
        connections.push(connection.clone());
        alive.spawn_local(async move { connection.stay(inbox, outbox).await });
        progress.step(1);
    }
    drop(opening);
    let all_joined = async {
        for connection in &connections {
            connection.joined().await;
        }
        Ok(())
    };
    tokio::select! {
        joined = answered("the first sync", all_joined) => joined?,
        left = alive.join_next() => return Err(left.context("there are no connections")??),
    }
    Ok((connections, alive))
}

/// Another address of this machine when one has no ports left.
fn address_of(address: &Address, connection: u32) -> Address {
    match connection / CONNECTIONS_PER_ADDRESS {
        0 => address.clone(),
        more => address.from(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1 + more as u8))),
    }
}

fn report(args: &Args, cores: Cores, memories: Option<&Memories>, counts: &Counts) -> Report {
    let (mut facts, mut bars) = (Vec::new(), Vec::new());
    if let Some(Memories { before, settled, after, peak, cpu_percent }) = memories {
        let each_kb =
            |memory: u64, before: u64| memory.saturating_sub(before) as f64 / f64::from(args.connections) / 1000.0;
        let of = |memory: &Memory| [each_kb(memory.anon, before.anon)];
        facts.extend([
            Fact::new("anonymous memory of a connection, all joined", "KB", of(settled)),
            Fact::new("anonymous memory of a connection, in the end", "KB", of(after)),
            Fact::new("anonymous memory of a connection, peak", "KB", of(peak)),
            Fact::new("resident memory of a connection, in the end", "KB", [each_kb(after.rss, before.rss)]),
            Fact::new("anonymous memory before the first connection", "MB", [before.anon as f64 / 1e6]),
            Fact::new("core in use while they stay", "%", [*cpu_percent]),
        ]);
        let most = each_kb(settled.max(*after).anon, before.anon);
        let name = format!("memory of an idle connection (of {} in {} rooms)", args.connections, args.rooms);
        bars.push(Bar::new(name, Limit::AtMost(CONNECTION_AT_MOST_KB), "KB", most));
    }
    let received = counts.frames.get() as f64 / f64::from(args.seconds);
    facts.push(Fact::new("messages received in a second, by all", "", [received]));
    Report {
        command: "idle",
        about: format!(
            "{} connections in {} rooms, each with a presence that it renews every {} s, for {} s; 1 KB is 1000 bytes; {}",
            args.connections,
            args.rooms,
            connection::RENEWED_EVERY.as_secs(),
            args.seconds,
            cores.about()
        ),
        figures: Vec::new(),
        facts,
        bars,
    }
}
