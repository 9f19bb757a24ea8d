//! How many of something each party has, up to a bound.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;

/// Counts by key. An entry is there only while something is counted, so there are no more than of what is counted. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct Counted<K: Hash + Eq> {
    max: usize,
    open: Arc<Mutex<HashMap<K, usize>>>,
}

/// One of what is counted; dropping it gives it back.
#[derive(Debug)]
pub struct Place<K: Hash + Eq> {
    key: K,
    open: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Hash + Eq + Clone> Counted<K> {
    /// So many for each key; 0 = no limit.
    pub fn new(max: usize) -> Self {
        Self { max: if max == 0 { usize::MAX } else { max }, open: Arc::default() }
    }

    /// As many as there may be for each key.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Takes one more; `None` when there are as many as there may be.
    pub fn take(&self, key: K) -> Option<Place<K>> {
        let mut counts = self.open.lock();
        let open = counts.entry(key.clone()).or_default();
        // An entry that was just made is not full.
        if *open >= self.max {
            return None;
        }
        *open += 1;
        Some(Place { key, open: self.open.clone() })
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.open.lock();
        if let Some(open) = counts.get_mut(&self.key) {
            *open -= 1;
            if *open == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_key_and_nothing_is_remembered() {
        let counted = Counted::new(2);
        let (first, _second) = (counted.take("ann").unwrap(), counted.take("ann").unwrap());
        assert!(counted.take("ann").is_none());
        let other = counted.take("bob").unwrap();
        drop((first, other));
        assert_eq!(counted.open.lock().len(), 1);
        assert!(counted.take("ann").is_some());
        let unlimited = Counted::new(0);
        let places: Vec<_> = (0..1_000).map(|_| unlimited.take("ann").unwrap()).collect();
        drop(places);
        assert!(unlimited.open.lock().is_empty());
    }
}
