//! The gate in front of a document.
//!
//! yrs integrates past a hole where Yjs holds the rest back, and can then end in another state than Yjs. So an
//! update passes only up to what joins on to the document; the rest is set [aside] until the hole is closed. The
//! gate knows every clock of the document and reads updates in their encoded form: nothing that lacks a
//! dependency ever reaches yrs.

mod aside;
mod clocks;
mod contended;
mod cut;
mod outgoing;
mod passage;
mod pieces;
mod places;

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use smallvec::SmallVec;
use synapti_protocol::{
    limits::DOCUMENT_CLIENTS_MAX,
    update::{Id, Section, StructKind, UpdateView},
};

use aside::Aside;
pub use aside::AsideLimits;
use clocks::{Clocks, Ends, Trust};
pub(crate) use contended::is_contended;
pub(crate) use outgoing::Outgoing;
use passage::Passage;
use pieces::Run;
pub use pieces::Sender;

/// Whether a sender may add elements under a client id. What others may not is left out.
pub type MayWrite<'a> = &'a dyn Fn(Sender, u64) -> bool;

/// Elements that a sender brought under the client id of somebody else. They are not in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Who brought them.
    pub from: Sender,
    /// Whose they would be.
    pub client: u64,
    /// The clock after the last of them.
    pub end: u32,
}

/// Decides what of an update may be integrated now.
#[derive(Debug)]
pub(crate) struct Gate {
    /// The document's own client id: nobody else writes under it.
    own: u64,
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
    /// Others who had more waiting, and lost it to this update: the same goes for them.
    pub(crate) evicted: Vec<Sender>,
    /// What its sender may not write.
    pub(crate) left_out: Vec<LeftOut>,
}

/// Why nothing of an update may be integrated. Nothing of its sender waits any more either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It would create something deeper in nested shared types than the limit.
    TooDeep,
    /// It puts several elements at one key of a map, which no client does: one of them is the value.
    ManyAtKey,
    /// The document would have been edited by more clients than it may.
    ManyClients,
}

/// What has waited at the gate and need not any longer.
#[derive(Debug, Default)]
pub(crate) struct Released {
    /// An update that has to be integrated.
    pub(crate) update: Option<Vec<u8>>,
    /// Who sent something that may not be integrated, and why; nothing of theirs waits any more.
    pub(crate) refused: Vec<(Sender, Refused)>,
}

impl Gate {
    pub(crate) fn new(own: u64, limits: AsideLimits) -> Self {
        Self { own, clocks: Clocks::default(), aside: Aside::new(limits), moved: SmallVec::new() }
    }

    /// Takes the document's own clocks as they are, after an update that failed half way.
    pub(crate) fn set_clocks(&mut self, clocks: impl Iterator<Item = (u64, u32)>) {
        self.clocks.set_all(clocks);
    }

    /// Notes that the document itself wrote up to `clock` as `client`.
    pub(crate) fn advance(&mut self, client: u64, clock: u32) {
        self.clocks.raise(client, clock);
    }

    /// Notes where everything lies that the document itself wrote as `client`.
    pub(crate) fn note_own(&mut self, written: &UpdateView<'_>, client: u64) {
        if let Some(section) = written.sections().find(|section| section.client == client) {
            self.clocks.note(&section);
        }
    }

    /// Of what was let in since the last call, structs that must be integrated as deleted only; by their first element.
    pub(crate) fn take_unsafe(&mut self) -> Vec<Id> {
        self.clocks.take_unsafe()
    }

    /// Notes that elements were deleted.
    pub(crate) fn note_deleted(&mut self, client: u64, clocks: Range<u32>) {
        self.clocks.note_deleted(client, clocks);
    }

    /// Whether so much has been noted of elements that were deleted that a walk over the document is worth it.
    pub(crate) fn is_overgrown(&self) -> bool {
        self.clocks.is_overgrown()
    }

