//! `synapti-load`: measures a Synapti server from outside, over the network, as its users meet it.
//!
//! A measurement that cannot be trusted (a lost edit, a document that is not the one that was written, a server
//! that does not answer) is an error, never a figure. Exit code 0: measured, and every bar met; 2: a command line that makes no
//! sense; 1: anything else.

mod client;
mod http;
mod latency;
mod map;
mod marker;
mod open;
mod report;
mod server;
mod stats;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use report::Report;

#[derive(Parser)]
#[command(name = "synapti-load", version, about = "Measures a Synapti server from outside")]
struct Cli {
    /// Print the result as JSON on standard output
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From sending one edit to its arrival at another client, on an idle server
    Latency(latency::Args),
    /// Opening a large map from disk, right after the server has started
    Open(open::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(report) => {
            println!("{}", if cli.json { report.json() } else { report.text() });
            if report.bars_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("synapti-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<Report> {
    // One thread: handing a packet from one thread to another would be measured as the server's time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &cli.command {
            Command::Latency(args) => latency::run(args).await,
            Command::Open(args) => open::run(args).await,
        }
    })
}
