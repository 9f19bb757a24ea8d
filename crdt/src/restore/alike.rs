//! Whether two states show the same somewhere.

use std::collections::BTreeMap;

use synapti_protocol::{lib0::Reader, update::ContentKind};

use super::{run::Run, shape::Shape};

/// The word that ends a text attribute.
const NULL: &[u8] = b"null";

/// A shared type in the live document, and the one in the older state that shows what it is to become.
pub(super) type Counterparts = (u32, u32);

/// Whether two values are the same; shared types are when all that they hold is.
pub(super) fn is_same(live: (&Shape, &Run<'_>), older: (&Shape, &Run<'_>)) -> bool {
    if !live.1.holds_same(older.1) {
        return false;
    }
    let mut pairs: Vec<Counterparts> = counterparts(live.1, older.1).into_iter().collect();
    while let Some((branch, older_branch)) = pairs.pop() {
        if !entries_are_same((live.0, branch), (older.0, older_branch), &mut pairs)
            || !lists_are_same(live.0.list(branch), older.0.list(older_branch), &mut pairs)
        {
            return false;
        }
    }
    true
}

/// The types that two values are, when they are of the same kind.
pub(super) fn counterparts(live: &Run<'_>, older: &Run<'_>) -> Option<Counterparts> {
    if live.holds_same(older) { live.branch.zip(older.branch) } else { None }
}

/// Whether the entries are the same but for types that have to be looked at in their turn.
fn entries_are_same(live: (&Shape, u32), older: (&Shape, u32), pairs: &mut Vec<Counterparts>) -> bool {
    let (mut live, mut older) = (live.0.entries(live.1), older.0.entries(older.1));
    loop {
        match (live.next(), older.next()) {
            (None, None) => return true,
            (Some((key, value)), Some((older_key, older_value)))
                if key == older_key && value.holds_same(&older_value) =>
            {
                pairs.extend(counterparts(&value, &older_value));
            }
            _ => return false,
        }
    }
}

/// Whether two lists are the same, text attributes included, but for types that have to be looked at in their turn.
fn lists_are_same<'a, 'b>(
    live: impl Iterator<Item = Run<'a>>,
    older: impl Iterator<Item = Run<'b>>,
    pairs: &mut Vec<Counterparts>,
) -> bool {
    let mut live = live.flat_map(Run::elements);
    let mut older = older.flat_map(Run::elements);
    loop {
        match (live.next(), older.next()) {
            (None, None) => return true,
            (Some(element), Some(older)) if element.holds_same(&older) => {
                pairs.extend(counterparts(&element, &older));
            }
            _ => return false,
        }
    }
}

/// Whether two texts with attributes read the same, though the marks at which attributes begin and end may differ: clients
/// remove those that have no effect. Answers the types within, which have to be the same elements.
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
            let mut reader = Reader::new(element.content);
            // Cannot fail: the scanner has read the same bytes.
            let (Ok(key), Ok(value)) = (reader.var_bytes(), reader.var_bytes()) else { continue };
            if value == NULL {
                self.attributes.remove(key);
            } else {
                self.attributes.insert(key, value);
            }
        }
    }
}
