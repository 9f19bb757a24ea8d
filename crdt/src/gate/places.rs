//! Where one client's elements lie: how deep in nested shared types, and whether at a key.

use std::ops::Range;

/// Where an element lies, in one byte: there is one of these for each run of elements in a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(u8);

const AT_KEY: u8 = 0x80;
const DEPTH: u8 = 0x7f;

impl Place {
    /// In no nested type, and at no key.
    pub(super) const ROOT: Self = Self(0);

    /// In the type that lies here.
    pub(super) fn within(self) -> Self {
        Self((self.depth() + 1).min(DEPTH))
    }

    /// At a key of what it lies in, or as it is.
    pub(super) fn with_key(self, has_key: bool) -> Self {
        Self(self.0 | if has_key { AT_KEY } else { 0 })
    }

    /// Where something lies that has both for its neighbours. Should they lie apart, which no client writes, then Yjs and
    /// yrs take one of the two places: this one allows no more than either.
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.depth().max(other.depth())).with_key(self.is_at_key() || other.is_at_key())
    }

    /// Nested types that hold it; what is deeper than can be counted lies at 127.
    pub(super) fn depth(self) -> u8 {
        self.0 & DEPTH
    }

    /// Whether it is a value in a map.
    pub(super) fn is_at_key(self) -> bool {
        self.0 & AT_KEY != 0
    }
}

/// The places of a client's elements, as runs in ascending order that each reach up to where the next begins. People write
/// in one place for a while, so that a run stands for many elements; what lies at the root at the beginning of a history
/// takes none. Two lists, because pairs would be padded.
#[derive(Debug, Default)]
pub(super) struct Places {
    from: Vec<u32>,
    places: Vec<Place>,
}

impl Places {
    /// Where an element lies; at the root when nothing was noted of it.
    pub(super) fn at(&self, clock: u32) -> Place {
        // Mostly it is what was written last.
        let after = match self.from.last() {
            Some(&last) if last <= clock => self.from.len(),
            _ => self.from.partition_point(|&from| from <= clock),
        };
        after.checked_sub(1).map_or(Place::ROOT, |at| self.places[at])
    }

    /// Notes where everything from `clock` on lies; what was noted of that before is forgotten. Answers how many runs
    /// there are more than before.
    pub(super) fn note(&mut self, clock: u32, place: Place) -> isize {
        let mut added = 0;
        while self.from.pop_if(|last| *last >= clock).is_some() {
            self.places.pop();
            added -= 1;
        }
        if self.places.last().copied().unwrap_or_default() == place {
            return added;
        }
        // Doubling would waste as much as it holds, once for each client of a large map.
        if self.from.len() == self.from.capacity() {
            let more = (self.from.len() / 8).max(4);
            self.from.reserve_exact(more);
            self.places.reserve_exact(more);
        }
        self.from.push(clock);
        self.places.push(place);
        added + 1
    }

    /// How many runs begin in these clocks.
    pub(super) fn runs_from(&self, clocks: Range<u32>) -> usize {
        let before = |clock| self.from.partition_point(|&from| from < clock);
        before(clocks.end).saturating_sub(before(clocks.start))
    }

    /// How many runs there are.
    pub(super) fn runs(&self) -> usize {
        self.from.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deep(levels: usize) -> Place {
        (0..levels).fold(Place::ROOT, |place, _| place.within())
    }

    #[test]
    fn a_place_holds_depth_and_key() {
        assert_eq!((deep(3).with_key(true).depth(), deep(3).with_key(true).is_at_key()), (3, true));
        assert_eq!((deep(100).within().depth(), deep(1_000).depth()), (101, 127));
        assert!(!deep(1).with_key(true).within().is_at_key(), "what is in a value is not at its key");
        assert_eq!(deep(2).with_key(true).or(deep(5)), deep(5).with_key(true));
    }

    #[test]
    fn runs_join_and_are_found() {
        let mut places = Places::default();
        for (clock, depth) in [(0, 0), (3, 0), (5, 2), (6, 2), (9, 1), (20, 2)] {
            places.note(clock, deep(depth));
        }
        assert_eq!(places.runs(), 3, "{places:?}");
        let begin = [0..5, 0..6, 5..6, 6..9, 8..10, 0..21, 30..40].map(|clocks| places.runs_from(clocks));
        assert_eq!(begin, [0, 1, 1, 0, 1, 3, 0]);
        let depths = [0, 4, 5, 8, 9, 19, 20, 1_000].map(|clock| places.at(clock).depth());
        assert_eq!(depths, [0, 0, 2, 2, 1, 1, 2, 2]);
    }

    #[test]
    fn what_is_noted_again_replaces_what_came_after() {
        let mut places = Places::default();
        let added: isize =
            [(2, 1), (4, 2), (6, 3), (4, 1)].map(|(clock, depth)| places.note(clock, deep(depth))).iter().sum();
        assert_eq!((added, places.runs(), places.at(3), places.at(7)), (1, 1, deep(1), deep(1)));
        places.note(0, deep(0));
        assert_eq!((places.runs(), places.at(7)), (0, deep(0)));
    }
}
