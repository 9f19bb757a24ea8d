//! The gate in front of a document.
//!
//! yrs integrates past a hole where Yjs holds the rest back, and can then end in another state than Yjs. So an
//! update passes only up to what joins on to the document; the rest is set [aside] until the hole is closed. The
//! gate knows every clock of the document and reads updates in their encoded form: nothing that lacks a
//! dependency ever reaches yrs.

mod aside;
mod clocks;
mod outgoing;

use std::{borrow::Cow, collections::BTreeSet};

use smallvec::SmallVec;
use synapti_protocol::update::{Id, Section, Struct, StructKind, UpdateView};

use aside::Aside;
pub use aside::{AsideLimits, Sender};
use clocks::{Clocks, Ends};
use outgoing::Outgoing;

/// Decides what of an update may be integrated now.
#[derive(Debug)]
pub(crate) struct Gate {
    clocks: Clocks,
    aside: Aside,
}

/// What became of an update at the gate.
#[derive(Debug, Default)]
pub(crate) struct Admitted<'a> {
    /// Updates (v1) that have to be integrated, in this order: the gate counts on it.
    pub(crate) updates: SmallVec<[Cow<'a, [u8]>; 1]>,
    /// What had to wait did not fit: nothing of this sender waits any more, and it must send its state again.
    pub(crate) overflow: bool,
}

impl Gate {
    pub(crate) fn new(limits: AsideLimits) -> Self {
        Self { clocks: Clocks::default(), aside: Aside::new(limits) }
    }

    /// Takes the document's own clocks as they are: after a load, or after an update that failed half way.
    pub(crate) fn set_clocks(&mut self, clocks: impl Iterator<Item = (u64, u32)>) {
        self.clocks = clocks.collect();
    }

    /// Notes that the document itself wrote up to `clock` as `client`.
    pub(crate) fn advance(&mut self, client: u64, clock: u32) {
        self.clocks.raise(client, clock);
    }

    /// Splits an update into what may be integrated now, together with whatever that frees, and what waits.
    pub(crate) fn admit<'a>(&mut self, update: &UpdateView<'a>, from: Sender, now_ms: u64) -> Admitted<'a> {
        let mut admitted = Admitted::default();
        let mut out = Outgoing::default();
        if let Some(ends) = self.joins_on(update) {
            admitted.updates.push(Cow::Borrowed(update.bytes()));
            for (client, clock) in ends.iter() {
                self.clocks.raise(client, clock);
            }
            if self.aside.is_empty() {
                return admitted;
            }
            self.aside.drain(&mut self.clocks, ends.iter().map(|(client, _)| client), &mut out);
        } else {
            self.set_aside(update, from, now_ms, &mut out);
            self.aside.drain(&mut self.clocks, update.sections().map(|section| section.client), &mut out);
            admitted.overflow = self.aside.enforce(from);
        }
        admitted.updates.extend(out.finish().into_iter().map(Cow::Owned));
        admitted
    }

    /// How many pieces of this sender's updates wait for something that is missing.
    pub(crate) fn held_from(&self, from: Sender) -> usize {
        self.aside.held_from(from)
    }

    /// Bytes set aside, of all senders.
    pub(crate) fn held_bytes(&self) -> usize {
        self.aside.bytes()
    }

    /// Drops what has waited since before `deadline_ms`; answers whose it was.
    pub(crate) fn expire(&mut self, deadline_ms: u64) -> BTreeSet<Sender> {
        self.aside.expire(deadline_ms)
    }

    /// The clocks that the document has with all of `update`, or `None` when something of it must wait.
    fn joins_on(&self, update: &UpdateView<'_>) -> Option<Ends> {
        let mut ends = Ends::default();
        for section in update.sections() {
            ends.push(section.client, self.end_of_contiguous(&section)?);
        }
        ends.seal();
        let has = |id: Id| id.clock < ends.get(&self.clocks, id.client);
        let structs_join =
            update.sections().flat_map(|section| section.structs()).flat_map(|item| dependencies(&item)).all(has);
        let joins = structs_join
            && update.delete_set().all(|range| range.clock + range.len <= ends.get(&self.clocks, range.client));
        joins.then_some(ends)
    }

    /// Where a section ends if it has no hole beyond the known clock.
    fn end_of_contiguous(&self, section: &Section<'_>) -> Option<u32> {
        let mut end = self.clocks.get(section.client);
        for item in section.structs() {
            if item.clock + item.len <= end {
                continue;
            }
            if item.kind == StructKind::Skip || item.clock > end {
                return None;
            }
            end = item.clock + item.len;
        }
        Some(end)
    }

    /// Puts every struct that the document lacks aside, and the deletes that it cannot apply yet; the others go out.
    fn set_aside(&mut self, update: &UpdateView<'_>, from: Sender, now_ms: u64, out: &mut Outgoing) {
        for section in update.sections() {
            let known = self.clocks.get(section.client);
            for item in section.structs() {
                if item.kind != StructKind::Skip && item.len > 0 && item.clock + item.len > known {
                    self.aside.hold(section.client, &item, dependencies(&item).collect(), from, now_ms);
                }
            }
        }
        for range in update.delete_set() {
            let known = self.clocks.get(range.client);
            let end = range.clock + range.len;
            if range.clock < known {
                out.delete(range.client, range.clock, known.min(end) - range.clock);
            }
            if end > known {
                let start = range.clock.max(known);
                self.aside.hold_delete(range.client, start, end - start, from, now_ms);
            }
        }
    }
}

/// The structs that must be in the document before this one can be.
fn dependencies(item: &Struct<'_>) -> impl Iterator<Item = Id> + use<> {
    [item.origin, item.right_origin, item.parent].into_iter().flatten()
}
