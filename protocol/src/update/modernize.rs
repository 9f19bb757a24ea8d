//! Rewrites what old writers left behind into what every reader of today takes.

use super::content::{ContentKind, JSON_UNDEFINED};
use super::delete_set::write_delete_set;
use super::json_any::write_json_as_any;
use super::structs::CONTENT_MASK;
use super::{Section, Struct, StructKind, UpdateView};
use crate::lib0::{Reader, write_var_uint};

const ANY_UNDEFINED: u8 = 127;

/// Rewrites an update so that yrs 0.28 and Yjs 13.6 read it alike, and survive it:
///
/// - content of the kind [`ContentKind::Json`] becomes [`ContentKind::Any`] with the same values, and so the same
///   length (yrs takes the old kind to hold one text more than it does, and misreads all that follows);
/// - structs of length 0 and sections without structs, which say nothing, are left out (yrs panics on a GC or a
///   Skip of length 0, and Yjs may write such a Skip when it merges updates);
/// - empty delete ranges are left out (Yjs throws when it has to keep one for later).
///
/// All else stays as it is. Only needed when [`UpdateView::needs_modernizing`].
pub fn modernize(view: &UpdateView<'_>) -> Vec<u8> {
    let mut sections = Vec::with_capacity(view.bytes().len());
    let mut section_count = 0;
    for section in view.sections() {
        section_count += u64::from(write_section(&mut sections, &section));
    }
    let mut out = Vec::with_capacity(sections.len() + view.delete_set_bytes().len() + 4);
    write_var_uint(&mut out, section_count);
    out.extend_from_slice(&sections);
    write_delete_set(&mut out, view.delete_set());
    out
}

/// Writes a section unless nothing of it is left; says whether it did.
fn write_section(out: &mut Vec<u8>, section: &Section<'_>) -> bool {
    let kept = || section.structs().filter(|next| next.len > 0);
    let kept_count = kept().count() as u64;
    if kept_count == 0 {
        return false;
    }
    write_var_uint(out, kept_count);
    write_var_uint(out, section.client);
    write_var_uint(out, section.clock.into());
    for next in kept() {
        if next.kind == StructKind::Item(ContentKind::Json) {
            write_modernized(out, &next);
        } else {
            out.extend_from_slice(next.bytes);
        }
    }
    true
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
