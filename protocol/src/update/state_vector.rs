//! State vectors: how many elements of each client somebody has.

use crate::DecodeError;
use crate::lib0::{Reader, write_var_uint};

/// A client and a clock.
const ENTRY_BYTES_MIN: usize = 2;

/// A state vector that [`scan_state_vector`] has checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateVectorView<'a> {
    bytes: &'a [u8],
}

/// Checks a state vector without allocating. Should a client appear twice, its last entry counts, as it does for
/// Yjs and yrs.
pub fn scan_state_vector(bytes: &[u8]) -> Result<StateVectorView<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    for _ in 0..reader.count(ENTRY_BYTES_MIN)? {
        reader.var_uint()?;
        reader.clock()?;
    }
    reader.finish()?;
    Ok(StateVectorView { bytes })
}

impl<'a> StateVectorView<'a> {
    /// The encoded state vector.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Each client and the clock after the last element that is known of it, in the order of the bytes.
    pub fn iter(&self) -> StateVectorEntries<'a> {
        let mut reader = Reader::new(self.bytes);
        let left = reader.count(ENTRY_BYTES_MIN).unwrap_or(0);
        StateVectorEntries { reader, left }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.iter().left
    }

    /// Whether nothing is known of anybody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> IntoIterator for &StateVectorView<'a> {
    type Item = (u64, u32);
    type IntoIter = StateVectorEntries<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The entries of a state vector.
#[derive(Debug, Clone)]
pub struct StateVectorEntries<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl Iterator for StateVectorEntries<'_> {
    type Item = (u64, u32);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // Cannot fail: `scan_state_vector` has read the same bytes with the same code.
        Some((self.reader.var_uint().ok()?, self.reader.clock().ok()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// Encodes a state vector from clients and their clocks, each client once.
pub fn encode_state_vector(clocks: &[(u64, u32)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ENCODED_BYTES_TYPICAL * (clocks.len() + 1));
    write_var_uint(&mut out, clocks.len() as u64);
    for &(client, clock) in clocks {
        write_var_uint(&mut out, client);
        write_var_uint(&mut out, clock.into());
    }
    out
}

/// Bytes of an entry, mostly: a client of 32 bits and a small clock.
const ENCODED_BYTES_TYPICAL: usize = 8;
