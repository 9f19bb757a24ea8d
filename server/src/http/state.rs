//! What handlers work with.

use std::{fmt, sync::Arc};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    ai::jobs::Jobs,
    auth::Authenticator,
    breaker::Breakers,
    bus::SharedBus,
    cache::Cache,
    clock::Clock,
    config::Config,
    history::History,
    hub::Hub,
    journal::Journal,
    limits::{address::AddressKey, requests::RequestRate, strain::Strain},
    store::SharedStore,
    telemetry::metrics::Stopwatch,
    transport::gate::Gate,
};

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Requester {
    /// A user.
    Client(Box<str>),
    /// Whoever speaks from an address.
    Address(AddressKey),
}

impl fmt::Display for Requester {
    /// The same on every node, and never the same for two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => write!(f, "client {client}"),
            Self::Address(address) => write!(f, "address {address}"),
        }
    }
}

/// Everything that a handler may use. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The rooms.
    pub hub: Hub,
    /// What lets clients in.
    pub gate: Gate,
    /// Versions of maps.
    pub history: History,
    /// Where maps are kept; handlers only list and ask how it is.
    pub store: SharedStore,
    /// The way to other nodes; handlers only ask how it is.
    pub bus: SharedBus,
    /// Answers of the AI that are kept.
    pub cache: Cache,
    /// What guards calls to other programs.
    pub breakers: Breakers,
    /// The group commit; handlers only ask how it is.
    pub journal: Journal,
    /// Who somebody is.
    pub auth: Authenticator,
    /// The AI's jobs.
    pub jobs: Jobs,
    /// The settings.
    pub config: Arc<Config>,
    /// Cancelled when the process begins to drain.
    pub draining: CancellationToken,
    /// Whether the store answered when it was asked last.
    pub store_up: watch::Receiver<bool>,
    /// Whether the node is overloaded.
    pub strain: Strain,
    /// How many requests each client has made lately, on all nodes.
    pub requests: Arc<RequestRate<Requester>>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Runs since the start of the process.
    pub uptime: Stopwatch,
}
