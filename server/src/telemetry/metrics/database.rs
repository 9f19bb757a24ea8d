//! Connections to the database.

use metrics::{Gauge, describe_gauge, gauge};

use crate::store::PoolSize;

/// Handles of these metrics.
pub struct DatabaseMetrics {
    open: Gauge,
    in_use: Gauge,
    max: Gauge,
}

impl DatabaseMetrics {
    pub(super) fn install() -> Self {
        describe_gauge!("database_pool_size", "Open connections to the database");
        describe_gauge!("database_pool_in_use", "Open connections to the database that are at work");
        describe_gauge!("database_pool_max", "Connections to the database that there may be");
        let metrics = Self {
            open: gauge!("database_pool_size"),
            in_use: gauge!("database_pool_in_use"),
            max: gauge!("database_pool_max"),
        };
        metrics.note(PoolSize::default());
        metrics
    }

    /// Notes how many there are.
    pub fn note(&self, PoolSize { open, idle, max }: PoolSize) {
        self.open.set(open);
        self.in_use.set(open.saturating_sub(idle));
        self.max.set(max);
    }
}
