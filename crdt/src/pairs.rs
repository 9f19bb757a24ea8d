//! Characters that an edit cuts in half.
//!
//! Yjs counts text in UTF-16 units, so an edit may name the place between the two halves of a surrogate pair: an
//! insert there, a deletion that ends there. Every Yjs replica then puts U+FFFD for each half. yrs 0.28 keeps the
//! character on the left and counts it wrongly from then on: its clocks, its encoded state and later edits of the
//! same person go wrong. So the character is replaced by two U+FFFD *before* yrs sees the cut. They count as many
//! units as the pair did, and yrs cuts between two characters as well as Yjs.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
};

use synapti_protocol::{
    lib0::{Reader, write_var_bytes},
    update::{ContentKind, DeleteRange, Id, Struct, StructKind, UpdateView},
};

use crate::rewrite::rewrite;

/// What Yjs shows for half a character.
const HALF: &str = "\u{FFFD}";

/// Pairs kept before deleted ones are looked for.
const SWEEP_FROM: usize = 1 << 15;

/// Where the pairs of a document are, each by the clock of its second half. Pairs that were deleted linger until the
/// next sweep.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    known: HashSet<Id>,
    /// How many the last sweep left.
    swept_to: usize,
    /// Pairs that are still to come, and will be cut by what comes after them.
    doomed: HashSet<Id>,
}

/// The pairs that an update cuts.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// Those in the document.
    pub(crate) in_document: BTreeSet<Id>,
    /// Those that the update brings itself.
    pub(crate) own: BTreeSet<Id>,
}

impl Pairs {
    /// Takes note of the pairs that an update adds to a document which has come to the clocks `known`.
    pub(crate) fn note(&mut self, update: &UpdateView<'_>, known: impl Fn(u64) -> u32) {
        // What the document has already may have been replaced there.
        self.known.extend(pairs_of(update).filter(|id| id.clock >= known(id.client)));
    }

    /// Whether so many have come since the last sweep that a walk over the document is worth it.
    pub(crate) fn is_overgrown(&self) -> bool {
        self.known.len() > SWEEP_FROM.max(2 * self.swept_to)
    }

    /// Forgets pairs that are not in `state`, the document's whole state.
    pub(crate) fn sweep(&mut self, state: &UpdateView<'_>) {
        let before = std::mem::take(&mut self.known);
        self.known = pairs_of(state).filter(|id| before.contains(id)).collect();
        self.swept_to = self.known.len();
    }

    /// Forgets pairs that are none any more.
    pub(crate) fn forget(&mut self, cut: &BTreeSet<Id>) {
        for id in cut {
            self.known.remove(id);
        }
    }

    /// The pairs that an update cuts by what it refers to, and those of its own that are doomed, when a document that
    /// has come to the clocks `known` integrates it. Its own have to be noted.
    pub(crate) fn cut_by(&self, update: &UpdateView<'_>, known: impl Fn(u64) -> u32) -> Cuts {
        let referred = boundaries(update).filter(|id| self.known.contains(id));
        let (in_document, mut own): (BTreeSet<Id>, BTreeSet<Id>) = referred.partition(|id| id.clock < known(id.client));
        if !self.doomed.is_empty() {
            own.extend(pairs_of(update).filter(|id| self.doomed.contains(id) && id.clock >= known(id.client)));
        }
        Cuts { in_document, own }
    }

    /// Looks through updates that come next: answers the document's pairs that they cut, and remembers which pairs of
    /// theirs they cut. So a document is made anew once, however many of its pairs a list of updates cuts.
    pub(crate) fn foresee<'a>(
        &mut self,
        updates: impl Iterator<Item = UpdateView<'a>> + Clone,
        known: impl Fn(u64) -> u32,
    ) -> BTreeSet<Id> {
        let coming: HashSet<Id> =
            updates.clone().flat_map(|update| pairs_of(&update)).filter(|id| id.clock >= known(id.client)).collect();
        let mut in_document = BTreeSet::new();
        for id in updates.flat_map(|update| boundaries(&update)) {
            if coming.contains(&id) {
                self.doomed.insert(id);
            } else if self.known.contains(&id) {
                in_document.insert(id);
            }
        }
        in_document
    }

    /// Ends what [`foresee`](Self::foresee) looked at.
    pub(crate) fn end_foresight(&mut self) {
        self.doomed.clear();
    }

    /// Whether an update has to be looked at: it brings pairs, or refers to some.
    pub(crate) fn concern(&self, update: &UpdateView<'_>) -> bool {
        pairs_of(update).next().is_some()
            || (!self.known.is_empty() && boundaries(update).any(|id| self.known.contains(&id)))
    }

    /// Whether the document has a pair whose second half is this element.
    pub(crate) fn has(&self, client: u64, clock: u32) -> bool {
        self.known.contains(&Id { client, clock })
    }
}

/// The elements that an update separates from the ones before them.
fn boundaries<'a>(update: &UpdateView<'a>) -> impl Iterator<Item = Id> + use<'a> {
    let places = update.sections().flat_map(|section| section.structs()).flat_map(|item| {
        let after_origin = item.origin.map(|Id { client, clock }| Id { client, clock: clock + 1 });
        after_origin.into_iter().chain(item.right_origin)
    });
    let ends = update
        .delete_set()
        .flat_map(|DeleteRange { client, clock, len }| [Id { client, clock }, Id { client, clock: clock + len }]);
    places.chain(ends)
}

/// The update with both halves of each of these pairs replaced, or `None` when it has none of them.
pub(crate) fn replace(update: &UpdateView<'_>, cut: &BTreeSet<Id>) -> Option<Vec<u8>> {
    if cut.is_empty() || !pairs_of(update).any(|id| cut.contains(&id)) {
        return None;
    }
    Some(rewrite(update, |client, item| replace_in(client, item, cut)))
}

fn replace_in<'a>(client: u64, item: &Struct<'a>, cut: &BTreeSet<Id>) -> Cow<'a, [u8]> {
    let inside = cut.range(Id { client, clock: item.clock }..Id { client, clock: item.end() });
    let Some(text) = text_of(item).filter(|_| inside.count() > 0) else { return Cow::Borrowed(item.bytes) };
    let mut replaced = String::with_capacity(text.len() + 2);
    for (clock, character) in characters(item.clock, text) {
        if character.len_utf16() == 2 && cut.contains(&Id { client, clock: clock + 1 }) {
            replaced.push_str(HALF);
            replaced.push_str(HALF);
        } else {
            replaced.push(character);
        }
    }
    let mut bytes = item.bytes[..item.bytes.len() - item.content.len()].to_vec();
    write_var_bytes(&mut bytes, replaced.as_bytes());
    Cow::Owned(bytes)
}

/// The clocks of the second halves of all pairs in an update.
fn pairs_of<'a>(update: &UpdateView<'a>) -> impl Iterator<Item = Id> + use<'a> {
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
