//! Nodes that share a bus, of either kind.

use std::sync::Arc;

use synapti_protocol::envelope::NodeId;
use synapti_server::bus::{
    Bus, BusState, Exchange, SharedBus,
    redis::{Address, RedisBus, RedisOptions},
};
use uuid::Uuid;

use crate::{PATIENCE, eventually, server::RedisServer};

/// What nodes share.
pub enum Way {
    Memory(Exchange),
    Redis { url: String, identity: Uuid, _server: Option<RedisServer> },
}

impl Way {
    pub fn memory() -> Self {
        Self::Memory(Exchange::default())
    }

    /// A server of the test's own, or the one that the environment names.
    pub async fn redis() -> Self {
        let identity = Uuid::now_v7();
        if let Ok(url) = std::env::var("TEST_REDIS_URL") {
            return Self::Redis { url, identity, _server: None };
        }
        let server = RedisServer::start().await;
        Self::Redis { url: server.url(), identity, _server: Some(server) }
    }

    pub async fn node(&self) -> SharedBus {
        match self {
            Self::Memory(exchange) => Arc::new(exchange.node(node_id())),
            Self::Redis { url, identity, .. } => Arc::new(node(url, *identity).await),
        }
    }
}

/// A node that is up.
pub async fn node(url: &str, identity: Uuid) -> RedisBus {
    let bus = starting(url, identity).await;
    is_up(&bus).await;
    bus
}

/// A node that may not be.
pub async fn starting(url: &str, identity: Uuid) -> RedisBus {
    let address = Address::parse(url).unwrap();
    RedisBus::start(RedisOptions { address, ca_file: None, identity, node: node_id() }).await.unwrap()
}

pub async fn is_up(bus: &RedisBus) {
    eventually("the bus is up", PATIENCE, async || bus.health().state == BusState::Up).await;
}

pub async fn is_away(bus: &RedisBus) {
    eventually("the bus is away", PATIENCE, async || bus.health().state == BusState::Away).await;
}

pub fn node_id() -> NodeId {
    NodeId(rand::random::<u64>() >> 11)
}
