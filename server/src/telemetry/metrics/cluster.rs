//! How maps are kept the same on several nodes.

use metrics::{Counter, counter, describe_counter};

use crate::room::state::Tally;

/// Handles of these metrics.
pub struct ClusterMetrics {
    gaps: Counter,
    repairs: Counter,
    divergences: Counter,
    /// Readings of the store that found what the bus had not brought.
    pub catch_ups: Counter,
}

impl ClusterMetrics {
    pub(super) fn install() -> Self {
        describe_counter!("synapti_bus_gaps_total", "Updates of other nodes that were found to be missing");
        describe_counter!("synapti_bus_repairs_total", "Answers of other nodes that closed a gap, or would have");
        describe_counter!(
            "synapti_bus_divergences_total",
            "Times that a map differed from another node's that had heard the same"
        );
        describe_counter!(
            "synapti_store_catch_ups_total",
            "Readings of the store that found what the bus had not brought"
        );
        Self {
            gaps: counter!("synapti_bus_gaps_total"),
            repairs: counter!("synapti_bus_repairs_total"),
            divergences: counter!("synapti_bus_divergences_total"),
            catch_ups: counter!("synapti_store_catch_ups_total"),
        }
    }

    /// Notes what a room has found.
    pub fn tally(&self, tally: Tally) {
        match tally {
            Tally::Gap => self.gaps.increment(1),
            Tally::Repair => self.repairs.increment(1),
            Tally::Divergence => self.divergences.increment(1),
        }
    }
}
