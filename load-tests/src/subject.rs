//! What is measured: a server that runs, or one of our own on a folder of its own.

use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;

use crate::{
    cores::Cores,
    process::Process,
    server::{Launch, Server},
    wire::Address,
};

/// Which server a command measures.
#[derive(clap::Args, Clone)]
pub struct Target {
    /// Where a running server's rooms are
    #[arg(long, default_value = "ws://127.0.0.1:8080/v1/ws")]
    url: String,
    /// The running server's process, to measure what it uses
    #[arg(long, requires = "url", conflicts_with = "binary")]
    pid: Option<u32>,
    /// Start this server on an empty data folder instead of using one that runs
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    binary: Option<PathBuf>,
    /// Where the data folder is made
    #[arg(long, value_name = "FOLDER", default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
    /// Seconds that a server may take to answer before it counts as dead
    #[arg(long, default_value_t = 15)]
    answered_within: u64,
}

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the command line names.
    Synapti,
    /// The naive relay of this program.
    Relay,
}

/// A server that runs.
pub struct Subject {
    /// Which.
    pub kind: Kind,
    /// Where its rooms are.
    pub address: Address,
    /// What can be asked about its use of the machine.
    pub process: Option<Process>,
    own: Option<(Server, Option<TempDir>)>,
}

impl Target {
    /// A running server of this kind. One of our own has these settings; one that ran before keeps its own.
    pub async fn up(&self, kind: Kind, cores: Cores, settings: &[(&str, String)]) -> anyhow::Result<Subject> {
        let launch = match (kind, &self.binary) {
            (Kind::Relay, _) => (Launch::relay()?, None),
            (Kind::Synapti, Some(binary)) => {
                let folder = tempfile::tempdir_in(&self.folder)?;
                (Launch::synapti(binary, folder.path(), settings)?, Some(folder))
            }
            (Kind::Synapti, None) => {
                let address = Address::resolve(&self.url, self.patience()).await?;
                return Ok(Subject { kind, address, process: self.pid.map(Process::new), own: None });
            }
        };
        let (launch, folder) = launch;
        let server = launch.start(Some(cores)).await?;
        let address = Address::resolve(&server.rooms_url(), self.patience()).await?;
        Ok(Subject { kind, address, process: Some(server.process()?), own: Some((server, folder)) })
    }

    /// Whether the server is started for the measurement.
    pub fn is_own(&self) -> bool {
        self.binary.is_some()
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.answered_within)
    }
}

impl Subject {
    /// Ends it if it is our own.
    pub async fn down(self) -> anyhow::Result<()> {
        match (self.kind, self.own) {
            (Kind::Synapti, Some((server, _folder))) => server.stop().await,
            (Kind::Relay, Some((server, _))) => server.kill().await,
            (_, None) => Ok(()),
        }
    }
}
