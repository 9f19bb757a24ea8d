//! Iterators over what [`scan`](super::scan) has checked.

use super::{Check, Id, Struct};
use crate::DecodeError;
use crate::lib0::Reader;

/// A GC or Skip is two bytes; every item is longer.
pub(super) const STRUCT_BYTES_MIN: usize = 2;

/// The structs of one client in an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Whose structs they are.
    pub client: u64,
    /// The clock of the first struct.
    pub clock: u32,
    /// The clock after the last struct.
    pub end: u32,
    /// How many structs there are.
    pub struct_count: u32,
    /// The encodings of the structs, one after the other.
    pub bytes: &'a [u8],
}

impl<'a> Section<'a> {
    /// The structs in order; each begins at the clock where the one before ended.
    pub fn structs(&self) -> Structs<'a> {
        Structs {
            reader: Reader::new(self.bytes),
            next: Id { client: self.client, clock: self.clock },
            left: self.struct_count,
        }
    }

    /// Reads a section, handing each of its structs to `visit`.
    pub(super) fn read(
        reader: &mut Reader<'a>,
        check: Check,
        mut visit: impl FnMut(&Struct<'a>),
    ) -> Result<Self, DecodeError> {
        let at = reader.position();
        let struct_count = u32::try_from(reader.count(STRUCT_BYTES_MIN)?).map_err(|_| DecodeError::Overflow { at })?;
        let Id { client, clock } = Id::read(reader)?;
        let start = reader.position();
        let mut end = clock;
        for _ in 0..struct_count {
            let next = Struct::read(reader, Id { client, clock: end }, check)?;
            end = next.end();
            visit(&next);
        }
        Ok(Self { client, clock, end, struct_count, bytes: reader.since(start) })
    }
}

/// The sections of an update, in the order of the bytes.
#[derive(Debug, Clone)]
pub struct Sections<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) left: usize,
}

impl<'a> Iterator for Sections<'a> {
    type Item = Section<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // Cannot fail: `scan` has read the same bytes with the same code.
        Section::read(&mut self.reader, Check::Skim, |_| {}).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// The structs of a section, in the order of the bytes.
#[derive(Debug, Clone)]
pub struct Structs<'a> {
    reader: Reader<'a>,
    next: Id,
    left: u32,
}

impl<'a> Iterator for Structs<'a> {
    type Item = Struct<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // Cannot fail: `scan` has read the same bytes with the same code.
        let next = Struct::read(&mut self.reader, self.next, Check::Skim).ok()?;
        self.next.clock = next.end();
        Some(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}
