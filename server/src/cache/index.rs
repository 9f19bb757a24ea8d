//! Which files there are, and which were asked for longest ago.

use std::collections::{BTreeSet, HashMap};

use super::format::KeyHash;

/// What a file takes is a multiple of this.
const BLOCK_BYTES: u64 = 4096;

/// Files on disk, each of them known by when it was asked for.
#[derive(Debug, Default)]
pub(super) struct Index {
    files: HashMap<KeyHash, Known>,
    /// The same by time, in µs since 1970.
    by_time: BTreeSet<(i64, KeyHash)>,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    bytes: u64,
    at_us: i64,
}

impl Index {
    /// There is a file of so many bytes, asked for at this time.
    pub fn put(&mut self, name: KeyHash, bytes: u64, at_us: i64) {
        self.remove(name);
        let bytes = bytes.max(1).next_multiple_of(BLOCK_BYTES);
        self.files.insert(name, Known { bytes, at_us });
        self.by_time.insert((at_us, name));
        self.bytes += bytes;
    }

    /// It was asked for.
    pub fn touch(&mut self, name: KeyHash, at_us: i64) {
        let Some(known) = self.files.get_mut(&name) else { return };
        self.by_time.remove(&(known.at_us, name));
        known.at_us = at_us;
        self.by_time.insert((at_us, name));
    }

    /// It is gone.
    pub fn remove(&mut self, name: KeyHash) {
        if let Some(known) = self.files.remove(&name) {
            self.by_time.remove(&(known.at_us, name));
            self.bytes -= known.bytes;
        }
    }

    /// Takes out what was asked for longest ago, until the rest keeps within both.
    pub fn take_surplus(&mut self, bytes_max: u64, files_max: usize) -> Vec<KeyHash> {
        let mut surplus = Vec::new();
        while self.bytes > bytes_max || self.files.len() > files_max {
            let Some((_, name)) = self.by_time.first().copied() else { break };
            self.remove(name);
            surplus.push(name);
        }
        surplus
    }

    pub fn has(&self, name: KeyHash) -> bool {
        self.files.contains_key(&name)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: &str) -> KeyHash {
        KeyHash::of(key)
    }

    #[test]
    fn what_was_asked_for_longest_ago_goes_first() {
        let mut index = Index::default();
        for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
            index.put(name(key), 5000, at as i64);
        }
        assert_eq!(index.bytes(), 3 * 8192);
        index.touch(name("a"), 9);
        assert_eq!(index.take_surplus(2 * 8192, 10), [name("b")]);
        assert_eq!(index.take_surplus(2 * 8192, 1), [name("c")]);
        assert!(index.has(name("a")) && !index.has(name("b")));
        assert_eq!((index.bytes(), index.take_surplus(0, 0)), (8192, vec![name("a")]));
        assert_eq!((index.bytes(), index.take_surplus(0, 0)), (0, Vec::new()));
    }

    #[test]
    fn a_file_that_is_written_again_counts_once_and_one_that_is_gone_not_at_all() {
        let mut index = Index::default();
        index.put(name("a"), 1, 1);
        index.put(name("a"), 10_000, 2);
        assert_eq!(index.bytes(), 12_288);
        index.remove(name("a"));
        index.remove(name("a"));
        index.touch(name("a"), 3);
        assert_eq!((index.bytes(), index.has(name("a"))), (0, false));
    }
}
