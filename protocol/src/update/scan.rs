//! The scanner, and the view that it returns.

use super::delete_set::{DeleteRanges, scan_delete_set};
use super::distinct::{ClientOrder, EmptyEntries, require_distinct};
use super::section::{STRUCT_BYTES_MIN, Section, Sections};
use super::{Check, ContentKind, StructKind};
use crate::DecodeError;
use crate::lib0::Reader;

/// A count, a client and a clock.
const SECTION_BYTES_MIN: usize = 3;

/// An update that [`scan`] has checked. Reading it again cannot fail and does not allocate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateView<'a> {
    bytes: &'a [u8],
    client_count: usize,
    struct_count: usize,
    delete_client_count: usize,
    delete_range_count: usize,
    sections_at: usize,
    delete_set_at: usize,
    has_skips: bool,
    has_empty_parts: bool,
    has_legacy_json: bool,
}

/// Checks a whole update in one pass. Allocates only when its clients are not sorted, and then less than the
/// update's own size.
pub fn scan(bytes: &[u8]) -> Result<UpdateView<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let client_count = reader.count(SECTION_BYTES_MIN)?;
    let sections = reader;
    let mut view = UpdateView {
        bytes,
        client_count,
        struct_count: 0,
        delete_client_count: 0,
        delete_range_count: 0,
        sections_at: sections.position(),
        delete_set_at: 0,
        has_skips: false,
        has_empty_parts: false,
        has_legacy_json: false,
    };
    let mut clients = ClientOrder::default();
    let mut empty = EmptyEntries::default();
    for _ in 0..client_count {
        let at = reader.position();
        let section = Section::read(&mut reader, Check::Full, |next| {
            view.has_skips |= next.kind == StructKind::Skip;
            view.has_empty_parts |= next.len == 0;
            view.has_legacy_json |= next.kind == StructKind::Item(ContentKind::Json);
        })?;
        view.struct_count += section.struct_count as usize;
        clients.push(section.client);
        view.has_empty_parts |= section.struct_count == 0;
        empty.push(at, section.end == section.clock)?;
    }
    if !clients.is_strict() {
        // Yjs keeps the last section of a client, yrs joins them: only one section means the same to both.
        require_distinct(sections, client_count, section_client, |reader| {
            Section::read(reader, Check::Skim, |_| {}).map(drop)
        })?;
    }
    view.delete_set_at = reader.position();
    let deletes = scan_delete_set(&mut reader)?;
    (view.delete_client_count, view.delete_range_count) = (deletes.client_count, deletes.range_count);
    view.has_empty_parts |= deletes.has_empty;
    reader.finish()?;
    Ok(view)
}

fn section_client(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    reader.count(STRUCT_BYTES_MIN)?;
    reader.var_uint()
}

impl<'a> UpdateView<'a> {
    /// The whole update.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The sections, one per client, in the order of the bytes (Yjs and yrs write the highest client first).
    pub fn sections(&self) -> Sections<'a> {
        Sections { reader: Reader::new(self.bytes).seek(self.sections_at), left: self.client_count }
    }

    /// The delete ranges, in the order of the bytes; they may overlap.
    pub fn delete_set(&self) -> DeleteRanges<'a> {
        DeleteRanges::new(self.delete_set_bytes())
    }

    /// The encoding of the delete set.
    pub fn delete_set_bytes(&self) -> &'a [u8] {
        &self.bytes[self.delete_set_at..]
    }

    /// How many clients have a section.
    pub fn client_count(&self) -> usize {
        self.client_count
    }

    /// How many structs there are, of any kind and length.
    pub fn struct_count(&self) -> usize {
        self.struct_count
    }

    /// How many clients have deleted elements.
    pub fn delete_client_count(&self) -> usize {
        self.delete_client_count
    }

    /// How many delete ranges there are, of any length.
    pub fn delete_range_count(&self) -> usize {
        self.delete_range_count
    }

    /// Whether there are holes between the structs of a section.
    pub fn has_skips(&self) -> bool {
        self.has_skips
    }

    /// Whether there are parts that say nothing: structs of length 0, sections without structs, delete ranges of
    /// length 0, clients without delete ranges.
    pub fn has_empty_parts(&self) -> bool {
        self.has_empty_parts
    }

    /// Whether there is content of the kind [`ContentKind::Json`], which yrs 0.28 reads one text too far.
    pub fn has_legacy_json(&self) -> bool {
        self.has_legacy_json
    }

    /// Whether yrs and Yjs must be given what [`modernize`](super::modernize) makes of it instead.
    pub fn needs_modernizing(&self) -> bool {
        self.has_legacy_json || self.has_empty_parts
    }

    /// Whether it says nothing at all: no structs and no delete ranges.
    pub fn is_empty(&self) -> bool {
        self.struct_count == 0 && self.delete_set().next().is_none()
    }
}
