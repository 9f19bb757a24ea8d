//! `synapti-load mutate`: damaged and lying messages from many connections, beside people who work.

mod attacker;
mod honest;
mod material;
mod message;
mod mutator;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::value_parser;
use futures_util::future::try_join_all;
use tokio::time::{sleep, timeout};

use crate::{
    acked::Tally,
    http,
    progress::Progress,
    report::{Bar, Fact, Figure, Limit, Report},
    server::without_rates,
    subject::{Kind, Subject, Target},
    wire::Address,
};
use attacker::{Arsenal, Counts, RESTARTING, WITHOUT_A_WORD};
use honest::Group;

/// The bar for the memory that is not given back, in MB.
const GROWTH_BELOW_MB: f64 = 10.0;

/// The bar for the messages that get past the scanner: others end there.
const ACCEPTED_AT_LEAST_PERCENT: f64 = 20.0;

/// Part of the messages that come before memory is looked at for the first time.
const WARMUP_PERCENT: u64 = 10;

/// Fewer do not bring every room, connection and buffer of the server to the size that it keeps.
const WARMUP_MESSAGES_MIN: u64 = 10_000;

/// Growth of memory after which more messages follow, to tell what is kept from what is lost.
const GROWTH_BYTES_LOOKED_INTO: u64 = 8 << 20;

/// How often, at most.
const MORE_LOOKS: usize = 3;

/// Rooms that have failed, of a server's metrics, and rooms that are open.
const PANICS: &str = "synapti_room_panics_total";
const ROOMS: &str = "synapti_rooms";

/// How long rooms that everybody has left may take to close: a second of waiting, and what they still have to write.
const CLOSED_WITHIN: Duration = Duration::from_mins(1);

/// How long memory may take to go back to the system; the least that is seen counts.
const SETTLED_AFTER: Duration = Duration::from_secs(6);
const LOOKED_EVERY: Duration = Duration::from_millis(250);

/// Addresses of this machine from which the attackers come, so that no address runs out of ports.
const SOURCES: u32 = 64;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Mutated messages in all
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u64).range(100..=100_000_000))]
    messages: u64,
    /// Connections that send them at the same time
    #[arg(long, default_value_t = 32, value_parser = value_parser!(u32).range(1..=1000))]
    connections: u32,
    /// Rooms that they send into at the same time; in one of them people work
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u32).range(1..=100))]
    rooms: u32,
    /// Messages for each room, after which it is left and deleted
    #[arg(long, default_value_t = 1500, value_parser = value_parser!(u64).range(1..=100_000))]
    messages_per_room: u64,
    /// Repeats the messages of an earlier run; their timing remains chance
    #[arg(long)]
    seed: Option<u64>,
}

/// What is under attack.
struct Campaign<'a> {
    args: &'a Args,
    subject: Subject,
    arsenal: Arsenal,
    run: u32,
    rooms: u32,
    /// How the people in the attacked rooms fared, and those in another one.
    beside: Tally,
    elsewhere: Tally,
    progress: Progress,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let seed = args.seed.unwrap_or_else(rand::random);
    let mut settings = without_rates();
    settings.push(("SYNAPTI_ROOM_IDLE_CLOSE_AFTER", "1".to_owned()));
    let subject = args.target.up(Kind::Synapti, None, &settings).await?;
    eprintln!("{} messages, seed {seed}", args.messages);
    let mut campaign = Campaign {
        args,
        subject,
        arsenal: Arsenal::new(seed)?,
        run: rand::random(),
        rooms: 0,
        beside: Tally::default(),
        elsewhere: Tally::default(),
        progress: Progress::phase("mutated messages", args.messages),
    };
    let begun = Instant::now();
    let fought = campaign.fight().await;
    // A connection that broke is only what was seen of it.
    let memories = fought.map_err(|error| campaign.subject.blame(error))?;
    let panics = http::counter(campaign.subject.address.authority(), PANICS).await?;
    let report = campaign.report(begun.elapsed(), seed, panics, memories);
    campaign.subject.down().await?;
    Ok(report)
}

