//! Whether the clients of a list are distinct, within memory smaller than the list itself.

use crate::DecodeError;
use crate::lib0::Reader;
use crate::limits::EMPTY_ENTRIES_MAX;

/// Watches the clients of a list go by. Yjs and yrs write them sorted, which proves them distinct for free.
#[derive(Debug)]
pub(super) struct ClientOrder {
    last: Option<u64>,
    ascending: bool,
    descending: bool,
}

impl Default for ClientOrder {
    fn default() -> Self {
        Self { last: None, ascending: true, descending: true }
    }
}

impl ClientOrder {
    pub(super) fn push(&mut self, client: u64) {
        if let Some(last) = self.last {
            self.ascending &= last < client;
            self.descending &= last > client;
        }
        self.last = Some(client);
    }

    pub(super) fn is_strict(&self) -> bool {
        self.ascending || self.descending
    }
}

/// Counts the entries of a list that name a client and say nothing about it.
#[derive(Debug, Default)]
pub(super) struct EmptyEntries(usize);

impl EmptyEntries {
    pub(super) fn push(&mut self, at: usize, is_empty: bool) -> Result<(), DecodeError> {
        self.0 += usize::from(is_empty);
        if self.0 > EMPTY_ENTRIES_MAX {
            return Err(DecodeError::EmptyEntries { at });
        }
        Ok(())
    }
}

/// Checks a list that is not sorted: `entries` stands at the first of `count` entries, `client_of` reads the client
/// of an entry and `skip` steps over one. Takes four bytes an entry, and an entry with content has at least four.
pub(super) fn require_distinct<'a>(
    entries: Reader<'a>,
    count: usize,
    client_of: impl Fn(&mut Reader<'a>) -> Result<u64, DecodeError>,
    mut skip: impl FnMut(&mut Reader<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut reader = entries;
    let mut starts = Vec::with_capacity(count);
    for _ in 0..count {
        let at = reader.position();
        starts.push(u32::try_from(at).map_err(|_| DecodeError::Overflow { at })?);
        skip(&mut reader)?;
    }
    // Cannot fail: `skip` has read the same bytes.
    let client_at = |start: &u32| client_of(&mut entries.seek(*start as usize)).unwrap_or_default();
    starts.sort_unstable_by_key(client_at);
    for pair in starts.windows(2) {
        let client = client_at(&pair[0]);
        if client == client_at(&pair[1]) {
            return Err(DecodeError::DuplicateClient { client });
        }
    }
    Ok(())
}
