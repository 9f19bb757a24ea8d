//! One struct: a run of elements of one client that were written together.

use super::content::{ContentKind, read_content};
use super::{Check, Id};
use crate::DecodeError;
use crate::lib0::Reader;
use crate::limits::CLOCK_MAX;

const INFO_GC: u8 = 0;
const INFO_SKIP: u8 = 10;
const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_KEY: u8 = 0x20;
pub(super) const CONTENT_MASK: u8 = 0x1f;

/// What a struct is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StructKind {
    /// Deleted elements of which nothing but the length is left.
    Gc,
    /// A hole: the writer did not have these elements.
    Skip,
    /// Elements with a place in the document.
    Item(ContentKind),
}

/// One struct and where it lies. The references are those that the bytes spell out; an item with an origin
/// inherits its parent and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Struct<'a> {
    /// The clock of its first element.
    pub clock: u32,
    /// How many elements it stands for. Some old writers left items of length 0; they mean nothing.
    pub len: u32,
    /// What it is.
    pub kind: StructKind,
    /// Exactly its encoding, info byte included.
    pub bytes: &'a [u8],
    /// The part of `bytes` that follows its place in the document: an item's content, otherwise the length.
    pub content: &'a [u8],
    /// The element to its left when it was inserted.
    pub origin: Option<Id>,
    /// The element to its right when it was inserted.
    pub right_origin: Option<Id>,
    /// The nested shared type that holds it, when the bytes give it by id.
    pub parent: Option<Id>,
    /// The root type that holds it, when the bytes give it by name.
    pub root: Option<&'a str>,
    /// Its key, when the bytes give it and the holder is a map.
    pub key: Option<&'a str>,
}

impl<'a> Struct<'a> {
    /// The clock after its last element; at most [`CLOCK_MAX`].
    pub fn end(&self) -> u32 {
        self.clock + self.len
    }

    /// The ids that must be in a document before this struct can be placed.
    pub fn dependencies(&self) -> impl Iterator<Item = Id> + use<> {
        [self.origin, self.right_origin, self.parent].into_iter().flatten()
    }

    /// Reads the struct whose first element is `id`.
    pub(super) fn read(reader: &mut Reader<'a>, id: Id, check: Check) -> Result<Self, DecodeError> {
        let start = reader.position();
        let mut this = Self {
            clock: id.clock,
            len: 0,
            kind: StructKind::Gc,
            bytes: &[],
            content: &[],
            origin: None,
            right_origin: None,
            parent: None,
            root: None,
            key: None,
        };
        let info = reader.u8()?;
        let mut content_at = reader.position();
        // Yjs reads GC and Skip from the low bits, yrs from the whole byte: with flags set they would differ,
        // and `read_content` refuses both numbers.
        match info {
            INFO_GC => this.len = reader.clock()?,
            INFO_SKIP => {
                this.kind = StructKind::Skip;
                this.len = reader.clock()?;
            }
            info => {
                this.read_place(reader, info)?;
                content_at = reader.position();
                let (content, len) = read_content(reader, info & CONTENT_MASK, start, check)?;
                this.kind = StructKind::Item(content);
                this.len = len;
            }
        }
        if this.len > CLOCK_MAX - id.clock {
            return Err(DecodeError::Overflow { at: start });
        }
        if this.dependencies().any(|other| other.client == id.client && other.clock >= id.clock) {
            return Err(DecodeError::ForwardReference { at: start });
        }
        this.bytes = reader.since(start);
        this.content = reader.since(content_at);
        Ok(this)
    }

    fn read_place(&mut self, reader: &mut Reader<'a>, info: u8) -> Result<(), DecodeError> {
        if info & HAS_ORIGIN != 0 {
            self.origin = Some(Id::read(reader)?);
        }
        if info & HAS_RIGHT_ORIGIN != 0 {
            self.right_origin = Some(Id::read(reader)?);
        }
        if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) != 0 {
            return Ok(());
        }
        if reader.var_u32()? == 1 {
            self.root = Some(reader.var_str()?);
        } else {
            self.parent = Some(Id::read(reader)?);
        }
        if info & HAS_KEY != 0 {
            self.key = Some(reader.var_str()?);
        }
        Ok(())
    }
}
