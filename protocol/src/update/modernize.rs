//! Replaces the content kind that Yjs wrote before version 13.

use super::content::{ContentKind, JSON_UNDEFINED};
use super::json_any::write_json_as_any;
use super::structs::CONTENT_MASK;
use super::{Struct, StructKind, UpdateView};
use crate::lib0::{Reader, write_var_uint};

const ANY_UNDEFINED: u8 = 127;

/// Rewrites an update so that each content of the kind [`ContentKind::Json`] becomes [`ContentKind::Any`] with the
/// same values, and so the same length and the same clocks. The rest stays byte for byte. yrs 0.28 takes the JSON
/// kind to hold one text more than it does, and so misreads all that follows.
pub fn modernize(view: &UpdateView<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(view.bytes().len());
    write_var_uint(&mut out, view.client_count() as u64);
    for section in view.sections() {
        write_var_uint(&mut out, section.struct_count.into());
        write_var_uint(&mut out, section.client);
        write_var_uint(&mut out, section.clock.into());
        for next in section.structs() {
            if next.kind == StructKind::Item(ContentKind::Json) {
                write_modernized(&mut out, &next);
            } else {
                out.extend_from_slice(next.bytes);
            }
        }
    }
    out.extend_from_slice(view.delete_set_bytes());
    out
}

fn write_modernized(out: &mut Vec<u8>, old: &Struct<'_>) {
    let place = &old.bytes[..old.bytes.len() - old.content.len()];
    let info_at = out.len();
    out.extend_from_slice(place);
    out[info_at] = out[info_at] & !CONTENT_MASK | ContentKind::Any as u8;
    let mut texts = Reader::new(old.content);
    // Neither can fail: `scan` has read the count and the texts.
    write_var_uint(out, texts.var_uint().unwrap_or_default());
    while let Ok(text) = texts.var_str() {
        if text == JSON_UNDEFINED {
            out.push(ANY_UNDEFINED);
        } else {
            write_json_as_any(out, text);
        }
    }
}
