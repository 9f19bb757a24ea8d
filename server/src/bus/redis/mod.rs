//! The bus over Redis: publish and subscribe, which is fast and loses what it likes.
//!
//! One task ([`supervisor`]) holds two connections, one that listens and one that publishes, and makes them anew when they are
//! lost. Redis 6.2 or newer, or a Redis Cluster of version 7 or newer, where rooms spread over the shards.

mod address;
mod cache;
mod connect;
mod ears;
mod limits;
mod line;
mod names;
mod nodes;
mod outbox;
mod probes;
mod rooms;
mod supervisor;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use synapti_protocol::{
    envelope::{Envelope, Message, NodeId, NodeMessage},
    graph_id::GraphId,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub use address::{Address, TAKES};
pub use cache::{SHARED_CACHE_BREAKER, SharedCache, SharedCacheState};
pub use limits::{Admission, Lease, SharedLimits};

use self::{
    limits::Leases,
    line::Line,
    names::{Channel, Names},
    nodes::Nodes,
    outbox::Outbox,
    probes::Probes,
    rooms::Rooms,
};
use super::{Bus, BusHealth, BusState, Link, inbox};
use crate::telemetry::metrics;

/// How long a room waits until others are heard.
const JOINED_WITHIN: Duration = Duration::from_secs(1);

/// How long the end may take: what waits is published, and that the node goes.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// What a bus over Redis is made of.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// Where Redis is.
    pub address: Address,
    /// Certificates (PEM) to trust instead of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Of the store: only nodes with the same one hear each other.
    pub identity: Uuid,
    /// This run of the program.
    pub node: NodeId,
}

/// A bus over Redis.
#[derive(Debug)]
pub struct RedisBus {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificates in {} (SYNAPTI_REDIS_CA_FILE) cannot be used: {what}", path.display())]
pub struct CaFileError {
    path: PathBuf,
    what: String,
}

/// What the parts of the bus share.
struct Shared {
    node: NodeId,
    address: Address,
    authorities: Option<Vec<u8>>,
    names: Names,
    rooms: Rooms,
    nodes: Mutex<Nodes>,
    outbox: Outbox,
    leases: Leases,
    probes: Probes,
    state: watch::Sender<State>,
    /// The connection that publishes, while there is one.
    line: Mutex<Option<Line>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The first attempt has not ended.
    Starting,
    Up,
    /// Why.
    Away(String),
}

impl RedisBus {
    /// Begins to connect, and tries again for ever.
    ///
    /// # Errors
    /// When the certificates to trust cannot be used.
    pub async fn start(options: RedisOptions) -> Result<Self, CaFileError> {
        let RedisOptions { address, ca_file, identity, node } = options;
        let authorities = match ca_file {
            Some(path) => Some(read_authorities(&address, path).await?),
            None => None,
        };
        let shared = Arc::new(Shared {
            node,
            address,
            authorities,
            names: Names::new(identity),
            rooms: Rooms::default(),
            nodes: Mutex::default(),
            outbox: Outbox::default(),
            leases: Leases::default(),
            probes: Probes::default(),
            state: watch::Sender::new(State::Starting),
            line: Mutex::new(None),
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(supervisor::run(shared.clone(), stop.clone()));
        tasks.close();
        Ok(Self { shared, stop, tasks })
    }

    /// What the nodes count together over the same Redis.
    pub fn limits(&self) -> SharedLimits {
        SharedLimits::new(self.shared.clone())
    }

    /// Answers that the nodes share over the same Redis.
    pub fn cache(&self) -> SharedCache {
        SharedCache::new(self.shared.clone())
    }

    /// Waits until the first attempt to connect has ended; says why when it has failed.
    ///
    /// # Errors
    /// Why there is no connection, without secrets.
    pub async fn first_attempt(&self) -> Result<(), String> {
        let mut state = self.shared.state.subscribe();
        match state.wait_for(|state| *state != State::Starting).await.as_deref() {
            Ok(State::Away(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

/// Begins a certificate. A file without any would trust nobody.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

async fn read_authorities(address: &Address, path: PathBuf) -> Result<Vec<u8>, CaFileError> {
    let wrong = |what: String| CaFileError { path: path.clone(), what };
    let authorities = tokio::fs::read(&path).await.map_err(|error| wrong(error.to_string()))?;
    address.client(Some(&authorities)).map_err(|error| wrong(error.to_string()))?;
    if !authorities.windows(CERTIFICATE.len()).any(|text| text == CERTIFICATE) {
        return Err(wrong("there is no certificate in it (PEM is expected)".to_owned()));
    }
    Ok(authorities)
}

#[async_trait]
impl Bus for RedisBus {
    fn node(&self) -> NodeId {
        self.shared.node
    }

    async fn join(&self, room: &GraphId) -> Link {
        let (inbox, mail) = inbox();
        let (number, mut is_joined) = self.shared.rooms.enter(room, inbox);
        let (shared, left) = (self.shared.clone(), room.clone());
        // Before anything is waited for: whoever gives up drops the link.
        let link = Link::new(mail, move || shared.rooms.leave(&left, number, Instant::now()));
        let mut state = self.shared.state.subscribe();
        let heard = async {
            tokio::select! {
                _ = is_joined.wait_for(|is_joined| *is_joined) => {}
                _ = state.wait_for(|state| matches!(state, State::Away(_))) => {}
            }
        };
        let _ = timeout(JOINED_WITHIN, heard).await;
        link
    }

    fn publish(&self, room: &GraphId, envelope: Bytes) {
        self.shared.outbox.put(Channel::Room(room.clone()), envelope);
    }

    fn send(&self, node: NodeId, _room: &GraphId, envelope: Bytes) {
        self.shared.outbox.put(Channel::Node(node), envelope);
    }

    fn health(&self) -> BusHealth {
        let nodes = self.shared.nodes.lock().count();
        match &*self.shared.state.borrow() {
            State::Up => BusHealth { state: BusState::Up, nodes, last_error: None },
            State::Starting => BusHealth { state: BusState::Away, nodes: 0, last_error: None },
            State::Away(error) => BusHealth { state: BusState::Away, nodes: 0, last_error: Some(error.clone()) },
        }
    }

    async fn close(&self) {
        self.stop.cancel();
        let _ = timeout(CLOSED_WITHIN, self.tasks.wait()).await;
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    /// There is a connection.
    fn gain(&self, publishing: Line) {
        *self.line.lock() = Some(publishing);
        self.nodes.lock().hear_again(Instant::now());
        self.outbox.open();
        self.state.send_replace(State::Up);
        metrics::get().bus.up.set(1.0);
    }

    /// There is none any more.
    fn lose(&self) {
        *self.line.lock() = None;
        self.outbox.close();
        self.rooms.lost();
        metrics::get().bus.up.set(0.0);
        metrics::get().bus.nodes.set(0.0);
    }

    /// Tells all nodes something about this one.
    fn say(&self, message: NodeMessage<'_>) {
        let envelope = Envelope { node: self.node, message: Message::Node(message) };
        self.outbox.put(Channel::All, envelope.encode().into());
    }

    /// Tells rooms which nodes give no sign of life any more.
    fn forget_gone(&self) {
        let (gone, count) = {
            let mut nodes = self.nodes.lock();
            (nodes.take_gone(Instant::now()), nodes.count())
        };
        metrics::get().bus.nodes.set(count as f64);
        for node in gone {
            tracing::warn!(%node, "another node gives no sign of life any more");
            self.rooms.gone(node);
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("node", &self.node).field("address", &self.address).finish_non_exhaustive()
    }
}
