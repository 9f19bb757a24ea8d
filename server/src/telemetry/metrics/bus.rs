//! What the bus between nodes carries.

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// Why something on a channel of nodes was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Somebody else's.
    Foreign,
    /// Broken or cut off.
    Damaged,
    /// Of a newer version of the program.
    Newer,
}

const IGNORED: [&str; 3] = ["foreign", "damaged", "newer"];

/// Why something was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// There was no connection.
    Away,
    /// Too much waited already.
    Full,
    /// Redis did not confirm it.
    Failed,
}

const DROPPED: [&str; 3] = ["away", "full", "failed"];

/// Handles of the bus's metrics.
pub struct BusMetrics {
    /// 1 while it carries.
    pub up: Gauge,
    /// Other nodes that are alive.
    pub nodes: Gauge,
    /// Connections that were made anew.
    pub reconnects: Counter,
    /// Messages that Redis has confirmed.
    pub published: Counter,
    /// Messages of other nodes.
    pub received: Counter,
    /// Leases of connections that Redis refused to keep.
    pub refused: Counter,
    ignored: [Counter; IGNORED.len()],
    dropped: [Counter; DROPPED.len()],
}

impl BusMetrics {
    pub(super) fn install() -> Self {
        describe_gauge!("synapti_bus_up", "1 while the bus between nodes carries messages, else 0");
        describe_gauge!("synapti_bus_nodes", "Other nodes that give signs of life");
        describe_counter!("synapti_bus_reconnects_total", "Connections to Redis that were made anew after a loss");
        describe_counter!("synapti_bus_published_total", "Messages to other nodes that Redis has taken");
        describe_counter!("synapti_bus_received_total", "Messages of other nodes");
        describe_counter!(
            "synapti_leases_refused_total",
            "Times that Redis refused to keep what connections clients have, so that each node counts its own"
        );
        describe_counter!("synapti_bus_ignored_total", Unit::Count, "Messages that were not understood, by reason");
        describe_counter!("synapti_bus_dropped_total", Unit::Count, "Messages that were not published, by reason");
        let metrics = Self {
            up: gauge!("synapti_bus_up"),
            nodes: gauge!("synapti_bus_nodes"),
            reconnects: counter!("synapti_bus_reconnects_total"),
            published: counter!("synapti_bus_published_total"),
            received: counter!("synapti_bus_received_total"),
            refused: counter!("synapti_leases_refused_total"),
            ignored: IGNORED.map(|why| counter!("synapti_bus_ignored_total", "why" => why)),
            dropped: DROPPED.map(|why| counter!("synapti_bus_dropped_total", "why" => why)),
        };
        metrics.up.increment(0.0);
        metrics.nodes.increment(0.0);
        metrics
    }

    /// Notes a message that was ignored.
    pub fn ignored(&self, why: Ignored) {
        self.ignored[why as usize].increment(1);
    }

    /// Notes messages that were not published.
    pub fn dropped(&self, why: Dropped, count: usize) {
        self.dropped[why as usize].increment(count as u64);
    }
}
