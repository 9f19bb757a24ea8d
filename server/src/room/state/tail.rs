//! The journal of one map since its last snapshot, and when it is time for the next.

use std::time::Duration;

use super::{Effect, Life, RoomState};
use crate::compaction::Compacted;

/// Records from which a tail is replaced by a snapshot, if it is also larger than the snapshot before it: the work of a
/// snapshot is in proportion to the map, and so is what has to be written until the next.
const TAIL_RECORDS_MIN: u32 = 500;

/// Records after which a tail is replaced though the snapshot is larger: each costs some microseconds when the map is opened.
const TAIL_RECORDS_MAX: u64 = 4_000;

/// So much of a snapshot takes as long to read as a record. The tail of a large map may take as long as its snapshot: to write
/// thirty megabytes again for every four thousand letters would be most of the work.
const SNAPSHOT_BYTES_PER_RECORD: u64 = 1024;

/// How long it may have taken to integrate the records of a tail: opening the map takes as long again. Some edits of a large
/// map take a thousand times as long as others.
const TAIL_TOOK_MAX: Duration = Duration::from_secs(5);

/// Records for which a snapshot is made when the last session has left.
const TAIL_RECORDS_WORTH_CLOSING: u32 = 64;

/// Bytes from which it is, on the same condition.
const TAIL_BYTES_MIN: u64 = 1 << 20;

/// Records that no snapshot covers yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tail {
    /// How many.
    pub records: u32,
    /// Their size.
    pub bytes: u64,
    /// Size of the snapshot before them.
    pub snapshot_bytes: u64,
    /// How long those that were made here took to integrate.
    pub took: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Compaction {
    pub(super) is_under_way: bool,
    /// After a failure, the tail's length at which to try again.
    pub(super) not_before_records: u32,
}

impl RoomState {
    /// A snapshot has taken the place of the tail that there was in the store, or could not.
    pub fn compacted(&mut self, done: Option<Compacted>) {
        self.compaction.is_under_way = false;
        if let Some(Compacted { records, bytes, snapshot_bytes, covers }) = done {
            // The store may have had records of which the room has not heard yet.
            let before = self.tail.records.max(1);
            self.tail.records = self.tail.records.saturating_sub(records);
            self.tail.bytes = self.tail.bytes.saturating_sub(bytes);
            self.forget_covered(covers);
            self.tail.took = self.tail.took.mul_f64(f64::from(self.tail.records) / f64::from(before));
            self.tail.snapshot_bytes = snapshot_bytes;
            self.compaction.not_before_records = 0;
            let in_flight: usize = self.in_flight.iter().map(|batch| batch.update_bytes).sum();
            self.size.bytes = (snapshot_bytes + self.tail.bytes) as usize + in_flight;
        } else {
            self.compaction.not_before_records = self.tail.records + TAIL_RECORDS_MIN;
        }
    }

    /// What was integrated last took so long.
    pub fn took(&mut self, took: Duration) {
        self.tail.took += took;
    }

    /// Where records are numbered one by one, others may have replaced what was counted here as well.
    fn forget_covered(&mut self, covers: u64) {
        if self.recorded() == 0 {
            return;
        }
        let left = u32::try_from(self.recorded().saturating_sub(covers)).unwrap_or(u32::MAX);
        if left < self.tail.records {
            let each = self.tail.bytes / u64::from(self.tail.records);
            self.tail.bytes = each * u64::from(left);
            self.tail.records = left;
        }
    }

    /// Nobody is here any more: replaces a tail that is worth it, so that the map opens fast the next time.
    pub fn compact_before_close(&mut self) {
        if self.tail.records >= TAIL_RECORDS_WORTH_CLOSING && self.compaction.not_before_records == 0 {
            self.compact();
        }
    }

    pub(super) fn compact_if_due(&mut self) {
        let Tail { records, bytes, snapshot_bytes, took } = self.tail;
        let long = records >= TAIL_RECORDS_MIN || bytes >= TAIL_BYTES_MIN;
        let many = u64::from(records) >= TAIL_RECORDS_MAX.max(snapshot_bytes / SNAPSHOT_BYTES_PER_RECORD);
        let worth_it = many || took >= TAIL_TOOK_MAX || (long && bytes >= snapshot_bytes);
        if worth_it && records >= self.compaction.not_before_records {
            self.compact();
        }
    }

    fn compact(&mut self) {
        // What a damaged graph has in the store is all that is left of it.
        if self.compaction.is_under_way || self.is_ahead || self.is_damaged || self.life != Life::Open {
            return;
        }
        self.compaction.is_under_way = true;
        self.effects.push(Effect::Compact);
    }
}
