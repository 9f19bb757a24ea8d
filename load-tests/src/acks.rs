//! `synapti-load acks`: from an edit to the word that it is on disk, under load.

use std::time::Duration;

use clap::value_parser;

use crate::{
    acked::{Crowd, Plan},
    process::Process,
    report::{Bar, Fact, Figure, Limit, Report},
    server::without_rates,
    subject::{Kind, Target},
    versus::percent,
};

/// The bar for 99 of 100 acknowledgements, in milliseconds.
const P99_AT_MOST_MS: f64 = 25.0;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Rooms
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u32).range(1..=10_000))]
    rooms: u32,
    /// Edits in a second, in all rooms together
    #[arg(long, default_value_t = 5000, value_parser = value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Clients in each room; all of them edit
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=100))]
    clients_per_room: u32,
}

/// Runs the command.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let Args { rooms, rate, seconds, clients_per_room: clients, .. } = *args;
    let subject = args.target.up(Kind::Synapti, None, &without_rates()).await?;
    let plan = Plan { rooms, clients, rate: f64::from(rate) / f64::from(rooms * clients) };
    eprintln!("{rooms} rooms of {clients}, {rate} edits in a second");
    let mut crowd = Crowd::join(&subject.address, plan).await?;
    let cpu = || subject.process.map(Process::cpu).transpose();
    let (cpu_before, own_before) = (cpu()?, Process::new(std::process::id()).cpu()?);
    let time = Duration::from_secs(seconds.into());
    let tally = crowd.edit_for(time).await?;
    let cpu = cpu()?.zip(cpu_before).map(|(after, before)| percent(after.saturating_sub(before), time));
    let own = percent(Process::new(std::process::id()).cpu()?.saturating_sub(own_before), time);
    let unsaved = crowd.told_unsaved();
    drop(crowd);
    subject.down().await?;

    let percentile = |percent| tally.acked.value_at_percentile(percent) as f64 / 1000.0;
    let mut figures = vec![
        Figure::of_us("an edit is acknowledged", &tally.acked),
        Figure::of_us("an edit is sent, after it was due", &tally.late),
    ];
    if clients > 1 {
        figures.push(Figure::of_us("an edit reaches another client", &tally.delivered));
    }
    let mut facts = vec![
        Fact::new("acknowledged, p99.9", "ms", [percentile(99.9)]),
        Fact::new("edits in a second", "", [tally.edits as f64 / f64::from(seconds)]),
        Fact::new("clients told that something is unsaved", "", [unsaved as f64]),
        Fact::new("clients' use of a core", "%", [own]),
    ];
    facts.extend(cpu.map(|cpu| Fact::new("server's use of a core", "%", [cpu])));
    let bar = ((rooms, rate) == (500, 5000)).then(|| {
        Bar::new(
            "acknowledged at 5000 edits/s over 500 rooms: p99",
            Limit::AtMost(P99_AT_MOST_MS),
            "ms",
            percentile(99.0),
        )
    });
    Ok(Report {
        command: "acks",
        about: format!(
            "{rooms} rooms of {clients}, {rate} small edits in a second in all, for {seconds} s; every one was acknowledged; \
             server and clients share all cores"
        ),
        figures,
        facts,
        bars: bar.into_iter().collect(),
    })
}
