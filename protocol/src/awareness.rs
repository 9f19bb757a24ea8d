//! Awareness payloads: who is here and what they look at.
//!
//! A payload is `varUint n` and n entries of client, clock and a JSON state. A higher clock replaces a lower one of
//! the same client; the state `null` says that the client has left.

use crate::DecodeError;
use crate::json;
use crate::lib0::{Reader, var_uint_len, write_var_str, write_var_uint};
use crate::limits::AWARENESS_ENTRIES_MAX;

/// A client, a clock and the length of a string.
const ENTRY_BYTES_MIN: usize = 3;

/// The state of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwarenessEntry<'a> {
    /// The client's number in the document.
    pub client: u64,
    /// Rises with each change of the state.
    pub clock: u32,
    /// JSON.
    pub state: &'a str,
}

impl AwarenessEntry<'_> {
    /// Whether it says that the client has left.
    pub fn is_removal(&self) -> bool {
        json::is_null(self.state)
    }

    fn encoded_len(&self) -> usize {
        var_uint_len(self.client)
            + var_uint_len(self.clock.into())
            + var_uint_len(self.state.len() as u64)
            + self.state.len()
    }
}

/// A payload that [`scan`] has checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwarenessView<'a> {
    bytes: &'a [u8],
}

/// Checks a payload without allocating, down to the syntax of the states: a browser that is handed a broken one
/// throws. There may be [`AWARENESS_ENTRIES_MAX`] entries; the size of a state is for the caller to judge.
pub fn scan(payload: &[u8]) -> Result<AwarenessView<'_>, DecodeError> {
    let mut reader = Reader::new(payload);
    let declared = reader.count(ENTRY_BYTES_MIN)?;
    if declared > AWARENESS_ENTRIES_MAX {
        return Err(DecodeError::TooMany { at: 0, declared, count_max: AWARENESS_ENTRIES_MAX });
    }
    for _ in 0..declared {
        let entry = read_entry(&mut reader)?;
        let state_at = reader.position() - entry.state.len();
        json::validate(entry.state).map_err(|error| error.within(state_at))?;
    }
    reader.finish()?;
    Ok(AwarenessView { bytes: payload })
}

/// Encodes a payload in one allocation of exactly its size.
pub fn encode(entries: &[AwarenessEntry<'_>]) -> Vec<u8> {
    let count = entries.len() as u64;
    let len = entries.iter().map(AwarenessEntry::encoded_len).sum::<usize>();
    let mut out = Vec::with_capacity(var_uint_len(count) + len);
    write_var_uint(&mut out, count);
    for entry in entries {
        write_var_uint(&mut out, entry.client);
        write_var_uint(&mut out, entry.clock.into());
        write_var_str(&mut out, entry.state);
    }
    out
}

impl<'a> AwarenessView<'a> {
    /// The encoded payload.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The entries, in the order of the bytes. A client may appear more than once.
    pub fn iter(&self) -> AwarenessEntries<'a> {
        let mut reader = Reader::new(self.bytes);
        let left = reader.count(ENTRY_BYTES_MIN).unwrap_or(0);
        AwarenessEntries { reader, left }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.iter().left
    }

    /// Whether it says nothing about anybody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> IntoIterator for &AwarenessView<'a> {
    type Item = AwarenessEntry<'a>;
    type IntoIter = AwarenessEntries<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The entries of a payload.
#[derive(Debug, Clone)]
pub struct AwarenessEntries<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Iterator for AwarenessEntries<'a> {
    type Item = AwarenessEntry<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // Cannot fail: `scan` has read the same bytes with the same code.
        read_entry(&mut self.reader).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

fn read_entry<'a>(reader: &mut Reader<'a>) -> Result<AwarenessEntry<'a>, DecodeError> {
    Ok(AwarenessEntry { client: reader.var_uint()?, clock: reader.var_u32()?, state: reader.var_str()? })
}
