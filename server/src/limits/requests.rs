//! Requests per second of one client: what this node counts, and then what all nodes count together.

use std::{fmt::Display, hash::Hash};

use super::{
    keyed::{ComeBackAfter, KeyedRate},
    rate::BURST_SECONDS,
};
use crate::bus::SharedLimits;

/// For each client so much a second, and a burst.
#[derive(Debug)]
pub struct RequestRate<K: Hash + Eq + Clone> {
    per_second: u32,
    here: KeyedRate<K>,
    everywhere: Option<SharedLimits>,
}

impl<K: Hash + Eq + Clone + Display> RequestRate<K> {
    /// So much a second for each, on all nodes if there are others; 0 = no limit.
    pub fn new(per_second: u32, everywhere: Option<SharedLimits>) -> Self {
        Self { per_second, here: KeyedRate::new(per_second), everywhere: everywhere.filter(|_| per_second > 0) }
    }

    /// Takes one. Whoever is too fast for this node alone costs the others nothing.
    ///
    /// # Errors
    /// When to come back.
    pub async fn take(&self, key: &K) -> Result<(), ComeBackAfter> {
        self.here.take(key)?;
        let Some(everywhere) = &self.everywhere else { return Ok(()) };
        let burst = self.per_second.saturating_mul(BURST_SECONDS);
        // Where nobody can be asked, this node's word stands.
        everywhere.take(&key.to_string(), self.per_second, burst).await.unwrap_or(Ok(())).map_err(ComeBackAfter)
    }
}
