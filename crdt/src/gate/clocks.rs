//! The clocks of a document: for each client, how much of its history the document has.

use std::collections::HashMap;

use smallvec::SmallVec;

/// Client id → number of clock ticks integrated. Absent = 0.
#[derive(Debug, Default)]
pub(super) struct Clocks(HashMap<u64, u32>);

impl Clocks {
    pub(super) fn get(&self, client: u64) -> u32 {
        self.0.get(&client).copied().unwrap_or(0)
    }

    pub(super) fn raise(&mut self, client: u64, clock: u32) {
        if clock > 0 {
            let known = self.0.entry(client).or_default();
            *known = (*known).max(clock);
        }
    }
}

impl FromIterator<(u64, u32)> for Clocks {
    fn from_iter<I: IntoIterator<Item = (u64, u32)>>(clocks: I) -> Self {
        Self(clocks.into_iter().collect())
    }
}

/// Clocks as they would be after an update, for the clients that it names. Small updates stay on the stack.
#[derive(Debug, Default)]
pub(super) struct Ends(SmallVec<[(u64, u32); 4]>);

impl Ends {
    pub(super) fn push(&mut self, client: u64, end: u32) {
        self.0.push((client, end));
    }

    /// Call once after the last `push` and before the first `get`.
    pub(super) fn seal(&mut self) {
        self.0.sort_unstable();
    }

    pub(super) fn get(&self, base: &Clocks, client: u64) -> u32 {
        match self.0.binary_search_by_key(&client, |&(known, _)| known) {
            Ok(at) => self.0[at].1,
            Err(_) => base.get(client),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.0.iter().copied()
    }
}
