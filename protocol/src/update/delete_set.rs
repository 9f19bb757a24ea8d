//! The delete set: which elements are deleted, as ranges of clocks.

use super::distinct::{ClientOrder, EmptyEntries, require_distinct};
use crate::DecodeError;
use crate::lib0::{Reader, write_var_uint};
use crate::limits::CLOCK_MAX;

/// A client and the number of its ranges.
const ENTRY_BYTES_MIN: usize = 2;
/// A clock and a length.
const RANGE_BYTES_MIN: usize = 2;

/// Deleted elements of one client: the clocks from `clock` up to, not including, `clock + len`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeleteRange {
    /// Whose elements.
    pub client: u64,
    /// The first deleted clock.
    pub clock: u32,
    /// How many are deleted, at least 1.
    pub len: u32,
}

/// The ranges of a delete set, in the order of the bytes. Empty ranges, which mean nothing, are left out.
#[derive(Debug, Clone)]
pub struct DeleteRanges<'a> {
    reader: Reader<'a>,
    clients_left: usize,
    client: u64,
    ranges_left: usize,
}

impl<'a> DeleteRanges<'a> {
    /// Over bytes that went through [`scan_delete_set`].
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let clients_left = reader.count(ENTRY_BYTES_MIN).unwrap_or(0);
        Self { reader, clients_left, client: 0, ranges_left: 0 }
    }
}

impl Iterator for DeleteRanges<'_> {
    type Item = DeleteRange;

    fn next(&mut self) -> Option<Self::Item> {
        // Nothing here can fail: `scan` has read the same bytes with the same code.
        loop {
            while self.ranges_left == 0 {
                self.clients_left = self.clients_left.checked_sub(1)?;
                (self.client, self.ranges_left) = read_entry(&mut self.reader).ok()?;
            }
            self.ranges_left -= 1;
            let (clock, len) = read_range(&mut self.reader).ok()?;
            if len > 0 {
                return Some(DeleteRange { client: self.client, clock, len });
            }
        }
    }
}

/// What a whole delete set holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeleteSummary {
    pub(super) client_count: usize,
    pub(super) range_count: usize,
    /// Whether anything in it is empty.
    pub(super) has_empty: bool,
}

/// Checks a whole delete set and leaves the reader behind it.
pub(super) fn scan_delete_set(reader: &mut Reader<'_>) -> Result<DeleteSummary, DecodeError> {
    let count = reader.count(ENTRY_BYTES_MIN)?;
    let entries = *reader;
    let mut clients = ClientOrder::default();
    let mut empty_entries = EmptyEntries::default();
    let mut summary = DeleteSummary { client_count: count, range_count: 0, has_empty: false };
    for _ in 0..count {
        let at = reader.position();
        let (client, range_count) = read_entry(reader)?;
        for _ in 0..range_count {
            summary.has_empty |= read_range(reader)?.1 == 0;
        }
        summary.range_count += range_count;
        summary.has_empty |= range_count == 0;
        clients.push(client);
        empty_entries.push(at, range_count == 0)?;
    }
    if !clients.is_strict() {
        // yrs keeps only the last entry of a client, which would lose deletions.
        require_distinct(entries, count, Reader::var_uint, skip_entry)?;
    }
    Ok(summary)
}

/// Writes ranges as a delete set, in their order; those of one client follow each other.
pub(super) fn write_delete_set(out: &mut Vec<u8>, mut ranges: DeleteRanges<'_>) {
    let mut last = None;
    let is_new = |range: &DeleteRange| last.replace(range.client) != Some(range.client);
    write_var_uint(out, ranges.clone().filter(is_new).count() as u64);
    while let Some(DeleteRange { client, .. }) = ranges.clone().next() {
        let of_client = ranges.clone().take_while(|range| range.client == client);
        let count = of_client.count();
        write_var_uint(out, client);
        write_var_uint(out, count as u64);
        for range in ranges.by_ref().take(count) {
            write_var_uint(out, range.clock.into());
            write_var_uint(out, range.len.into());
        }
    }
}

fn skip_entry(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    for _ in 0..read_entry(reader)?.1 {
        read_range(reader)?;
    }
    Ok(())
}

fn read_entry(reader: &mut Reader<'_>) -> Result<(u64, usize), DecodeError> {
    Ok((reader.var_uint()?, reader.count(RANGE_BYTES_MIN)?))
}

fn read_range(reader: &mut Reader<'_>) -> Result<(u32, u32), DecodeError> {
    let at = reader.position();
    let clock = reader.clock()?;
    let len = reader.clock()?;
    if len > CLOCK_MAX - clock {
        return Err(DecodeError::Overflow { at });
    }
    Ok((clock, len))
}
