//! `synapti-load crash`: kills the server again and again while clients write, and looks whether everything is there that
//! it had promised.

mod ending;
mod history;
mod read;
mod round;
mod writer;

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    rc::Rc,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use clap::{ValueEnum, value_parser};
use rand::{SeedableRng as _, rngs::StdRng};
use tempfile::TempDir;

use crate::{
    report::{Bar, Fact, Limit, Report},
    server::Server,
};
use ending::Plan;
use history::{Fault, History};
use round::Ground;
use writer::Shared;

/// After so many rounds clients go on in new rooms: an old one only grows slower.
const ROUNDS_PER_ROOM: u32 = 25;

/// Every so many rounds the stopped store is checked, and all rooms are read.
const CHECKED_EVERY: u32 = 10;

/// Faults that are told one by one.
const TOLD_MAX: usize = 20;

#[derive(clap::Args)]
pub struct Args {
    /// Ends of the server
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// The server
    #[arg(long, value_name = "FILE", default_value = "target/release/synapti")]
    binary: PathBuf,
    /// Which database
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// The database, if it is not a file in the data folder
    #[arg(long, value_name = "URL", required_if_eq("store", "postgres"))]
    database_url: Option<String>,
    /// Repeats the choices of a run; every run prints its own
    #[arg(long)]
    seed: Option<u64>,
    /// Clients that write
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// Rooms at once
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u32).range(1..=1000))]
    rooms: u32,
    /// Leave out `synapti check` on the stopped store
    #[arg(long)]
    no_check: bool,
    /// Where the data folder is made
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    Sqlite,
    Postgres,
}

/// A run of rounds.
struct Campaign<'a> {
    args: &'a Args,
    seed: u64,
    run: u32,
    ground: Ground,
    faults: Vec<Fault>,
    /// Rounds that went wrong, by their number and seed.
    failed: Vec<(u32, u64)>,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let folder =
        tempfile::tempdir_in(&args.folder).with_context(|| format!("no data folder in {}", args.folder.display()))?;
    // Small enough for a report, which knows numbers as JavaScript does.
    let seed = args.seed.unwrap_or_else(|| rand::random::<u32>().into());
    eprintln!("seed {seed}, data in {}", folder.path().display());
    let run = rand::random();
    let shared = Shared { history: RefCell::new(History::new(run)), pools: RefCell::default() };
    let ground = Ground {
        binary: args.binary.clone(),
        database_url: args.database_url.clone(),
        folder: folder.path().to_owned(),
        clients: args.clients as usize,
        shared: Rc::new(shared),
        compactions: Cell::new(0.0),
    };
    let mut campaign = Campaign { args, seed, run, ground, faults: Vec::new(), failed: Vec::new() };
    let begun = Instant::now();
    let ended = campaign.run().await;
    if ended.is_err() || !campaign.faults.is_empty() {
        keep(folder);
    }
    ended.with_context(|| format!("seed {seed}"))?;
    Ok(campaign.report(begun))
}

fn keep(folder: TempDir) {
    eprintln!("the data and the logs are kept in {}", folder.keep().display());
}

