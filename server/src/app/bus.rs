//! The bus that the settings ask for.

use std::sync::Arc;

use anyhow::bail;
use synapti_protocol::envelope::NodeId;
use uuid::Uuid;

use crate::{
    bus::{
        BusState, MemoryBus, SharedBus, SharedCache, SharedLimits,
        redis::{RedisBus, RedisOptions},
    },
    config::{Config, RedisAtStart},
};

/// Numbers in envelopes have so many bits.
const NODE_BITS: u32 = 53;

/// The bus, and what goes over the same Redis, if there is one.
pub(super) struct Started {
    pub bus: SharedBus,
    pub limits: Option<SharedLimits>,
    pub cache: Option<SharedCache>,
}

/// Begins to connect, and waits for how the first attempt ends.
pub(super) async fn start(config: &Config, identity: Uuid) -> anyhow::Result<Started> {
    let Some(address) = config.redis_url.clone() else {
        return Ok(Started { bus: Arc::new(MemoryBus::alone()), limits: None, cache: None });
    };
    let node = NodeId(rand::random::<u64>() >> (u64::BITS - NODE_BITS));
    let ca_file = config.redis.ca_file.clone();
    let bus = RedisBus::start(RedisOptions { address: address.clone(), ca_file, identity, node }).await?;
    let attempt = bus.first_attempt().await;
    if let (Err(error), RedisAtStart::Fail) = (attempt, config.redis.at_start) {
        bail!(
            "cannot use Redis at {address} (SYNAPTI_REDIS_URL): {error}. Not starting without it, because \
             SYNAPTI_REDIS_AT_START is `fail`"
        );
    }
    let (limits, cache) = (bus.limits(), bus.cache());
    Ok(Started { bus: Arc::new(bus), limits: Some(limits), cache: Some(cache) })
}

/// What the bus is, for the log.
pub(super) fn describe(config: &Config, bus: &SharedBus) -> String {
    match (&config.redis_url, bus.health().state) {
        (None, _) => "off: one node".to_owned(),
        (Some(address), BusState::Up) => format!("Redis at {address}"),
        (Some(address), _) => format!("Redis at {address}, which is tried again: alone for now"),
    }
}
