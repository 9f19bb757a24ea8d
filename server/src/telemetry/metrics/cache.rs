//! Answers that are kept, and what rooms keep for readers.

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

use super::rates::HitRate;

/// Where an answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// In this process.
    Memory,
    /// In a file.
    Disk,
    /// In Redis.
    Shared,
}

const TIERS: [&str; 3] = ["memory", "disk", "shared"];

/// Handles of these metrics.
pub struct CacheMetrics {
    /// Entries that were not written to disk and Redis, because too many waited.
    pub dropped: Counter,
    /// Files that were damaged.
    pub damaged: Counter,
    lookups: HitRate,
    hits: [Counter; TIERS.len()],
    bytes: [Gauge; 2],
    room_lookups: [Counter; 2],
}

impl CacheMetrics {
    pub(super) fn install() -> Self {
        describe_gauge!("cache_hit_rate", "Share of look-ups that the cache of the AI's answers had since the start");
        describe_counter!("synapti_cache_lookups_total", "Look-ups in the cache of the AI's answers, by result");
        describe_counter!("synapti_cache_hits_total", "Answers of the AI that were found, by the tier that had them");
        describe_gauge!("synapti_cache_bytes", Unit::Bytes, "Bytes of the AI's answers that are kept, by tier");
        describe_counter!(
            "synapti_cache_dropped_total",
            "Answers that are in memory alone, because too many waited to be written"
        );
        describe_counter!("synapti_cache_damaged_total", "Files of the cache that were damaged, and removed");
        describe_counter!(
            "synapti_room_cache_lookups_total",
            "Reads of open maps, by whether an encoded copy was there"
        );
        let metrics = Self {
            dropped: counter!("synapti_cache_dropped_total"),
            damaged: counter!("synapti_cache_damaged_total"),
            lookups: HitRate::new(
                gauge!("cache_hit_rate"),
                ["hit", "miss"].map(|result| counter!("synapti_cache_lookups_total", "result" => result)),
            ),
            hits: TIERS.map(|tier| counter!("synapti_cache_hits_total", "tier" => tier)),
            bytes: ["memory", "disk"].map(|tier| gauge!("synapti_cache_bytes", "tier" => tier)),
            room_lookups: ["hit", "miss"]
                .map(|result| counter!("synapti_room_cache_lookups_total", "result" => result)),
        };
        metrics.note_bytes(0, 0);
        metrics
    }

    /// Notes a look-up that found something.
    pub fn hit(&self, tier: Tier) {
        self.hits[tier as usize].increment(1);
        self.lookups.note(1, 0);
    }

    /// Notes one that did not.
    pub fn miss(&self) {
        self.lookups.note(0, 1);
    }

    /// Notes how much is kept.
    pub fn note_bytes(&self, memory: u64, disk: u64) {
        self.bytes[0].set(memory as f64);
        self.bytes[1].set(disk as f64);
    }

    /// Notes how often a room had what was asked for, and how often not.
    pub fn room_lookups(&self, hits: u32, misses: u32) {
        self.room_lookups[0].increment(hits.into());
        self.room_lookups[1].increment(misses.into());
    }
}
