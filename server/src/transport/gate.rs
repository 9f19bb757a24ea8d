//! What every transport asks before it lets a client in.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use synapti_protocol::close::CloseCode;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    connections::{ConnectionPermit, Connections},
    hub::Hub,
    room::Refusal,
    session::SessionLimits,
};

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hub: Hub,
    connections: Connections,
    limits: SessionLimits,
    sessions: AtomicU64,
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
        draining: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        let sessions = AtomicU64::new(1);
        Self(Arc::new(Inner { hub, connections, limits, sessions, draining, tracker }))
    }

    /// Lets a client in.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self) -> Result<Admitted, Refusal> {
        if self.0.draining.is_cancelled() {
            return Err(Refusal::new(CloseCode::Restarting, CloseCode::Restarting.reason()));
        }
        let Some(place) = self.0.connections.admit() else {
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

    /// Cancelled when the node goes.
    pub fn draining(&self) -> &CancellationToken {
        &self.0.draining
    }

    /// Counts what shutdown waits for.
    pub fn tracker(&self) -> &TaskTracker {
        &self.0.tracker
    }
}
