//! What an item holds.

use super::Check;
use crate::DecodeError;
use crate::json;
use crate::lib0::Reader;
use crate::limits::NESTING_MAX;

/// The kinds of content that an item may have. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ContentKind {
    /// Deleted elements, of which only the number is kept.
    Deleted = 1,
    /// JSON texts, as Yjs wrote before version 13; yrs 0.28 cannot read it.
    Json = 2,
    /// Bytes.
    Binary = 3,
    /// Text; its length counts UTF-16 code units.
    String = 4,
    /// An object within a text.
    Embed = 5,
    /// The beginning or end of a text attribute.
    Format = 6,
    /// A nested shared type.
    Type = 7,
    /// Plain values.
    Any = 8,
    /// A sub-document.
    Doc = 9,
}

/// Reads the content with the wire number `tag`; `at` is where the struct says so. Returns how many elements the
/// content stands for: some writers left items of none behind.
pub(super) fn read_content(
    reader: &mut Reader<'_>,
    tag: u8,
    at: usize,
    check: Check,
) -> Result<(ContentKind, u32), DecodeError> {
    Ok(match tag {
        1 => (ContentKind::Deleted, reader.clock()?),
        2 => (ContentKind::Json, read_json_texts(reader, check)?),
        3 => {
            reader.var_bytes()?;
            (ContentKind::Binary, 1)
        }
        4 => (ContentKind::String, read_text(reader, check)?),
        5 => {
            read_json(reader, check)?;
            (ContentKind::Embed, 1)
        }
        6 => {
            reader.var_str()?;
            read_json(reader, check)?;
            (ContentKind::Format, 1)
        }
        7 => {
            read_type(reader)?;
            (ContentKind::Type, 1)
        }
        8 => (ContentKind::Any, read_values(reader)?),
        9 => {
            read_document(reader)?;
            (ContentKind::Doc, 1)
        }
        tag => {
            return Err(DecodeError::UnknownTag { what: "content", tag: tag.into(), at });
        }
    })
}

fn read_text(reader: &mut Reader<'_>, check: Check) -> Result<u32, DecodeError> {
    let start = reader.position();
    let bytes = match check {
        Check::Full => reader.var_str()?.as_bytes(),
        Check::Skim => reader.var_bytes()?,
    };
    // Every character starts with a byte that is not a continuation byte; those of four bytes take two units.
    let characters = bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    let pairs = bytes.iter().filter(|byte| **byte >= 0xf0).count();
    u32::try_from(characters + pairs).map_err(|_| DecodeError::Overflow { at: start })
}

fn read_json(reader: &mut Reader<'_>, check: Check) -> Result<(), DecodeError> {
    if check == Check::Skim {
        reader.var_bytes()?;
        return Ok(());
    }
    let text = reader.var_str()?;
    let start = reader.position() - text.len();
    json::validate_portable(text).map_err(|error| error.within(start))
}

/// Old Yjs wrote `undefined` where JSON has no word for it.
pub(super) const JSON_UNDEFINED: &str = "undefined";

fn read_json_texts(reader: &mut Reader<'_>, check: Check) -> Result<u32, DecodeError> {
    let count = read_count(reader)?;
    for _ in 0..count {
        if check == Check::Skim {
            reader.var_bytes()?;
            continue;
        }
        let text = reader.var_str()?;
        let start = reader.position() - text.len();
        if text != JSON_UNDEFINED {
            json::validate(text).map_err(|error| error.within(start))?;
        }
    }
    Ok(count)
}

fn read_values(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let count = read_count(reader)?;
    for _ in 0..count {
        reader.skip_any(NESTING_MAX)?;
    }
    Ok(count)
}

fn read_count(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let at = reader.position();
    u32::try_from(reader.count(1)?).map_err(|_| DecodeError::Overflow { at })
}

/// The shared types that both Yjs and yrs know. An XML hook (5) is none of them: Yjs writes its name and yrs does
/// not read it, so that the rest of the update would mean something else to each.
fn read_type(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let at = reader.position();
    match reader.u8()? {
        // Array, Map, Text, XmlFragment, XmlText
        0 | 1 | 2 | 4 | 6 => Ok(()),
        // XmlElement and its tag name
        3 => reader.var_str().map(drop),
        tag => Err(DecodeError::UnknownTag { what: "shared type", tag: tag.into(), at }),
    }
}

/// A sub-document: its guid and its options. Yjs looks into the options, and throws when there are none.
fn read_document(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    reader.var_str()?;
    let at = reader.position();
    match reader.peek()? {
        tag @ (126 | 127) => Err(DecodeError::UnknownTag { what: "sub-document options", tag: tag.into(), at }),
        _ => reader.skip_any(NESTING_MAX),
    }
}
