//! One opening: a fresh copy of the data, a fresh server, one client.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hyper::{Method, StatusCode};
use synapti_crdt::{AsideLimits, Digest, Replica};
use synapti_protocol::message::{self, Message, SyncMessage, encode_step1};

use super::{
    Args,
    build::{self, Built},
    folder,
};
use crate::{
    client::{Connection, answered},
    http,
    server::Server,
    stats::Sorted,
};

/// The bar: half of the openings are done before.
pub const OPENED_BELOW: Duration = Duration::from_millis(200);

/// Name of the figure for a room.
pub const ROOM: &str = "room, whole state received";

/// Name of the figure for the HTTP API.
pub const JSON: &str = "GET /v1/graphs/{id}";

/// State vector of a client that has nothing yet.
const NOTHING: &[u8] = &[0];

/// What was measured for one kind of data folder.
#[derive(Default)]
pub struct Openings {
    upgraded: Vec<Duration>,
    loaded: Vec<Duration>,
    received: Vec<Duration>,
    room_waited: Vec<Duration>,
    json: Vec<Duration>,
    json_waited: Vec<Duration>,
}

/// One opening of a room, from the start of the handshake.
pub struct Opened {
    /// The WebSocket is open.
    pub upgraded: Duration,
    /// The first message has come.
    pub loaded: Duration,
    /// The whole state has come.
    pub received: Duration,
}

impl Openings {
    /// Opens the room once and the map as JSON once, each on a server of its own.
    pub async fn measure(&mut self, args: &Args, built: &Built, data: &Path) -> anyhow::Result<()> {
        let (_copy, server) = start(args, data).await?;
        let waited = server.waited_for_processor()?;
        self.open_room(&server.rooms_url(), built).await?;
        self.room_waited.push(server.waited_for_processor()?.saturating_sub(waited));
        server.kill().await?;
        let (_copy, server) = start(args, data).await?;
        let waited = server.waited_for_processor()?;
        self.get_json(server.authority(), args.nodes as usize).await?;
        self.json_waited.push(server.waited_for_processor()?.saturating_sub(waited));
        server.kill().await
    }

    /// The figures with their names, in the order of events.
    pub fn sorted(self) -> anyhow::Result<Vec<(&'static str, Sorted)>> {
        let named = [
            ("room, WebSocket is open", self.upgraded),
            ("room, map is loaded", self.loaded),
            (ROOM, self.received),
            ("room, server waited for a processor", self.room_waited),
            (JSON, self.json),
            ("GET, server waited for a processor", self.json_waited),
        ];
        named
            .into_iter()
            .map(|(name, measured)| Some((name, Sorted::new(measured)?)))
            .collect::<Option<_>>()
            .context("nothing was measured")
    }

    async fn open_room(&mut self, url: &str, built: &Built) -> anyhow::Result<()> {
        let Opened { upgraded, loaded, received } = open_room(url, build::ROOM, built.digest).await?;
        self.upgraded.push(upgraded);
        self.loaded.push(loaded);
        self.received.push(received);
        Ok(())
    }

    async fn get_json(&mut self, authority: &str, nodes: usize) -> anyhow::Result<()> {
        let answer = http::request(Method::GET, authority, &format!("/v1/graphs/{}", build::ROOM)).await?;
        ensure!(answer.status == StatusCode::OK, "reading the map is answered with {}", answer.status);
        let map: serde_json::Value = serde_json::from_slice(&answer.body).context("the map is not JSON")?;
        let found = map["nodes"].as_array().map_or(0, Vec::len);
        ensure!(found == nodes, "the map as JSON has {found} of {nodes} nodes");
        self.json.push(answer.took);
        Ok(())
    }
}

/// Opens a room with a client that has nothing, and looks whether this is the document.
pub async fn open_room(url: &str, room: &str, digest: Digest) -> anyhow::Result<Opened> {
    let started = Instant::now();
    let mut connection = Connection::open(url, room).await?;
    let upgraded = started.elapsed();
    connection.send(encode_step1(NOTHING)).await?;
    let (loaded, received, frames) = answered("the sync", async {
        // The server greets with a message of its own as soon as the room is open.
        let mut frames = vec![connection.frame().await?];
        let loaded = started.elapsed();
        while !frames.last().is_some_and(|frame| is_step2(frame)) {
            frames.push(connection.frame().await?);
        }
        Ok((loaded, started.elapsed(), frames))
    })
    .await?;
    let replica = Replica::load(1, AsideLimits::default(), frames.iter().filter_map(|frame| state(frame)))?;
    ensure!(replica.digest() == digest, "the map that was opened is not the one that was written");
    Ok(Opened { upgraded, loaded, received })
}

/// A server on a copy of `data` that is not in memory. The copy goes with the guard.
async fn start(args: &Args, data: &Path) -> anyhow::Result<(tempfile::TempDir, Server)> {
    let place = tempfile::tempdir_in(&args.folder)?;
    let copy = place.path().join("data");
    folder::copy(data, &copy)?;
    folder::evict(&copy)?;
    let server = Server::start(&args.binary, &copy).await?;
    Ok((place, server))
}

/// Whether a frame ends the answer to a question for the state.
fn is_step2(frame: &[u8]) -> bool {
    matches!(message::parse(frame), Ok(Message::Sync(SyncMessage::Step2(_))))
}

/// The state in a frame, or the part of it: a large map comes as several updates and a `SyncStep2`.
fn state(frame: &[u8]) -> Option<&[u8]> {
    match message::parse(frame) {
        Ok(Message::Sync(SyncMessage::Update(state) | SyncMessage::Step2(state))) => Some(state),
        _ => None,
    }
}
