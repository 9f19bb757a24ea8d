//! Characters that an edit cuts in half.
//!
//! Yjs counts text in UTF-16 units, so an edit may name the place between the two halves of a surrogate pair: an
//! insert there, a deletion that ends there. Every Yjs replica then puts U+FFFD for each half. yrs 0.28 keeps the
//! character on the left and counts it wrongly from then on: its clocks, its encoded state and later edits of the
//! same person go wrong. So the character is replaced by two U+FFFD *before* yrs sees the cut. They count as many
//! units as the pair did, and yrs cuts between two characters as well as Yjs.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
};

use synapti_protocol::{
    lib0::{Reader, write_var_bytes},
    update::{ContentKind, Id, Struct, StructKind, UpdateView, UpdateWriter, scan},
};

/// What Yjs shows for half a character.
const HALF: &str = "\u{FFFD}";

/// Where the pairs of a document are, each by the clock of its second half. Pairs that were deleted may linger.
#[derive(Debug, Default)]
pub(crate) struct Pairs(HashSet<Id>);

impl Pairs {
    /// Takes note of the pairs in an update; answers whether it has any.
    pub(crate) fn note(&mut self, update: &UpdateView<'_>) -> bool {
        let mut has_any = false;
        self.0.extend(pairs_of(update).inspect(|_| has_any = true));
        has_any
    }

    /// The pairs that an update cuts by what it refers to; its own have to be noted before.
    pub(crate) fn cut_by(&self, update: &UpdateView<'_>) -> BTreeSet<Id> {
        let mut cut = BTreeSet::new();
        if self.0.is_empty() {
            return cut;
        }
        for item in update.sections().flat_map(|section| section.structs()) {
            let after_origin = item.origin.and_then(|Id { client, clock }| self.at(client, clock + 1));
            let before_right = item.right_origin.and_then(|Id { client, clock }| self.at(client, clock));
            cut.extend(after_origin.into_iter().chain(before_right));
        }
        for range in update.delete_set() {
            let ends = [range.clock, range.clock + range.len];
            cut.extend(ends.iter().filter_map(|&clock| self.at(range.client, clock)));
        }
        cut
    }

    /// The pairs of an update that begin within what the document knows and end beyond.
    pub(crate) fn cut_at_end(&self, update: &UpdateView<'_>, known: impl Fn(u64) -> u32) -> BTreeSet<Id> {
        update.sections().filter_map(|section| self.at(section.client, known(section.client))).collect()
    }

    /// Forgets pairs that are none any more.
    pub(crate) fn forget(&mut self, cut: &BTreeSet<Id>) {
        for id in cut {
            self.0.remove(id);
        }
    }

    fn at(&self, client: u64, clock: u32) -> Option<Id> {
        let id = Id { client, clock };
        self.0.contains(&id).then_some(id)
    }
}

/// Updates that are to be integrated one after the other, without the pairs that any of them cuts. What does not read
/// as an update is left as it is.
pub(crate) fn replace_in_all<'a>(updates: impl IntoIterator<Item = &'a [u8]>) -> Vec<Cow<'a, [u8]>> {
    let updates: Vec<&[u8]> = updates.into_iter().collect();
    let views = || updates.iter().filter_map(|bytes| scan(bytes).ok());
    let mut pairs = Pairs::default();
    for view in views() {
        pairs.note(&view);
    }
    let mut cut = BTreeSet::new();
    let mut known: HashMap<u64, u32> = HashMap::new();
    for view in views() {
        cut.append(&mut pairs.cut_by(&view));
        cut.append(&mut pairs.cut_at_end(&view, |client| known.get(&client).copied().unwrap_or(0)));
        for section in view.sections() {
            let clock = known.entry(section.client).or_default();
            *clock = section.end.max(*clock);
        }
    }
    let replaced = |bytes| scan(bytes).ok().and_then(|view| replace(&view, &cut));
    updates.into_iter().map(|bytes| replaced(bytes).map_or(Cow::Borrowed(bytes), Cow::Owned)).collect()
}

/// The update with both halves of each of these pairs replaced, or `None` when it has none of them.
pub(crate) fn replace(update: &UpdateView<'_>, cut: &BTreeSet<Id>) -> Option<Vec<u8>> {
    if cut.is_empty() || !pairs_of(update).any(|id| cut.contains(&id)) {
        return None;
    }
    let mut writer = UpdateWriter::new();
    for section in update.sections() {
        let structs: Vec<Vec<u8>> = section.structs().map(|item| replace_in(section.client, &item, cut)).collect();
        writer.section(section.client, section.clock, section.struct_count, structs.iter().map(Vec::as_slice));
    }
    let mut bytes = writer.finish();
    // An update without deletions ends in their number, zero.
    bytes.pop();
    bytes.extend_from_slice(update.delete_set_bytes());
    Some(bytes)
}

fn replace_in(client: u64, item: &Struct<'_>, cut: &BTreeSet<Id>) -> Vec<u8> {
    let mut bytes = item.bytes.to_vec();
    let Some(text) = text_of(item) else {
        return bytes;
    };
    let mut replaced = String::with_capacity(text.len() + 2);
    for (clock, character) in characters(item.clock, text) {
        if character.len_utf16() == 2 && cut.contains(&Id { client, clock: clock + 1 }) {
            replaced.push_str(HALF);
            replaced.push_str(HALF);
        } else {
            replaced.push(character);
        }
    }
    bytes.truncate(item.bytes.len() - item.content.len());
    write_var_bytes(&mut bytes, replaced.as_bytes());
    bytes
}

/// The clocks of the second halves of all pairs in an update.
fn pairs_of(update: &UpdateView<'_>) -> impl Iterator<Item = Id> {
    update.sections().flat_map(|section| {
        let client = section.client;
        section.structs().flat_map(move |item| {
            // Most text has no such character, which its bytes tell at once.
            let text = text_of(&item).filter(|text| text.bytes().any(|byte| byte >= 0xf0)).unwrap_or_default();
            let wide = characters(item.clock, text).filter(|(_, character)| character.len_utf16() == 2);
            wide.map(move |(clock, _)| Id { client, clock: clock + 1 })
        })
    })
}

/// The characters of a text that begins at `clock`, each with the clock of its first unit.
fn characters(clock: u32, text: &str) -> impl Iterator<Item = (u32, char)> {
    text.chars().scan(clock, |next, character| {
        let clock = *next;
        *next += character.len_utf16() as u32;
        Some((clock, character))
    })
}

fn text_of<'a>(item: &Struct<'a>) -> Option<&'a str> {
    if item.kind != StructKind::Item(ContentKind::String) {
        return None;
    }
    // Cannot fail: the scanner has read it as a text.
    Reader::new(item.content).var_str().ok()
}
