//! A bus that loses, repeats and delays, as buses may.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use synapti_protocol::{envelope::NodeId, graph_id::GraphId};
use synapti_server::bus::{Bus, BusHealth, Link, SharedBus};

/// How likely each fault is, from 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub lost: f64,
    pub repeated: f64,
    /// Comes after the next one that is published.
    pub late: f64,
}

/// A bus that does harm to what its own node says.
pub struct FaultyBus {
    bus: SharedBus,
    state: Mutex<State>,
}

struct State {
    faults: Faults,
    chance: StdRng,
    late: Option<(GraphId, Bytes)>,
}

impl FaultyBus {
    pub fn new(bus: SharedBus, faults: Faults, seed: u64) -> Self {
        Self { bus, state: Mutex::new(State { faults, chance: StdRng::seed_from_u64(seed), late: None }) }
    }

    /// No more faults.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.faults = Faults::default();
        if let Some((room, envelope)) = state.late.take() {
            self.bus.publish(&room, envelope);
        }
    }
}

impl fmt::Debug for FaultyBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyBus({:?})", self.bus)
    }
}

#[async_trait]
impl Bus for FaultyBus {
    fn node(&self) -> NodeId {
        self.bus.node()
    }

    async fn join(&self, room: &GraphId) -> Link {
        self.bus.join(room).await
    }

    fn publish(&self, room: &GraphId, envelope: Bytes) {
        let mut state = self.state.lock();
        let Faults { lost, repeated, late } = state.faults;
        if state.chance.random_bool(lost) {
            return;
        }
        if state.late.is_none() && state.chance.random_bool(late) {
            state.late = Some((room.clone(), envelope));
            return;
        }
        let times = if state.chance.random_bool(repeated) { 2 } else { 1 };
        (0..times).for_each(|_| self.bus.publish(room, envelope.clone()));
        if let Some((room, envelope)) = state.late.take() {
            self.bus.publish(&room, envelope);
        }
    }

    fn send(&self, node: NodeId, room: &GraphId, envelope: Bytes) {
        self.bus.send(node, room, envelope);
    }

    fn health(&self) -> BusHealth {
        self.bus.health()
    }

    async fn close(&self) {
        self.bus.close().await;
    }
}
