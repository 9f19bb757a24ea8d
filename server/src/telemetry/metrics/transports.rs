//! Clients that are served without a WebSocket.

use metrics::{Gauge, describe_gauge, gauge};

/// How many there are now.
#[derive(Clone)]
pub struct Present(Gauge);

/// One of them; dropping it says that it has gone.
pub struct PresentGuard(Gauge);

impl Present {
    fn of(name: &'static str, description: &'static str) -> Self {
        describe_gauge!(name, description);
        let gauge = gauge!(name);
        gauge.set(0.0);
        Self(gauge)
    }

    /// One more.
    pub fn begin(&self) -> PresentGuard {
        self.0.increment(1.0);
        PresentGuard(self.0.clone())
    }
}

impl Drop for PresentGuard {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Polls and streams.
pub struct TransportMetrics {
    /// Requests that wait for a change.
    pub polls_waiting: Present,
    /// Open event streams.
    pub sse_streams: Present,
}

impl TransportMetrics {
    pub(super) fn new() -> Self {
        Self {
            polls_waiting: Present::of("synapti_polls_waiting", "Requests that wait for a map to change"),
            sse_streams: Present::of("synapti_sse_streams", "Open event streams"),
        }
    }
}
