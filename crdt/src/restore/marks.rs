//! The marks at which attributes of a text begin and end.

use std::collections::BTreeMap;

use synapti_protocol::{lib0::Reader, update::ContentKind};

use super::{
    alike::{Counterparts, counterparts},
    run::Run,
};

/// The value that ends an attribute.
const NULL: &[u8] = b"null";

/// The marks of a text that have no effect where they are: another one follows at the same place, or the attribute has that
/// value already. Yjs clients delete such marks whenever they come upon them, so nothing may be built on one.
pub(super) fn idle<'a>(text: impl Iterator<Item = Run<'a>>) -> Vec<u32> {
    let mut idle = Vec::new();
    let mut attributes: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    // Of the marks since the last character, the last one for each attribute.
    let mut last: BTreeMap<&[u8], (&[u8], u32)> = BTreeMap::new();
    let mut end = |last: &mut BTreeMap<&'a [u8], (&'a [u8], u32)>, idle: &mut Vec<u32>| {
        for (key, (value, piece)) in std::mem::take(last) {
            if attributes.get(key).copied().unwrap_or(NULL) == value {
                idle.push(piece);
            }
            attributes.insert(key, value);
        }
    };
    for run in text {
        if run.kind == ContentKind::Format {
            let (key, value) = attribute(&run);
            idle.extend(last.insert(key, (value, run.piece)).map(|(_, overwritten)| overwritten));
        } else {
            end(&mut last, &mut idle);
        }
    }
    end(&mut last, &mut idle);
    idle
}

/// Whether two texts with attributes read the same, though their marks may differ. Answers the types within, which have to be the same elements.
pub(super) fn read_alike(live: &[Run<'_>], older: &[Run<'_>]) -> Option<Vec<Counterparts>> {
    let has_marks = |runs: &[Run<'_>]| runs.iter().any(|run| run.kind == ContentKind::Format);
    if !has_marks(live) && !has_marks(older) {
        return None;
    }
    let (mut live, mut older) = (Attributed::new(live), Attributed::new(older));
    let mut pairs = Vec::new();
    let mut were_alike = true;
    loop {
        match (live.next_element(), older.next_element()) {
            (None, None) => return Some(pairs),
            (Some((element, changed)), Some((older_element, older_changed))) => {
                if changed || older_changed {
                    were_alike = live.attributes == older.attributes;
                }
                let is_same_element = element.branch.is_none() || element.id == older_element.id;
                if !were_alike || !is_same_element || !element.holds_same(&older_element) {
                    return None;
                }
                pairs.extend(counterparts(&element, &older_element));
            }
            _ => return None,
        }
    }
}

/// The elements of a text, and the attributes of the last one.
struct Attributed<'a, I> {
    elements: I,
    attributes: BTreeMap<&'a [u8], &'a [u8]>,
}

impl<'a> Attributed<'a, ()> {
    fn new(runs: &[Run<'a>]) -> Attributed<'a, impl Iterator<Item = Run<'a>>> {
        Attributed { elements: runs.iter().flat_map(|run| run.elements()), attributes: BTreeMap::new() }
    }
}

impl<'a, I: Iterator<Item = Run<'a>>> Attributed<'a, I> {
    /// The next element that is no mark, and whether there were marks before it.
    fn next_element(&mut self) -> Option<(Run<'a>, bool)> {
        let mut changed = false;
        loop {
            let element = self.elements.next()?;
            if element.kind != ContentKind::Format {
                return Some((element, changed));
            }
            changed = true;
            let (key, value) = attribute(&element);
            if value == NULL {
                self.attributes.remove(key);
            } else {
                self.attributes.insert(key, value);
            }
        }
    }
}

/// The key and the value of a mark.
fn attribute<'a>(mark: &Run<'a>) -> (&'a [u8], &'a [u8]) {
    let mut reader = Reader::new(mark.content);
    // Cannot fail: the scanner has read the same bytes.
    (reader.var_bytes().unwrap_or_default(), reader.var_bytes().unwrap_or_default())
}
