//! A name for a document's state.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;
use yrs::{IdSet, StateVector};

/// Hash of a document's state vector and delete set in canonical order: equal on every replica that has the same
/// edits, and different, in all likelihood, where one misses an insert or a delete. Not cryptographic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(u128);

impl Digest {
    /// For the wire.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub(crate) fn of(state: &StateVector, deleted: &IdSet) -> Self {
        let mut hash = Xxh3::new();
        let mut clocks: Vec<(u64, u32)> = state.iter().map(|(client, &clock)| (client.get(), clock)).collect();
        clocks.sort_unstable();
        for (client, clock) in clocks {
            hash.update(&client.to_le_bytes());
            hash.update(&clock.to_le_bytes());
        }
        // Keeps the two lists apart: no client has an id this large.
        hash.update(&u64::MAX.to_le_bytes());
        let mut ranges: Vec<(u64, u32, u32)> = deleted
            .iter()
            .flat_map(|(client, ranges)| ranges.iter().map(|range| (client.get(), range.start, range.end)))
            .collect();
        ranges.sort_unstable();
        for (client, start, end) in ranges {
            hash.update(&client.to_le_bytes());
            hash.update(&start.to_le_bytes());
            hash.update(&end.to_le_bytes());
        }
        Self(hash.digest128())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
