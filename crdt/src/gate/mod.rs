//! The gate in front of a document.
//!
//! yrs integrates past a hole where Yjs holds the rest back, and can then end in another state than Yjs. So an
//! update passes only up to what joins on to the document; the rest is set [aside] until the hole is closed. The
//! gate knows every clock of the document and reads updates in their encoded form: nothing that lacks a
//! dependency ever reaches yrs.

mod aside;
mod clocks;
mod cut;
mod outgoing;
mod passage;
mod pieces;

use std::{borrow::Cow, collections::BTreeSet};

use smallvec::SmallVec;
use synapti_protocol::update::{Id, Section, StructKind, UpdateView};

use aside::Aside;
pub use aside::AsideLimits;
use clocks::{Clocks, Ends};
pub(crate) use outgoing::Outgoing;
use passage::Passage;
pub use pieces::Sender;

/// Decides what of an update may be integrated now.
#[derive(Debug)]
pub(crate) struct Gate {
    clocks: Clocks,
    aside: Aside,
    /// Clients whose clocks have moved since the last release.
    moved: SmallVec<[u64; 4]>,
}

/// What became of an update at the gate.
#[derive(Debug, Default)]
pub(crate) struct Admitted<'a> {
    /// An update (v1) that has to be integrated: the gate counts on it.
    pub(crate) update: Option<Cow<'a, [u8]>>,
    /// What had to wait did not fit: nothing of this sender waits any more, and it must send its state again.
    pub(crate) overflow: bool,
}

impl Gate {
    pub(crate) fn new(limits: AsideLimits) -> Self {
        Self { clocks: Clocks::default(), aside: Aside::new(limits), moved: SmallVec::new() }
    }

    /// Takes the document's own clocks as they are, after an update that failed half way.
    pub(crate) fn set_clocks(&mut self, clocks: impl Iterator<Item = (u64, u32)>) {
        self.clocks = clocks.collect();
    }

    /// Notes that the document itself wrote up to `clock` as `client`.
    pub(crate) fn advance(&mut self, client: u64, clock: u32) {
        self.clocks.raise(client, clock);
    }

    /// Splits an update into what may be integrated now and what waits. Once the one is integrated, or has failed and
    /// the clocks are set right, [`release`](Self::release) what waited for it.
    pub(crate) fn admit<'a>(&mut self, update: &UpdateView<'a>, from: Sender, now_ms: u64) -> Admitted<'a> {
        if let Some(ends) = self.joins_on(update) {
            for (client, clock) in ends.iter() {
                self.clocks.raise(client, clock);
                self.moved.push(client);
            }
            return Admitted { update: Some(Cow::Borrowed(update.bytes())), overflow: false };
        }
        let mut out = Outgoing::default();
        let overflow = !self.set_aside(update, from, now_ms, &mut out);
        if overflow {
            self.aside.drop_from(from);
        }
        self.moved.extend(update.sections().map(|section| section.client));
        Admitted { update: out.finish().map(Cow::Owned), overflow }
    }

    /// What need not wait any longer, as an update that has to be integrated.
    pub(crate) fn release(&mut self) -> Option<Vec<u8>> {
        let moved = std::mem::take(&mut self.moved);
        if self.aside.is_empty() {
            return None;
        }
        let mut out = Outgoing::default();
        self.aside.drain(&mut self.clocks, moved.into_iter(), &mut out);
        out.finish()
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
            update.sections().flat_map(|section| section.structs()).flat_map(|item| item.dependencies()).all(has);
        let joins = structs_join
            && update.delete_set().all(|range| range.clock + range.len <= ends.get(&self.clocks, range.client));
        joins.then_some(ends)
    }

    /// Where a section ends if it has no hole beyond the known clock, and no struct that is known in part.
    fn end_of_contiguous(&self, section: &Section<'_>) -> Option<u32> {
        let mut end = self.clocks.get(section.client);
        for item in section.structs() {
            if item.end() <= end {
                continue;
            }
            if item.kind == StructKind::Skip || item.clock != end {
                return None;
            }
            end = item.end();
        }
        Some(end)
    }

    /// Lets pass what joins on and puts the rest aside; false when there was no room for all of it.
    fn set_aside(&mut self, update: &UpdateView<'_>, from: Sender, now_ms: u64, out: &mut Outgoing) -> bool {
        let mut passage = Passage::new(update);
        passage.run(&mut self.clocks, out);
        let mut fits = true;
        for (client, item) in passage.rest(&self.clocks) {
            fits = fits && self.aside.hold(client, &item, from, now_ms);
        }
        for range in update.delete_set() {
            let known = self.clocks.get(range.client);
            let end = range.clock + range.len;
            if range.clock < known {
                out.delete(range.client, range.clock, known.min(end) - range.clock);
            }
            if end > known {
                let start = range.clock.max(known);
                fits = fits && self.aside.hold_delete(range.client, start, end - start, from, now_ms);
            }
        }
        fits
    }
}
