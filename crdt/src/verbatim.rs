//! Values that yrs does not write as it read them.
//!
//! yrs 0.28 keeps of a subdocument's options only those that it knows, makes numbers of big integers and 0 of -0,
//! and forgets the order of the keys of an object. Whoever received such a value from the server would have another
//! one than its author. So the bytes of these values are kept beside the document, and put back into every update
//! that leaves it.

use std::{borrow::Cow, collections::HashMap};

use synapti_protocol::{
    DecodeError,
    lib0::{Reader, write_var_uint},
    limits::NESTING_MAX,
    update::{ContentKind, Id, Struct, StructKind, UpdateView, scan},
};

use crate::rewrite::rewrite;

/// lib0 writes the sign of an integer beside its value, so that there is a negative zero.
const NEGATIVE_ZERO: u8 = 0x40;

/// Bytes kept before those of deleted elements are looked for.
const SWEEP_FROM_BYTES: usize = 1 << 20;

/// What an entry costs besides the value's bytes.
const ENTRY_BYTES: usize = 64;

/// The bytes of values, each by the id of its element. Those of deleted elements linger until the next sweep.
#[derive(Debug, Default)]
pub(crate) struct Verbatim {
    kept: HashMap<Id, Box<[u8]>>,
    bytes: usize,
    /// What the last sweep left.
    swept_to: usize,
}

impl Verbatim {
    /// Keeps what yrs would alter in an update that is about to be integrated. `known` tells how much of a client's
    /// history the document has: what is known already stays as it is, whatever the update says.
    pub(crate) fn note(&mut self, update: &UpdateView<'_>, known: impl Fn(u64) -> u32) {
        for section in update.sections() {
            for (clock, value) in section.structs().flat_map(altered_values) {
                if clock >= known(section.client) {
                    self.bytes += value.len() + ENTRY_BYTES;
                    if let Some(before) = self.kept.insert(Id { client: section.client, clock }, value.into()) {
                        self.bytes -= before.len() + ENTRY_BYTES;
                    }
                }
            }
        }
    }

    /// Whether so much has come since the last sweep that a walk over the document is worth it.
    pub(crate) fn is_overgrown(&self) -> bool {
        self.bytes > SWEEP_FROM_BYTES.max(2 * self.swept_to)
    }

    /// Forgets what is not in `state`, the document's whole state.
    pub(crate) fn sweep(&mut self, state: &UpdateView<'_>) {
        let mut before = std::mem::take(&mut self.kept);
        self.bytes = 0;
        for section in state.sections() {
            for item in section.structs() {
                for (clock, _) in values(&item) {
                    let id = Id { client: section.client, clock };
                    if let Some(value) = before.remove(&id) {
                        self.bytes += value.len() + ENTRY_BYTES;
                        self.kept.insert(id, value);
                    }
                }
            }
        }
        self.swept_to = self.bytes;
    }

    /// An update that yrs wrote, with the values as their authors wrote them.
    pub(crate) fn restore(&self, update: Vec<u8>) -> Vec<u8> {
        if self.kept.is_empty() {
            return update;
        }
        let Ok(view) = scan(&update) else { return update };
        rewrite(&view, |client, item| self.restore_in(client, item))
    }

    fn restore_in<'a>(&self, client: u64, item: &Struct<'a>) -> Cow<'a, [u8]> {
        if !values(item).any(|(clock, _)| self.kept.contains_key(&Id { client, clock })) {
            return Cow::Borrowed(item.bytes);
        }
        let mut bytes = item.bytes[..item.bytes.len() - item.content.len()].to_vec();
        if item.kind == StructKind::Item(ContentKind::Any) {
            write_var_uint(&mut bytes, item.len.into());
        }
        for (clock, value) in values(item) {
            bytes.extend_from_slice(self.kept.get(&Id { client, clock }).map_or(value, |kept| kept));
        }
        Cow::Owned(bytes)
    }
}

/// The values of a struct that yrs would write differently, each with its clock.
fn altered_values(item: Struct<'_>) -> impl Iterator<Item = (u32, &[u8])> {
    let plain = item.kind == StructKind::Item(ContentKind::Any);
    values(&item).filter(move |(_, value)| !plain || is_altered(&mut Reader::new(value)).unwrap_or(false))
}

/// The values of a struct, each with its clock: the elements of a row of plain values, else the content as a whole.
/// Nothing for what yrs writes as it is.
fn values<'a>(item: &Struct<'a>) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
    let (content, clock) = (item.content, item.clock);
    let mut reader = Reader::new(content);
    let count = match item.kind {
        StructKind::Item(ContentKind::Any) => reader.var_u32().unwrap_or(0),
        StructKind::Item(ContentKind::Doc) => 1,
        StructKind::Item(ContentKind::Embed | ContentKind::Format) if content.contains(&b'{') => 1,
        _ => 0,
    };
    let whole = item.kind != StructKind::Item(ContentKind::Any);
    (clock..clock + count).map_while(move |clock| {
        if whole {
            return Some((clock, content));
        }
        let start = reader.position();
        // Cannot fail: the scanner has read the same bytes.
        reader.skip_any(NESTING_MAX).ok()?;
        Some((clock, &content[start..reader.position()]))
    })
}

/// Whether yrs would write this value differently. The scanner has bounded how deep it is nested.
fn is_altered(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    Ok(match reader.u8()? {
        // A 64-bit integer becomes a number.
        122 => true,
        // The sign without a value is -0.
        125 => {
            let mut sign = *reader;
            reader.var_int()?;
            sign.u8()? == NEGATIVE_ZERO
        }
        118 => {
            let count = reader.count(2)?;
            let mut altered = count > 1;
            for _ in 0..count {
                reader.var_str()?;
                altered |= is_altered(reader)?;
            }
            altered
        }
        117 => {
            let mut altered = false;
            for _ in 0..reader.count(1)? {
                altered |= is_altered(reader)?;
            }
            altered
        }
        124 => reader.take(4).map(|_| false)?,
        123 => reader.take(8).map(|_| false)?,
        119 | 116 => reader.var_bytes().map(|_| false)?,
        _ => false,
    })
}