impl Campaign<'_> {
    /// Sends everything; answers what memory was after the warm-up and in the end.
    async fn fight(&mut self) -> anyhow::Result<Option<[u64; 2]>> {
        let open_before = self.open_rooms().await?;
        let tenth = self.args.messages * WARMUP_PERCENT / 100;
        let warmup = tenth.max(WARMUP_MESSAGES_MIN.min(self.args.messages / 2));
        self.turns(warmup).await?;
        let baseline = self.memory(open_before).await?;
        self.turns(self.args.messages - warmup).await?;
        let mut end = self.memory(open_before).await?;
        // What the allocator keeps goes up and down; what is never freed only grows, so that it shows in every look.
        for _ in 0..MORE_LOOKS {
            let has_grown = baseline.zip(end).is_some_and(|(baseline, end)| end > baseline + GROWTH_BYTES_LOOKED_INTO);
            if !has_grown {
                break;
            }
            self.turns(warmup).await?;
            end = end.min(self.memory(open_before).await?);
        }
        Ok(baseline.zip(end).map(Into::into))
    }

    /// Sends so many messages into ever new rooms, while people work in a room of their own. Their map grows, so they leave it
    /// before anybody looks at memory.
    async fn turns(&mut self, messages: u64) -> anyhow::Result<()> {
        let elsewhere = format!("mutate-{:08x}-elsewhere-{}", self.run, self.rooms);
        let mut quiet = Group::begin(&self.subject, &elsewhere).await?;
        tokio::select! {
            attacked = self.attacks(messages) => attacked?,
            disturbed = quiet.disturbed() => return Err(disturbed),
        }
        self.elsewhere.add(&quiet.finish().await?)?;
        self.subject.forget([elsewhere.as_str()]).await;
        Ok(())
    }

    async fn attacks(&mut self, messages: u64) -> anyhow::Result<()> {
        let each = u64::from(self.args.rooms) * self.args.messages_per_room;
        let mut left = messages;
        while left > 0 {
            let now = left.min(each);
            self.turn(now).await?;
            left -= now;
        }
        Ok(())
    }

    async fn turn(&mut self, messages: u64) -> anyhow::Result<()> {
        let rooms: Vec<String> =
            (0..self.args.rooms).map(|room| format!("mutate-{:08x}-{}", self.run, self.rooms + room)).collect();
        self.rooms += self.args.rooms;
        let mut group = Group::begin(&self.subject, &rooms[0]).await?;
        self.arsenal.load(messages);
        let attackers = (0..self.args.connections).map(|number| {
            let room = &rooms[number as usize % rooms.len()];
            let from = Ipv4Addr::new(127, 0, 1, (1 + number % SOURCES) as u8);
            let address = self.subject.address.from(IpAddr::V4(from));
            let address = if number % 2 == 0 { address.extended() } else { address };
            self.attack(address, room)
        });
        tokio::select! {
            attacked = try_join_all(attackers) => drop(attacked?),
            disturbed = group.disturbed() => return Err(disturbed),
        }
        self.beside.add(&group.finish().await?)?;
        for room in &rooms {
            http::remove_map(self.subject.address.url(), room).await.with_context(|| format!("deleting {room}"))?;
        }
        Ok(())
    }

    async fn attack(&self, address: Address, room: &str) -> anyhow::Result<()> {
        self.arsenal.attack(&address, room, &self.progress).await
    }

    async fn open_rooms(&self) -> anyhow::Result<f64> {
        http::counter(self.subject.address.authority(), ROOMS).await
    }

    /// Memory when the rooms are closed and the allocator has given back what it does not need.
    async fn memory(&self, open_before: f64) -> anyhow::Result<Option<u64>> {
        let closed = async {
            while self.open_rooms().await? > open_before {
                sleep(LOOKED_EVERY).await;
            }
            Ok(())
        };
        timeout(CLOSED_WITHIN, closed).await.unwrap_or_else(|_| {
            Err(anyhow::anyhow!("rooms that everybody has left are open after {} s", CLOSED_WITHIN.as_secs()))
        })?;
        let Some(process) = self.subject.process else { return Ok(None) };
        let (begun, mut least) = (Instant::now(), process.memory()?.anon);
        while begun.elapsed() < SETTLED_AFTER {
            sleep(LOOKED_EVERY).await;
            least = least.min(process.memory()?.anon);
        }
        Ok(Some(least))
    }

    fn report(&self, took: Duration, seed: u64, panics: f64, memories: Option<[u64; 2]>) -> Report {
        let counts = self.arsenal.counts.borrow();
        let Counts { mutated, accepted, read, connections, codes } = &*counts;
        let of_code = |code: u16| codes.get(&code).copied().unwrap_or(0) as f64;
        let percent = |part: u64| part as f64 / *mutated as f64 * 100.0;
        let mut facts = vec![
            Fact::new("mutated messages", "", [*mutated as f64]),
            Fact::new("accepted by the scanner", "%", [percent(*accepted)]),
            Fact::new("read by the server", "%", [percent(*read)]),
            Fact::new("connections", "", [*connections as f64]),
            Fact::new("rooms", "", [f64::from(self.rooms)]),
            Fact::new("time", "s", [took.as_secs_f64()]),
        ];
        facts.extend(codes.iter().map(|(code, count)| Fact::new(format!("closed with {code}"), "", [*count as f64])));
        let mut bars = vec![
            Bar::new("rooms that failed", Limit::AtMost(0.0), "", panics),
            Bar::new("closed as by a failure", Limit::AtMost(0.0), "", of_code(RESTARTING) + of_code(WITHOUT_A_WORD)),
            Bar::new("accepted by the scanner", Limit::AtLeast(ACCEPTED_AT_LEAST_PERCENT), "%", percent(*accepted)),
        ];
        if let Some([baseline, end]) = memories {
            facts.push(Fact::new("anonymous memory, after the warm-up and in the end", "MB", [baseline, end].map(mb)));
            let growth = mb(end) - mb(baseline);
            bars.push(Bar::new("growth of memory", Limit::Below(GROWTH_BELOW_MB), "MB", growth));
        }
        Report {
            command: "mutate",
            about: format!(
                "{mutated} mutated messages over {} connections at a time into {} rooms at a time, each room left and deleted after \
                 {} of them; people in one of these rooms and in another one lost nothing; seed {seed}",
                self.args.connections, self.args.rooms, self.args.messages_per_room
            ),
            figures: vec![
                Figure::of_us("beside them: an edit is acknowledged", &self.beside.acked),
                Figure::of_us("beside them: an edit reaches another", &self.beside.delivered),
                Figure::of_us("in another room: an edit is acknowledged", &self.elsewhere.acked),
                Figure::of_us("in another room: an edit reaches another", &self.elsewhere.delivered),
            ],
            facts,
            bars,
        }
    }
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
