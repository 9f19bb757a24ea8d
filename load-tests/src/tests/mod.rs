//! Every command on a tiny scale, against servers of these tests: some that are right, and some that are not.

mod cluster;
mod commands;
mod faults;
mod poll;
mod unreachable;

use std::{
    net::{SocketAddr, TcpListener},
    thread,
};

use clap::Parser as _;
use tokio::{runtime::Runtime, sync::oneshot};

use crate::{
    Cli,
    relay::{self, Behaviour},
    report::Report,
};

/// A relay on a thread of its own, until this is dropped.
struct Relay {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Relay {
    fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        thread::spawn(move || {
            Runtime::new().unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = relay::serve(listener, behaviour) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address, _stop: stop }
    }

    /// Measures it.
    fn load(&self, arguments: &str) -> anyhow::Result<Report> {
        load(&format!("{arguments} --url ws://{}/v1/ws", self.address))
    }
}

/// Runs a command as it is typed.
fn load(arguments: &str) -> anyhow::Result<Report> {
    crate::run(&Cli::parse_from(["synapti-load"].into_iter().chain(arguments.split_whitespace())))
}

/// The report as programs read it.
fn json(report: &Report) -> serde_json::Value {
    serde_json::from_str(&report.json()).unwrap()
}
