//! `synapti-load`: measures a Synapti server from outside, over the network, as its users meet it.
//!
//! A measurement that cannot be trusted (a lost edit, a document that is not the one that was written, a server
//! that does not answer) is an error, never a figure. Exit code 0: measured, and every bar met; 2: a command line that makes no
//! sense; 1: anything else.

mod acked;
mod acks;
mod ai;
mod client;
mod cluster;
mod compaction;
mod cores;
mod crash;
mod crowd;
mod fanout;
mod http;
mod idle;
mod join;
mod latency;
mod map;
mod marker;
mod max;
mod mutate;
mod open;
mod poll;
mod ports;
mod process;
mod progress;
mod relay;
mod report;
mod rooms;
mod server;
mod slow;
mod stats;
mod stopped;
mod storm;
mod subject;
#[cfg(test)]
mod tests;
mod update;
mod versus;
mod wire;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use report::Report;
use tokio::runtime::{Builder, LocalOptions};

#[derive(Parser)]
#[command(name = "synapti-load", version, about = "Measures a Synapti server from outside")]
struct Cli {
    /// Print the result as JSON on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Write the result as JSON to this file too
    #[arg(long, global = true, value_name = "FILE")]
    json_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From sending one edit to its arrival at another client, on an idle server
    Latency(latency::Args),
    /// Opening a large map from disk, right after the server has started
    Open(open::Args),
    /// One editor and many viewers: latency, and what a delivery costs the server
    Fanout(fanout::Args),
    /// The most edits in a second that all viewers of a room get in time
    Max(max::Args),
    /// Many small rooms in which everybody edits
    Rooms(rooms::Args),
    /// What the server keeps in memory for a connection that does next to nothing
    Idle(idle::Args),
    /// Clients that cannot use WebSocket: what one costs that waits, and how soon it has an edit
    Poll(poll::Args),
    /// Many clients that open the same large map at once
    Join(join::Args),
    /// Viewers that stop reading: what they cost, and how fast they catch up
    Slow(slow::Args),
    /// Some viewers stop reading again and again: what they cost, and whether the others notice
    Stopped(stopped::Args),
    /// Everybody comes back at once
    Storm(storm::Args),
    /// From an edit to the word that it is on disk, under load
    Acks(acks::Args),
    /// A large map that is compacted again and again: what the others notice, and how fast it opens
    Compaction(compaction::Args),
    /// Killing the server under load, again and again: nothing that it promised may be lost
    Crash(crash::Args),
    /// Maps that a model grows: from its words to those who look, kept answers, a long queue, stopping
    Ai(ai::Args),
    /// Two nodes against one, and how clients go from one node to the other
    Cluster(cluster::Args),
    /// Damaged and lying messages, a lot of them: nobody else may notice
    Mutate(mutate::Args),
    /// Be a server: the naive relay that Synapti is held against
    Relay(relay::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli).and_then(|report| tell(&cli, report)) {
        Ok(report) => {
            if report.bars_met() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("synapti-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Where it was asked for.
fn tell(cli: &Cli, report: Report) -> anyhow::Result<Report> {
    if let Some(file) = &cli.json_file {
        std::fs::write(file, report.json() + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    println!("{}", if cli.json { report.json() } else { report.text() });
    Ok(report)
}

fn run(cli: &Cli) -> anyhow::Result<Report> {
    if let Command::Relay(args) = &cli.command {
        // What a program gets that configures nothing.
        tokio::runtime::Runtime::new()?.block_on(relay::run(args))?;
        bail!("the relay has ended");
    }
    // The servers that are started inherit it.
    rlimit::increase_nofile_limit(u64::MAX)?;
    // One thread: handing a packet from one thread to another would be measured as the server's time.
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        match &cli.command {
            Command::Latency(args) => latency::run(args).await,
            Command::Open(args) => open::run(args).await,
            Command::Fanout(args) => fanout::run(args).await,
            Command::Max(args) => max::run(args).await,
            Command::Rooms(args) => rooms::run(args).await,
            Command::Idle(args) => idle::run(args).await,
            Command::Poll(args) => poll::run(args).await,
            Command::Join(args) => join::run(args).await,
            Command::Slow(args) => slow::run(args).await,
            Command::Stopped(args) => stopped::run(args).await,
            Command::Storm(args) => storm::run(args).await,
            Command::Acks(args) => acks::run(args).await,
            Command::Compaction(args) => compaction::run(args).await,
            Command::Crash(args) => crash::run(args).await,
            Command::Ai(args) => ai::run(args).await,
            Command::Cluster(args) => cluster::run(args).await,
            Command::Mutate(args) => mutate::run(args).await,
            Command::Relay(_) => unreachable!("the relay has a runtime of its own"),
        }
    })
}