    #[cfg(test)]
    pub(crate) fn runs(&self) -> usize {
        self.clocks.runs()
    }

    /// Forgets where elements lay that have been deleted. `state` is the document's whole state.
    pub(crate) fn sweep(&mut self, state: &UpdateView<'_>) {
        let mut found = Clocks::default();
        if Passage::new(state).run(&mut found, Trust::Store, |_, _, _| {}).is_ok() {
            self.clocks.sweep(found);
        }
    }

    /// Splits an update into what may be integrated now and what waits. Once the one is integrated, or has failed and
    /// the clocks are set right, [`release`](Self::release) what waited for it.
    pub(crate) fn admit<'a>(
        &mut self,
        update: &UpdateView<'a>,
        from: Sender,
        may_write: MayWrite<'_>,
        now_ms: u64,
    ) -> Result<Admitted<'a>, Refused> {
        // Once: to find where a section ends, all of it has to be read.
        let sections: SmallVec<[Section<'a>; 2]> = update.sections().collect();
        let before: SmallVec<[(u64, u32); 4]> =
            sections.iter().map(|section| (section.client, self.clocks.get(section.client))).collect();
        let new_clients = before.iter().filter(|&&(_, clock)| clock == 0).count();
        if !from.is_trusted() && new_clients > 0 && self.clocks.len() + new_clients > DOCUMENT_CLIENTS_MAX {
            self.aside.drop_from(from);
            return Err(Refused::ManyClients);
        }
        let trust = if from.is_trusted() { Trust::Store } else { Trust::Client };
        let foreign = self.foreign_to(from, &sections, may_write);
        let admitted = match foreign.is_empty().then(|| self.joins_on(update, &sections, &before, trust)) {
            Some(Err(refused)) => Err(refused),
            Some(Ok(true)) => Ok(Admitted { update: Some(Cow::Borrowed(update.bytes())), ..Admitted::default() }),
            Some(Ok(false)) | None => self.set_aside(update, &foreign, trust, from, now_ms),
        };
        if admitted.is_err() {
            self.go_back(&before);
            self.aside.drop_from(from);
        } else {
            self.moved.extend(before.iter().map(|&(client, _)| client));
        }
        admitted.map(|admitted| Admitted { left_out: self.left_out(&foreign, from), ..admitted })
    }

    /// Drops what waits under a client id from those who may not write it any more; answers what that was.
    pub(crate) fn disown(&mut self, client: u64, may_write: MayWrite<'_>) -> Vec<LeftOut> {
        self.aside.drop_foreign(client, |from| !from.is_trusted() && !may_write(from, client))
    }

    /// The clock of a client.
    pub(crate) fn clock(&self, client: u64) -> u32 {
        self.clocks.get(client)
    }

    /// What need not wait any longer.
    pub(crate) fn release(&mut self) -> Released {
        let moved = std::mem::take(&mut self.moved);
        if self.aside.is_empty() {
            return Released::default();
        }
        let mut out = Outgoing::default();
        let refused = self.aside.drain(&mut self.clocks, moved.into_iter(), &mut out);
        Released { update: out.finish(), refused: refused.into_iter().collect() }
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

    /// Clients under whose ids an update brings something new that its sender may not write, each with the clock after it.
    fn foreign_to(&self, from: Sender, sections: &[Section<'_>], may_write: MayWrite<'_>) -> Vec<(u64, u32)> {
        if from.is_trusted() {
            return Vec::new();
        }
        let is_foreign = |section: &&Section<'_>| {
            section.end > self.clocks.get(section.client)
                && (section.client == self.own || !may_write(from, section.client))
        };
        sections.iter().filter(is_foreign).map(|section| (section.client, section.end)).collect()
    }

    /// What somebody else can bring. Nobody else has what is written under the document's own id.
    fn left_out(&self, foreign: &[(u64, u32)], from: Sender) -> Vec<LeftOut> {
        let of_others = foreign.iter().filter(|&&(client, _)| client != self.own);
        of_others.map(|&(client, end)| LeftOut { from, client, end }).collect()
    }

    fn go_back(&mut self, before: &[(u64, u32)]) {
        for &(client, clock) in before {
            self.clocks.set_back(client, clock);
        }
    }

    /// Lets all of an update in, if it lacks nothing; else nothing of it.
    fn joins_on(
        &mut self,
        update: &UpdateView<'_>,
        sections: &[Section<'_>],
        before: &[(u64, u32)],
        trust: Trust,
    ) -> Result<bool, Refused> {
        let mut joins = self.joins_on_in_order(sections, trust)?;
        if !joins {
            self.go_back(before);
            joins = self.joins_on_crosswise(update, sections, trust)?;
        }
        joins = joins && update.delete_set().all(|range| range.clock + range.len <= self.clocks.get(range.client));
        if !joins {
            self.go_back(before);
        }
        Ok(joins)
    }

    /// As long as no section refers to a later one.
    fn joins_on_in_order(&mut self, sections: &[Section<'_>], trust: Trust) -> Result<bool, Refused> {
        for section in sections {
            if !self.clocks.let_in_section(section, trust)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Where sections refer to later ones.
    fn joins_on_crosswise(
        &mut self,
        update: &UpdateView<'_>,
        sections: &[Section<'_>],
        trust: Trust,
    ) -> Result<bool, Refused> {
        let Some(ends) = self.ends_of_contiguous(sections) else { return Ok(false) };
        Passage::new(update).run(&mut self.clocks, trust, |_, _, _| {})?;
        let joins = ends.iter().all(|(client, end)| self.clocks.get(client) == end) || self.is_circular(update, &ends);
        if joins {
            ends.iter().for_each(|(client, end)| self.clocks.raise(client, end));
        }
        Ok(joins)
    }

    /// Whether what could not pass lacks nothing but each other. The document will say so.
    fn is_circular(&self, update: &UpdateView<'_>, ends: &Ends) -> bool {
        let has = |id: Id| id.clock < ends.get(&self.clocks, id.client);
        update.sections().flat_map(|section| section.structs()).flat_map(|item| item.dependencies()).all(has)
    }

    /// Where the sections end, if none has a hole beyond the known clock, or a struct that is known in part.
    fn ends_of_contiguous(&self, sections: &[Section<'_>]) -> Option<Ends> {
        let mut ends = Ends::default();
        for section in sections {
            ends.push(section.client, self.end_of_contiguous(section)?);
        }
        ends.seal();
        Some(ends)
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

    /// Lets pass what joins on and puts the rest aside, without what is foreign.
    fn set_aside<'a>(
        &mut self,
        update: &UpdateView<'_>,
        foreign: &[(u64, u32)],
        trust: Trust,
        from: Sender,
        now_ms: u64,
    ) -> Result<Admitted<'a>, Refused> {
        let mut out = Outgoing::default();
        let is_foreign = |client: u64| foreign.iter().any(|&(other, _)| other == client);
        let mut passage = Passage::without(update, is_foreign);
        passage.run(&mut self.clocks, trust, |known, client, item| out.push_from(known, client, item))?;
        let mut fits = Run::join(passage.rest(&self.clocks)).all(|run| self.aside.hold(run, from, now_ms));
        for range in update.delete_set() {
            let known = self.clocks.get(range.client);
            let end = range.clock + range.len;
            if range.clock < known {
                out.delete(range.client, range.clock, known.min(end) - range.clock);
            }
            // What is left out cannot be deleted; whoever deleted it is asked once it is there.
            if end > known && !is_foreign(range.client) {
                let start = range.clock.max(known);
                fits = fits && self.aside.hold_delete(range.client, start, end - start, from, now_ms);
            }
        }
        let update = out.finish().map(Cow::Owned);
        Ok(Admitted { update, overflow: !fits, evicted: self.aside.take_evicted(), left_out: Vec::new() })
    }
}
