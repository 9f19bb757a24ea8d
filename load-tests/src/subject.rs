//! What is measured: a server that runs, or one of our own on a folder of its own, or several that are one cluster.

use std::{iter, path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::{
    cores::Cores,
    http,
    process::{Family, Process},
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
    /// The running server is a relay: it keeps no document that could be compared in the end
    #[arg(long, requires = "url", conflicts_with = "binary")]
    is_relay: bool,
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
    /// More nodes of the same cluster.
    pub others: Vec<Node>,
    /// What the nodes lean on.
    pub services: Vec<Service>,
    own: Option<Own>,
}

/// A server that shares its rooms with another.
pub struct Node {
    /// Where its rooms are.
    pub address: Address,
    /// What can be asked about its use of the machine.
    pub process: Option<Process>,
}

/// A program that works for the servers.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// For people.
    pub name: &'static str,
    /// What it uses.
    pub family: Family,
}

/// Servers that were started here.
struct Own {
    servers: Vec<Server>,
    /// The relay has no data.
    folder: Option<TempDir>,
}

impl Target {
    /// A running server of this kind. One of our own has these settings, and a core of its own if there are cores to
    /// choose from; one that ran before keeps its own.
    pub async fn up(
        &self,
        kind: Kind,
        cores: impl Into<Option<Cores>>,
        settings: &[(&str, String)],
    ) -> anyhow::Result<Subject> {
        let cores = cores.into();
        match (kind, &self.binary) {
            (Kind::Relay, _) => self.start(kind, Launch::relay()?, None, cores).await,
            (Kind::Synapti, Some(binary)) => {
                let folder = tempfile::tempdir_in(&self.folder)?;
                let launch = Launch::synapti(binary, folder.path(), settings)?;
                self.start(kind, launch, Some(folder), cores).await
            }
            (Kind::Synapti, None) => {
                let address = Address::resolve(&self.url, self.patience()).await?;
                let kind = if self.is_relay { Kind::Relay } else { kind };
                let process = self.pid.map(Process::new);
                Ok(Subject { kind, address, process, others: Vec::new(), services: Vec::new(), own: None })
            }
        }
    }

    /// Stops a server of our own and starts it again on its data; `None` for one that ran before.
    pub async fn restart(&self, subject: Subject, cores: Cores) -> anyhow::Result<Option<Subject>> {
        let (Some(binary), Some(Own { servers, folder: Some(folder) })) = (&self.binary, subject.own) else {
            return Ok(None);
        };
        stop(servers).await?;
        let launch = Launch::synapti(binary, folder.path(), &[])?;
        self.start(subject.kind, launch, Some(folder), Some(cores)).await.map(Some)
    }

    async fn start(
        &self,
        kind: Kind,
        launch: Launch,
        folder: Option<TempDir>,
        cores: Option<Cores>,
    ) -> anyhow::Result<Subject> {
        let server = launch.start(cores).await?;
        let address = Address::resolve(&server.rooms_url(), self.patience()).await?;
        let process = Some(server.process()?);
        let own = Some(Own { servers: vec![server], folder });
        Ok(Subject { kind, address, process, others: Vec::new(), services: Vec::new(), own })
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(self.answered_within)
    }
}

impl Subject {
    /// Servers that were started here as one cluster. A node that needs longer for an answer counts as dead.
    pub async fn cluster(
        servers: Vec<Server>,
        services: Vec<Service>,
        answered_within: Duration,
    ) -> anyhow::Result<Self> {
        let mut nodes = Vec::new();
        for server in &servers {
            let address = Address::resolve(&server.rooms_url(), answered_within).await?;
            nodes.push(Node { address, process: Some(server.process()?) });
        }
        ensure!(!nodes.is_empty(), "a cluster has at least one node");
        let Node { address, process } = nodes.remove(0);
        let own = Some(Own { servers, folder: None });
        Ok(Self { kind: Kind::Synapti, address, process, others: nodes, services, own })
    }

    /// Nodes that run.
    #[cfg(test)]
    pub fn of_nodes(kind: Kind, mut addresses: Vec<Address>) -> Self {
        let address = addresses.remove(0);
        let others = addresses.into_iter().map(|address| Node { address, process: None }).collect();
        Self { kind, address, process: None, others, services: Vec::new(), own: None }
    }

    /// How many nodes it has.
    pub fn nodes(&self) -> u32 {
        1 + self.others.len() as u32
    }

    /// Where a node's rooms are.
    pub fn address_of(&self, node: u32) -> &Address {
        node.checked_sub(1).map_or(&self.address, |other| &self.others[other as usize].address)
    }

    /// Where the rooms of all nodes are.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        iter::once(&self.address).chain(self.others.iter().map(|node| &node.address))
    }

    /// All of its processes, if they are known.
    pub fn processes(&self) -> Option<Vec<Process>> {
        iter::once(self.process).chain(self.others.iter().map(|node| node.process)).collect()
    }

    /// Leaves a server that somebody uses as it was found: a map that was made for a measurement is deleted.
    pub async fn forget(&self, rooms: impl IntoIterator<Item = &str>) {
        if self.own.is_some() || self.kind == Kind::Relay {
            return;
        }
        for room in rooms {
            if let Err(error) = http::remove_map(self.address.url(), room).await {
                eprintln!("synapti-load: the map {room} stays on the server: {error:#}");
            }
        }
    }

    /// What went wrong with it, if it is our own and has ended by itself; else `error`.
    pub fn blame(&mut self, error: anyhow::Error) -> anyhow::Error {
        match self.own.as_mut().and_then(|own| own.servers.iter_mut().find_map(Server::end)) {
            Some(end) => error.context(end),
            None => error,
        }
    }

    /// Ends it if it is our own.
    pub async fn down(self) -> anyhow::Result<()> {
        match (self.kind, self.own) {
            (Kind::Synapti, Some(own)) => stop(own.servers).await,
            (Kind::Relay, Some(own)) => {
                for server in own.servers {
                    server.kill().await?;
                }
                Ok(())
            }
            (_, None) => Ok(()),
        }
    }
}

async fn stop(servers: Vec<Server>) -> anyhow::Result<()> {
    for (node, server) in servers.into_iter().enumerate() {
        server.stop().await.with_context(|| format!("stopping node {}", node + 1))?;
    }
    Ok(())
}
