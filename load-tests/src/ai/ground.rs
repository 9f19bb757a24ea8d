//! A server that asks a model of ours, and maps on it.

use anyhow::Context as _;
use synapti_crdt::map::{MapEdit, NewNode, ParentRef};
use tempfile::TempDir;

use super::{Args, provider::Provider};
use crate::{
    client::{ANSWERED_WITHIN, Client},
    cores::Cores,
    process::Process,
    server::{Launch, Server, without_rates},
    wire::Address,
};

/// The root of every map.
const ROOT: &str = "root";

/// Settings with which nothing but the server's speed limits a run.
const UNLIMITED: [(&str, &str); 8] = [
    ("SYNAPTI_AI_PROVIDER", "openai"),
    ("SYNAPTI_AI_MODEL", "of-the-load-program"),
    ("SYNAPTI_AI_FALLBACK", "none"),
    ("SYNAPTI_AI_RETRIES", "0"),
    ("SYNAPTI_AI_RUNS_PER_USER", "0"),
    ("SYNAPTI_AI_RUNS_PER_GRAPH", "0"),
    ("SYNAPTI_AI_QUEUE_MAX", "0"),
    ("SYNAPTI_LIMITS_REQUESTS_PER_SECOND", "0"),
];

/// A server and its model.
pub struct Ground {
    /// Where its rooms are.
    pub address: Address,
    /// What it uses.
    pub process: Process,
    /// The model.
    pub provider: Provider,
    server: Server,
    _folder: TempDir,
}

impl Ground {
    /// Starts both. So many runs may go on at one time.
    pub async fn start(args: &Args, cores: Cores, runs_max: u32) -> anyhow::Result<Self> {
        let provider = Provider::start().await?;
        let folder = tempfile::tempdir_in(&args.folder)?;
        let mut settings = without_rates();
        settings.extend(UNLIMITED.map(|(name, value)| (name, value.to_owned())));
        settings.push(("SYNAPTI_AI_BASE_URL", provider.base_url().to_owned()));
        settings.push(("SYNAPTI_AI_RUNS_PER_NODE", runs_max.to_string()));
        let server = Launch::synapti(&args.binary, folder.path(), &settings)?.start(Some(cores)).await?;
        let address = Address::resolve(&server.rooms_url(), ANSWERED_WITHIN).await?;
        let process = server.process()?;
        Ok(Self { address, process, provider, server, _folder: folder })
    }

    /// Makes a map with nodes of these titles under its root; node number n is called `node-n`. It is on disk then.
    pub async fn map(&self, room: &str, topic: &str, titles: &[String]) -> anyhow::Result<()> {
        let mut client = Client::join(self.address.url(), room).await.context("making a map")?;
        let centre = Some(NewNode::new(ROOT.to_owned(), topic));
        let init =
            MapEdit::Init { topic: topic.to_owned(), root: centre, created_at: "2026-01-01T00:00:00Z".to_owned() };
        let nodes = titles.iter().enumerate().map(|(number, title)| {
            let mut node = NewNode::new(node_id(number), title.clone());
            node.parent = ParentRef::Under(ROOT.to_owned());
            MapEdit::AddNode(node)
        });
        let edits: Vec<MapEdit> = std::iter::once(init).chain(nodes).collect();
        let frame = client.edit(&edits)?;
        client.connection.send(frame).await?;
        client.sync().await
    }

    /// Ends the server as an operator does.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.server.stop().await
    }

    /// What went wrong with the server, if it has ended by itself; else `error`.
    pub fn blame(&mut self, error: anyhow::Error) -> anyhow::Error {
        match self.server.end() {
            Some(end) => error.context(end),
            None => error,
        }
    }
}

/// What a node of [`Ground::map`] is called.
pub fn node_id(number: usize) -> String {
    format!("node-{number}")
}
