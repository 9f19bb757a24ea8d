//! What every transport asks before it lets a client in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use synapti_protocol::close::CloseCode;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    hub::Hub,
    limits::connections::{ConnectionPermit, Connections},
    room::Refusal,
    session::SessionLimits,
    transport::visitor::Visitor,
};

/// Time between two sessions that are sent away when the node goes, unless the grace time is too short for it.
const DEPART_EVERY: Duration = Duration::from_millis(1);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Hub,
    connections: Connections,
    limits: SessionLimits,
    sessions: AtomicU64,
    drain_within: Duration,
    draining: CancellationToken,
    tracker: TaskTracker,
}

/// A client that was let in; dropping it frees its place.
#[derive(Debug)]
pub struct Admitted {
    _place: ConnectionPermit,
}

impl Gate {
    /// A gate in front of `hub`. Nobody is let in once `draining` is cancelled.
    pub fn new(
        hub: Hub,
        connections: Connections,
        limits: SessionLimits,
        drain_within: Duration,
        draining: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        let sessions = AtomicU64::new(1);
        Self(Arc::new(Inner { hub, connections, limits, sessions, drain_within, draining, tracker }))
    }

    /// Lets a client in.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, visitor: &Visitor) -> Result<Admitted, Refusal> {
        if self.0.draining.is_cancelled() {
            return Err(Refusal::new(CloseCode::Restarting, CloseCode::Restarting.reason()));
        }
        let Some(place) = self.0.connections.admit(visitor.ip, visitor.access.client()) else {
            let reason = format!("this node serves its limit of {} connections", self.0.connections.max());
            return Err(Refusal::new(CloseCode::AtCapacity, reason));
        };
        Ok(Admitted { _place: place })
    }

    /// A number for a session; zero is the store's.
    pub fn next_session(&self) -> u64 {
        self.0.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// Where the rooms are.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// Bounds of sessions.
    pub fn session_limits(&self) -> SessionLimits {
        self.0.limits
    }

    /// When it is a session's turn to end, now that the node goes: all at once, its clients would come back somewhere
    /// else all at once.
    pub fn departs_within(&self) -> Duration {
        let all_within = (DEPART_EVERY * self.0.connections.open() as u32).min(self.0.drain_within.mul_f64(0.8));
        all_within.mul_f64(rand::random())
    }

    /// Counts what shutdown waits for.
    pub fn tracker(&self) -> &TaskTracker {
        &self.0.tracker
    }
}
