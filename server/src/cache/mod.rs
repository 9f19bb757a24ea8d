//! Answers that are kept: in memory, on disk, and in Redis for all nodes. Any of them may fail; then the next one is asked.
//!
//! A look-up goes down until it finds something, and what it finds is put into the tiers above. [`Cache::put`] writes memory
//! at once, and the rest behind one bounded queue.

mod disk;
mod entry;
mod flight;
mod folder;
mod format;
mod index;
mod memory;
mod writer;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use entry::{TTL_MAX, VALUE_BYTES_MAX};
pub use flight::{Flight, LeadGuard};

use self::{
    disk::Disk,
    entry::Entry,
    flight::Flights,
    format::KeyHash,
    memory::Memory,
    writer::{Depths, Writer},
};
use crate::{
    bus::{SharedCache, SharedCacheState},
    clock::Clock,
    telemetry::metrics::{self, Tier},
};

/// What a cache is made of.
#[derive(Debug)]
pub struct CacheParts {
    /// Bytes in memory; 0 = none.
    pub memory_bytes_max: usize,
    /// Bytes on disk; 0 = none.
    pub disk_bytes_max: u64,
    /// Where on disk.
    pub folder: PathBuf,
    /// What all nodes share, if there may be others.
    pub shared: Option<SharedCache>,
    /// Tells what is over.
    pub clock: Clock,
}

/// Answers that are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    memory: Option<Memory>,
    depths: Arc<Depths>,
    writer: Writer,
    flights: Flights,
    clock: Clock,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How many entries were removed, tier by tier. Of several nodes each has its own memory and disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// From memory.
    pub memory: u64,
    /// From disk.
    pub disk: u64,
    /// From Redis.
    pub shared: u64,
}

/// How a cache is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CacheStats {
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Look-ups that were answered since the start.
    pub hits: u64,
    /// Look-ups that were not.
    pub misses: u64,
    /// Whether the disk does what it should; true without one.
    pub is_disk_well: bool,
    /// How the tier is that nodes share.
    pub shared: SharedCacheState,
}

impl Cache {
    /// Begins to read what is on disk, and to write behind; until `stop`.
    pub fn start(parts: CacheParts, tracker: &TaskTracker, stop: CancellationToken) -> Self {
        let CacheParts { memory_bytes_max, disk_bytes_max, folder, shared, clock } = parts;
        let disk = (disk_bytes_max > 0).then(|| Disk::new(folder, disk_bytes_max, clock.clone()));
        let depths = Arc::new(Depths::new(disk, shared, clock.clone()));
        let writer = Writer::start(depths.clone(), tracker, stop);
        Self(Arc::new(Inner {
            memory: (memory_bytes_max > 0).then(|| Memory::new(memory_bytes_max)),
            depths,
            writer,
            flights: Flights::default(),
            clock,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }))
    }

    /// What is kept under a key, from the nearest tier that has it.
    pub async fn get(&self, key: &str) -> Option<Bytes> {
        if let Some(value) = self.get_from_memory(key) {
            return Some(value);
        }
        let era = self.0.writer.era();
        let name = KeyHash::of(key);
        let now = self.0.clock.now();
        let found = match self.0.depths.disk_entry(name).await.and_then(|entry| Some((entry.value()?, entry))) {
            Some(found) => Some((Tier::Disk, found)),
            None => self.shared_entry(name).await.map(|found| (Tier::Shared, found)),
        };
        let Some((tier, (value, entry))) = found else {
            self.0.misses.fetch_add(1, Ordering::Relaxed);
            metrics::get().cache.miss();
            return None;
        };
        self.hit(tier);
        self.put_into_memory(key, &entry, now, era);
        if tier == Tier::Shared {
            self.0.writer.put_on_disk(name, entry);
        }
        Some(value)
    }

    /// The same, at once and from memory alone. That something is not there counts as no look-up: [`Cache::get`] is next.
    pub fn get_from_memory(&self, key: &str) -> Option<Bytes> {
        let value = self.peek(key)?;
        self.hit(Tier::Memory);
        Some(value)
    }

    /// Keeps a value for so long. It is in memory at once; disk and Redis follow.
    #[expect(clippy::unused_async, reason = "callers need not change when it has to wait one day")]
    pub async fn put(&self, key: &str, value: Bytes, ttl: Duration) {
        let now = self.0.clock.now();
        let era = self.0.writer.era();
        let Some(entry) = Entry::new(value, ttl, now) else { return };
        self.put_into_memory(key, &entry, now, era);
        self.0.writer.put(KeyHash::of(key), entry);
    }

    /// Asks who fetches what is not there. Wait for it as long as you like, and no longer: it is cancel-safe.
    pub async fn flight(&self, key: &str) -> Flight {
        let flight = self.0.flights.board(key).await;
        if let Flight::Lead(_) = &flight {
            // Somebody may have landed between the look-up and now.
            if let Some(value) = self.peek(key) {
                return Flight::Follow(Some(value));
            }
        }
        flight
    }

    /// Removes everything, from all tiers.
    pub async fn clear(&self) -> Cleared {
        let removing = self.0.writer.begin_clear().await;
        let memory = self.0.memory.as_ref().map_or(0, Memory::clear);
        let (disk, shared) = self.0.depths.clear().await;
        drop(removing);
        Cleared { memory, disk, shared }
    }

    /// How it is.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            memory_bytes: self.0.memory.as_ref().map_or(0, Memory::bytes),
            disk_bytes: self.0.depths.disk_bytes(),
            hits: self.0.hits.load(Ordering::Relaxed),
            misses: self.0.misses.load(Ordering::Relaxed),
            is_disk_well: self.0.depths.is_disk_well(),
            shared: self.0.depths.shared_state(),
        }
    }

    fn peek(&self, key: &str) -> Option<Bytes> {
        self.0.memory.as_ref()?.get(key, self.0.clock.now())?.value()
    }

    fn hit(&self, tier: Tier) {
        self.0.hits.fetch_add(1, Ordering::Relaxed);
        metrics::get().cache.hit(tier);
    }

    async fn shared_entry(&self, name: KeyHash) -> Option<(Bytes, Entry)> {
        let entry = self.0.depths.shared_entry(name).await?;
        Some((entry.value()?, entry))
    }

    /// Not when everything was removed since `era`: what was read before is not wanted any more.
    fn put_into_memory(&self, key: &str, entry: &Entry, now: jiff::Timestamp, era: u64) {
        let Some(memory) = &self.0.memory else { return };
        memory.put(key, entry.clone(), now);
        if self.0.writer.era() != era {
            memory.remove(key);
        }
    }
}

impl CacheStats {
    /// Share of look-ups that were answered; 0 before the first.
    pub fn hit_rate(&self) -> f64 {
        let lookups = self.hits + self.misses;
        if lookups == 0 { 0.0 } else { self.hits as f64 / lookups as f64 }
    }
}

#[cfg(test)]
mod tests;
