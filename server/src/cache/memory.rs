//! The first tier: in this process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use moka::{Expiry, policy::EvictionPolicy, sync::Cache};

use super::entry::Entry;

/// What an entry costs beside its key and value.
const OVERHEAD_BYTES: usize = 256;

/// Entries in memory, as many as fit.
#[derive(Debug)]
pub(super) struct Memory(Cache<Arc<str>, Held>);

#[derive(Clone, Debug)]
struct Held {
    entry: Entry,
    lasts: Duration,
}

struct Lasting;

impl Memory {
    pub fn new(bytes_max: usize) -> Self {
        let weigh = |key: &Arc<str>, held: &Held| {
            let bytes = OVERHEAD_BYTES + key.len() + held.entry.packed.len();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .max_capacity(bytes_max as u64)
            .weigher(weigh)
            .expire_after(Lasting)
            // What was put is there next, however seldom it is asked for: followers rely on it.
            .eviction_policy(EvictionPolicy::lru());
        Self(cache.build())
    }

    pub fn get(&self, key: &str, now: Timestamp) -> Option<Entry> {
        self.0.get(key).map(|held| held.entry).filter(|entry| !entry.is_over(now))
    }

    pub fn put(&self, key: &str, entry: Entry, now: Timestamp) {
        let lasts = entry.left(now);
        self.0.insert(key.into(), Held { entry, lasts });
        // Else what is too much stays until enough has been written.
        self.0.run_pending_tasks();
    }

    pub fn remove(&self, key: &str) {
        self.0.invalidate(key);
    }

    /// Returns how many there were.
    pub fn clear(&self) -> u64 {
        self.0.run_pending_tasks();
        let count = self.0.entry_count();
        self.0.invalidate_all();
        self.0.run_pending_tasks();
        count
    }

    pub fn bytes(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.weighted_size()
    }
}

impl Expiry<Arc<str>, Held> for Lasting {
    fn expire_after_create(&self, _key: &Arc<str>, held: &Held, _at: Instant) -> Option<Duration> {
        Some(held.lasts)
    }

    fn expire_after_update(
        &self,
        _key: &Arc<str>,
        held: &Held,
        _at: Instant,
        _left: Option<Duration>,
    ) -> Option<Duration> {
        Some(held.lasts)
    }
}
