//! Structs of which the document knows the beginning.

use synapti_protocol::{
    lib0::{Reader, write_var_str, write_var_uint},
    limits::NESTING_MAX,
    update::{ContentKind, Id, Struct, StructKind},
};

const INFO_GC: u8 = 0;
const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;

/// What Yjs shows for half a character.
const HALF: char = '\u{FFFD}';

/// The part of a struct from `known` on: it continues what the document has before, whatever the whole says about its
/// own place. Yjs and yrs would cut it themselves, but put it elsewhere than where it is once it is encoded again, if
/// a client says two things at one clock.
pub(super) fn part_from(client: u64, item: &Struct<'_>, known: u32) -> Vec<u8> {
    let (skipped, len) = (known - item.clock, item.end() - known);
    let StructKind::Item(kind) = item.kind else {
        let mut out = vec![INFO_GC];
        write_var_uint(&mut out, len.into());
        return out;
    };
    let right = if item.right_origin.is_some() { HAS_RIGHT_ORIGIN } else { 0 };
    let mut out = vec![HAS_ORIGIN | right | kind as u8];
    let origin = Id { client, clock: known - 1 };
    for id in [Some(origin), item.right_origin].into_iter().flatten() {
        write_var_uint(&mut out, id.client);
        write_var_uint(&mut out, id.clock.into());
    }
    let mut content = Reader::new(item.content);
    match kind {
        ContentKind::Deleted => write_var_uint(&mut out, len.into()),
        ContentKind::String => write_var_str(&mut out, &text_from(content.var_str().unwrap_or_default(), skipped)),
        ContentKind::Any => {
            write_var_uint(&mut out, len.into());
            let read = content.var_uint().and_then(|_| (0..skipped).try_for_each(|_| content.skip_any(NESTING_MAX)));
            read.expect("it was just scanned");
            out.extend_from_slice(&item.content[content.position()..]);
        }
        // All others stand for one element, which is known or not.
        _ => out.extend_from_slice(item.content),
    }
    out
}

/// The text from a place in UTF-16 units on; half a character becomes U+FFFD, as in Yjs.
fn text_from(text: &str, skipped: u32) -> String {
    let mut before = 0;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if before >= skipped {
            out.push(character);
        } else if before + character.len_utf16() as u32 > skipped {
            out.push(HALF);
        }
        before += character.len_utf16() as u32;
    }
    out
}
