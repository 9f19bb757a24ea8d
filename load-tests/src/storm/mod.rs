//! `synapti-load storm`: everybody comes back at once.

mod client;

use std::{
    cell::RefCell,
    fmt,
    net::TcpListener,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::value_parser;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    client::ANSWERED_WITHIN,
    marker::Markers,
    report::{Bar, Fact, Figure, Report},
    server::{Launch, Server},
    stats::Sorted,
    wire::{Address, Scratch},
};
use client::{Client, Counts, Room, Shared};

/// The bar for the time until everybody has everything again.
const SYNCED_WITHIN: Duration = Duration::from_secs(10);

/// When we give up.
const GIVEN_UP_AFTER: Duration = Duration::from_mins(2);

/// How often we look whether everybody is there.
const LOOKED_EVERY: Duration = Duration::from_millis(5);

/// Edits of each room before the first storm.
const EDITS: u32 = 50;

/// Ports that the system gives to nobody by itself: a client that knocks while the server is away could be given the port at
/// which it knocks, and then hear itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const PORTS_TRIED_MAX: u32 = 100;

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
    let shared = Rc::new(Shared {
        address: Address::resolve(&server.rooms_url(), ANSWERED_WITHIN).await?,
        markers: Markers::new(rand::random()),
        counts: RefCell::default(),
        cut: watch::Sender::new(0),
        scratch: Scratch::default(),
    });
    let (rooms, clients) = gather(args, &shared);
    let mut living = JoinSet::new();
    for client in &clients {
        let client = client.clone();
        living.spawn_local(async move { client.live().await });
    }
    eprintln!("{} clients join", args.clients);
    synced(&clients, &mut living, Instant::now()).await.context("the first time")?;
    let mut storms = Vec::new();
    for round in 1..=args.rounds {
        for cause in [Cause::Cut, Cause::Stop, Cause::Kill] {
            eprintln!("round {round} of {}: {cause}", args.rounds);
            shared.counts.take();
            // Written while nobody can be told.
            for (number, room) in rooms.iter().enumerate() {
                let next = EDITS * args.rooms + (storms.len() * rooms.len() + number) as u32;
                room.edits.borrow_mut().push(next);
            }
            let (begun, back);
            (server, begun, back) = strike(args, cause, server, place.path(), port, &shared).await?;
            let synced = synced(&clients, &mut living, back).await.with_context(|| cause.to_string())?;
            storms.push(Storm { cause, synced, away: back - begun, counts: shared.counts.take() });
        }
    }
    drop(living);
    server.stop().await?;
    Ok(report(args, &storms))
}

fn gather(args: &Args, shared: &Rc<Shared>) -> (Vec<Rc<Room>>, Vec<Rc<Client>>) {
    let run = rand::random::<u32>();
    let room = |number: u32| Room {
        id: format!("storm-{run:08x}-{number}"),
        author: u64::from(number) + 1,
        edits: RefCell::new((number * EDITS..(number + 1) * EDITS).collect()),
    };
    let rooms: Vec<Rc<Room>> = (0..args.rooms).map(room).map(Rc::new).collect();
    let client = |number: u32| {
        let room = rooms[(number % args.rooms) as usize].clone();
        Rc::new(Client::new(shared.clone(), room, number < args.rooms))
    };
    let clients = (0..args.clients).map(client).collect();
    (rooms, clients)
}

/// Sends everybody away; answers when that was, and when the server could be reached again.
async fn strike(
    args: &Args,
    cause: Cause,
    server: Server,
    folder: &Path,
    port: u16,
    shared: &Shared,
) -> anyhow::Result<(Server, Instant, Instant)> {
    let begun = Instant::now();
    match cause {
        Cause::Cut => {
            shared.cut.send_modify(|cuts| *cuts += 1);
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

/// Waits until everybody has everything; answers how long each of them took since `begin`.
async fn synced(
    clients: &[Rc<Client>],
    living: &mut JoinSet<anyhow::Result<std::convert::Infallible>>,
    begin: Instant,
) -> anyhow::Result<Sorted> {
    loop {
        // First a pause: what has broken is noticed by then.
        tokio::select! {
            () = sleep(LOOKED_EVERY) => {}
            left = living.join_next() => match left.context("there are no clients")?? {
                Ok(never) => match never {},
                Err(error) => return Err(error),
            },
        }
        let times: Vec<Instant> = clients.iter().filter_map(|client| client.synced()).collect();
        if times.len() == clients.len() {
            let took = times.into_iter().map(|at| at.saturating_duration_since(begin)).collect();
            return Sorted::new(took).context("there are no clients");
        }
        if begin.elapsed() > GIVEN_UP_AFTER {
            bail!("{} of {} clients have everything after {} s", times.len(), clients.len(), GIVEN_UP_AFTER.as_secs());
        }
    }
}

fn free_port() -> anyhow::Result<u16> {
    for _ in 0..PORTS_TRIED_MAX {
        let port = rand::random_range(PORTS);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between {} and {}", PORTS.start, PORTS.end)
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
