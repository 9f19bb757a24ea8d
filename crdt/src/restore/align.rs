//! Finds what two lists have in common.

use std::collections::HashMap;

use synapti_protocol::update::Id;

use super::run::Run;

/// A part of two lists: what both have by id, or what lies between two such elements.
#[derive(Debug)]
pub(super) enum Part<'l, 'o> {
    /// The same elements, which hold the same but for what is in shared types.
    Both(Run<'l>, Run<'o>),
    /// What only one of them has.
    Either { live: Vec<Run<'l>>, older: Vec<Run<'o>> },
}

/// Goes along both lists at once. An element of the document's history keeps its id and never changes its order among
/// the others, so what both have is found at once; anything else is left to be compared by content.
pub(super) fn align<'l, 'o>(live: &[Run<'l>], older: &[Run<'o>]) -> Vec<Part<'l, 'o>> {
    let cuts = boundaries(live, older);
    let live: Vec<Run<'l>> = live.iter().flat_map(|run| run.cut(&cuts)).collect();
    let places: HashMap<Id, usize> = live.iter().enumerate().map(|(at, run)| (run.id, at)).collect();
    let mut parts = Vec::new();
    let mut only_older = Vec::new();
    let mut from = 0;
    for run in older.iter().flat_map(|run| run.cut(&cuts)) {
        // A pair that has been cut since does not hold the same any more. States of different documents may have the same
        // ids in another order.
        match places.get(&run.id) {
            Some(&at) if at >= from && live[at].len == run.len && live[at].holds_same(&run) => {
                parts.extend(either(&live[from..at], std::mem::take(&mut only_older)));
                parts.push(Part::Both(live[at], run));
                from = at + 1;
            }
            _ => only_older.push(run),
        }
    }
    parts.extend(either(&live[from..], only_older));
    parts
}

fn either<'l, 'o>(live: &[Run<'l>], older: Vec<Run<'o>>) -> Option<Part<'l, 'o>> {
    let is_empty = live.is_empty() && older.is_empty();
    (!is_empty).then(|| Part::Either { live: live.to_vec(), older })
}

/// Where a run of either list begins or ends, sorted.
fn boundaries(live: &[Run<'_>], older: &[Run<'_>]) -> Vec<Id> {
    let ends = |run: &Run<'_>| [run.id, Id { clock: run.end(), ..run.id }];
    let mut cuts: Vec<Id> = live.iter().flat_map(ends).chain(older.iter().flat_map(ends)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