impl Campaign<'_> {
    async fn run(&mut self) -> anyhow::Result<()> {
        for round in 0..self.args.rounds {
            let seed = self.seed.wrapping_add(round.into());
            let mut rng = StdRng::seed_from_u64(seed);
            let plan = Plan::draw(&mut rng);
            let rounds = self.args.rounds;
            eprintln!("round {} of {rounds}, seed {seed}: {plan}", round + 1);
            self.round(round, plan, &mut rng)
                .await
                .with_context(|| format!("round {}, seed {seed}: {plan}", round + 1))?;
        }
        // What the last round has left.
        let launch = self.ground.launch(false)?.log_to(&self.ground.folder.join("last.log"));
        let server = launch.start(None).await.context("the start after the last round")?;
        self.read(&server, self.args.rounds, true).await?;
        server.stop().await?;
        self.check_store().await
    }

    async fn round(&mut self, round: u32, plan: Plan, rng: &mut StdRng) -> anyhow::Result<()> {
        let is_milestone = round.is_multiple_of(CHECKED_EVERY);
        let server = self.ground.start(round + 1, plan).await?;
        self.read(&server, round, is_milestone).await?;
        let rooms: Vec<(usize, String)> = self.rooms_of(round).map(|room| (room, self.name(room))).collect();
        let pools_wanted = rooms.iter().map(|(room, _)| room + 1).max().unwrap_or(0);
        self.ground.shared.pools.borrow_mut().resize_with(pools_wanted, Vec::new);
        self.ground.load_and_end(server, plan, &rooms, rng).await?;
        if (round + 1).is_multiple_of(CHECKED_EVERY) {
            self.check_store().await?;
        }
        Ok(())
    }

    /// Reads what the round before has left, and judges it.
    async fn read(&mut self, server: &Server, round: u32, all: bool) -> anyhow::Result<()> {
        let Some(last) = round.checked_sub(1) else { return Ok(()) };
        let rooms = if all { 0..self.rooms_of(last).end } else { self.rooms_of(last) };
        for room in rooms {
            let name = self.name(room);
            let snapshot = read::room(server, &name).await?;
            let mut history = self.ground.shared.history.borrow_mut();
            let found = read::elements(&history, &snapshot).with_context(|| format!("in {name}"))?;
            let faults = history.judge(room, &found);
            let seed = self.seed.wrapping_add(last.into());
            if !faults.is_empty() && self.failed.last() != Some(&(last + 1, seed)) {
                self.failed.push((last + 1, seed));
            }
            for (element, fault) in faults {
                if self.faults.len() < TOLD_MAX {
                    eprintln!(
                        "after round {}, seed {seed}, in {name}: {fault}: {:?}",
                        last + 1,
                        history.element(element)
                    );
                }
                self.faults.push(fault);
            }
        }
        Ok(())
    }

    fn rooms_of(&self, round: u32) -> std::ops::Range<usize> {
        let (rooms, generation) = (self.args.rooms as usize, (round / ROUNDS_PER_ROOM) as usize);
        generation * rooms..(generation + 1) * rooms
    }

    fn name(&self, room: usize) -> String {
        format!("crash-{:08x}-{room}", self.run)
    }

    /// Has the program look at all that it keeps.
    async fn check_store(&self) -> anyhow::Result<()> {
        if self.args.no_check {
            return Ok(());
        }
        let output = self.ground.launch(false)?.perform("check").await?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        ensure!(output.status.success(), "`synapti check` ends with {}:\n{said}", output.status);
        Ok(())
    }

    fn report(&self, begun: Instant) -> Report {
        let history = self.ground.shared.history.borrow();
        let elements = history.elements();
        let count = |test: &dyn Fn(&history::Element) -> bool| elements.iter().filter(|element| test(element)).count();
        let fact = |name: &str, value: usize| Fact::new(name, "", [value as f64]);
        let none = |fault: Fault| {
            let found = self.faults.iter().filter(|found| **found == fault).count();
            Bar::new(fault.to_string(), Limit::AtMost(0.0), "elements", found as f64)
        };
        let mut facts = vec![
            fact("rounds", self.args.rounds as usize),
            fact("rooms", self.rooms_of(self.args.rounds - 1).end),
            fact("elements", elements.len()),
            fact("acknowledged", count(&|element| element.insert.acknowledged)),
            fact("seen by somebody", count(&|element| element.insert.seen)),
            fact("neither", count(&|element| !element.insert.is_certain())),
            fact("deletions", count(&|element| element.delete.sent)),
            fact("deletions acknowledged or seen", count(&|element| element.delete.is_certain())),
            Fact::new("compactions before the ends", "", [self.ground.compactions.get()]),
            Fact::new("time", "s", [begun.elapsed().as_secs_f64()]),
        ];
        facts.extend(
            self.failed
                .iter()
                .map(|(round, seed)| Fact::new(format!("seed of failed round {round}"), "", [*seed as f64])),
        );
        let store = if self.args.store == Store::Sqlite { "SQLite" } else { "PostgreSQL" };
        Report {
            command: "crash",
            about: format!(
                "the server on {store} is killed or stopped under load {} times, {} clients in {} rooms; seed {}",
                self.args.rounds, self.args.clients, self.args.rooms, self.seed
            ),
            figures: Vec::new(),
            facts,
            bars: [Fault::Lost, Fault::Resurrected, Fault::Flickered, Fault::Changed].map(none).into(),
        }
    }
}
