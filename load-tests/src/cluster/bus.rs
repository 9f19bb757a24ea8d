//! What the nodes say of the bus between them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep};

use crate::{http::counter, server::Server, subject::Subject};

/// How long nodes may take to hear of each other.
const MET_WITHIN: Duration = Duration::from_secs(15);
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// What is counted, and how people call it.
const COUNTERS: [(&str, &str); 6] = [
    ("synapti_bus_published_total", "sent over the bus"),
    ("synapti_bus_received_total", "received over the bus"),
    ("synapti_bus_gaps_total", "gaps on the bus"),
    ("synapti_bus_repairs_total", "repairs from another node"),
    ("synapti_bus_divergences_total", "divergences"),
    ("synapti_store_catch_ups_total", "repairs from the store"),
];

/// Counters of all nodes together: totals, or the difference of two looks.
#[derive(Debug, Clone, Copy)]
pub struct Counts([f64; COUNTERS.len()]);

/// Waits until each node knows of all others.
pub async fn meet(servers: &[Server]) -> anyhow::Result<()> {
    let begun = Instant::now();
    for (node, server) in servers.iter().enumerate() {
        let others = servers.len() - 1;
        while !knows(server.authority(), others as f64).await.with_context(|| format!("node {}", node + 1))? {
            ensure!(
                begun.elapsed() < MET_WITHIN,
                "node {} does not know of {others} other node after {} s{}",
                node + 1,
                MET_WITHIN.as_secs(),
                server.last_words()
            );
            sleep(ASKED_EVERY).await;
        }
    }
    Ok(())
}

async fn knows(authority: &str, others: f64) -> anyhow::Result<bool> {
    let is_up = counter(authority, "synapti_bus_up").await? > 0.0;
    Ok(is_up && counter(authority, "synapti_bus_nodes").await? >= others)
}

impl Counts {
    /// What all nodes have counted so far.
    pub async fn of(subject: &Subject) -> anyhow::Result<Self> {
        let mut sums = [0.0; COUNTERS.len()];
        for address in subject.addresses() {
            let counted = try_join_all(COUNTERS.map(|(name, _)| counter(address.authority(), name))).await?;
            sums.iter_mut().zip(counted).for_each(|(sum, one)| *sum += one);
        }
        Ok(Self(sums))
    }

    /// With the names that people give them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f64)> {
        COUNTERS.iter().map(|(_, name)| *name).zip(self.0)
    }
}
