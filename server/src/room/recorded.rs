//! Which of the store's records are in a room's document.
//!
//! Where several nodes write to one store it numbers the records of each map without gaps, so whoever has all up to n knows
//! what is missing once somebody speaks of n + 2.

use std::collections::BTreeSet;

/// Records beyond a gap that are remembered; others are read from the store again.
const BEYOND_MAX: usize = 1024;

/// All records up to one, and some beyond.
#[derive(Debug, Default)]
pub struct Recorded {
    all_up_to: u64,
    beyond: BTreeSet<u64>,
}

impl Recorded {
    /// All up to `last`.
    pub fn up_to(last: u64) -> Self {
        Self { all_up_to: last, beyond: BTreeSet::new() }
    }

    /// The record up to which none is missing.
    pub fn all_up_to(&self) -> u64 {
        self.all_up_to
    }

    /// One record is in the document now.
    pub fn note(&mut self, record: u64) {
        if record <= self.all_up_to {
            return;
        }
        self.beyond.insert(record);
        self.join();
        while self.beyond.len() > BEYOND_MAX {
            self.beyond.pop_last();
        }
    }

    /// All records up to this one are.
    pub fn note_all_up_to(&mut self, record: u64) {
        if record > self.all_up_to {
            self.all_up_to = record;
            self.beyond = self.beyond.split_off(&record);
            self.join();
        }
    }

    fn join(&mut self) {
        while let Some(&first) = self.beyond.first()
            && first <= self.all_up_to + 1
        {
            self.beyond.pop_first();
            self.all_up_to = self.all_up_to.max(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_a_gap_counts_once_the_gap_is_closed() {
        let mut recorded = Recorded::up_to(4);
        for record in [6, 7, 9, 3, 6] {
            recorded.note(record);
        }
        assert_eq!(recorded.all_up_to(), 4);
        recorded.note(5);
        assert_eq!(recorded.all_up_to(), 7);
        recorded.note_all_up_to(8);
        assert_eq!((recorded.all_up_to(), recorded.beyond.len()), (9, 0));
        recorded.note_all_up_to(2);
        assert_eq!(recorded.all_up_to(), 9);
    }

    #[test]
    fn what_is_remembered_beyond_a_gap_is_bounded() {
        let mut recorded = Recorded::default();
        (2..10_000).for_each(|record| recorded.note(record));
        assert_eq!(recorded.beyond.len(), BEYOND_MAX);
        recorded.note(1);
        assert_eq!(recorded.all_up_to(), 1 + BEYOND_MAX as u64);
    }
}
