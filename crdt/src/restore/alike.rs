//! Whether two states show the same somewhere.

use super::{run::Run, shape::Shape};

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
