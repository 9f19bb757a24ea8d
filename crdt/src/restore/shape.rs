//! What a state shows: the entries and the elements of every shared type.

use std::collections::BTreeMap;

use synapti_protocol::update::{self, ContentKind, Id};

use super::{marks, pieces::Piece, run::Run, weave::Weave};
use crate::replica::ApplyError;

/// A state of a document, laid out.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) pieces: Vec<Piece>,
    pub(super) contents: Vec<u8>,
    pub(super) chains: Vec<Chain>,
    pub(super) branches: Vec<Branch>,
    /// Each root type's branch.
    pub(super) roots: BTreeMap<Box<str>, u32>,
}

/// Pieces in the document's order, deleted ones among them: the list of a shared type, or the values that one of its keys
/// has had, of which the last counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    pub(super) first: Option<u32>,
    pub(super) last: Option<u32>,
}

/// What a shared type holds. Any type may have entries and a list.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) holder: Holder,
    pub(super) list: u32,
    pub(super) entries: BTreeMap<Box<str>, u32>,
}

/// How a shared type is named.
#[derive(Clone, Debug)]
pub(super) enum Holder {
    /// A root type, by its name.
    Root(Box<str>),
    /// A nested one, by the element that it is.
    Nested(Id),
}

impl Shape {
    /// Lays out the whole state of a document, as the document wrote it.
    pub(super) fn read(state: &[u8]) -> Result<Self, ApplyError> {
        let mut shape = Weave::new(&update::scan(state)?).finish()?;
        shape.hide_idle_marks();
        Ok(shape)
    }

    fn hide_idle_marks(&mut self) {
        if !self.pieces.iter().any(|piece| piece.is_visible && piece.kind == ContentKind::Format) {
            return;
        }
        for branch in 0..self.branches.len() as u32 {
            for idle in marks::idle(self.list(branch)) {
                let piece = &mut self.pieces[idle as usize];
                (piece.is_visible, piece.is_idle) = (false, true);
            }
        }
    }

    /// Bytes of the contents and keys that are visible, and of the roots' names.
    pub(super) fn bytes(&self) -> usize {
        let keys = (0..self.branches.len() as u32).flat_map(|branch| self.entries(branch)).map(|(key, _)| key.len());
        self.contents.len() + keys.sum::<usize>() + self.roots.keys().map(|name| name.len()).sum::<usize>()
    }

    pub(super) fn branch(&self, at: u32) -> &Branch {
        &self.branches[at as usize]
    }

    /// The visible elements of a type's list.
    pub(super) fn list(&self, branch: u32) -> impl Iterator<Item = Run<'_>> {
        self.all_of_list(branch).filter(|&at| self.pieces[at as usize].is_visible).map(|at| self.run(at))
    }

    /// The marks in a type's list that have no effect.
    pub(super) fn idle_marks(&self, branch: u32) -> impl Iterator<Item = Run<'_>> {
        self.all_of_list(branch).filter(|&at| self.pieces[at as usize].is_idle).map(|at| self.run(at))
    }

    pub(super) fn all_of_list(&self, branch: u32) -> impl Iterator<Item = u32> {
        let first = self.chains[self.branch(branch).list as usize].first;
        std::iter::successors(first, |&at| self.pieces[at as usize].right)
    }

    /// The visible entries of a type, by key.
    pub(super) fn entries(&self, branch: u32) -> impl Iterator<Item = (&str, Run<'_>)> {
        let chains = self.branch(branch).entries.iter();
        chains.filter_map(|(key, &chain)| self.value(chain).map(|value| (&**key, value)))
    }

    /// The visible entry of a type under this key.
    pub(super) fn entry(&self, branch: u32, key: &str) -> Option<Run<'_>> {
        self.value(*self.branch(branch).entries.get(key)?)
    }

    /// The last element that a type has had under this key, visible or not.
    pub(super) fn last_under(&self, branch: u32, key: &str) -> Option<Id> {
        let chain = self.branch(branch).entries.get(key)?;
        self.chains[*chain as usize].last.map(|last| self.run(last).last())
    }

    /// The first element of a type's list, visible or not.
    pub(super) fn first(&self, branch: u32) -> Option<Id> {
        self.chains[self.branch(branch).list as usize].first.map(|first| self.pieces[first as usize].id)
    }

    /// The element right behind a run, visible or not.
    pub(super) fn behind(&self, run: &Run<'_>) -> Option<Id> {
        let piece = &self.pieces[run.piece as usize];
        if run.end() < piece.end() {
            return Some(Id { clock: run.end(), ..run.id });
        }
        piece.right.map(|right| self.pieces[right as usize].id)
    }

    fn value(&self, chain: u32) -> Option<Run<'_>> {
        let last = self.chains[chain as usize].last?;
        self.pieces[last as usize].is_visible.then(|| self.run(last))
    }

    fn run(&self, at: u32) -> Run<'_> {
        let Piece { id, len, kind, ref content, branch, .. } = self.pieces[at as usize];
        Run { id, len, kind, content: &self.contents[content.clone()], piece: at, branch }
    }
}
