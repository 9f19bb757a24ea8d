//! Puts the pieces of a state into the order in which every Yjs replica has them.

use std::collections::{BTreeMap, HashSet};

use synapti_protocol::update::{ContentKind, Id, UpdateView};

use super::{
    pieces::{Pieces, Place},
    shape::{Branch, Chain, Holder, Shape},
};
use crate::replica::ApplyError;

/// Pieces on their way into chains.
pub(super) struct Weave<'a> {
    pieces: Pieces<'a>,
    chains: Vec<Chain>,
    branches: Vec<Branch>,
    roots: BTreeMap<Box<str>, u32>,
    /// The neighbours that each piece names: what it was written between.
    named: Vec<(Option<u32>, Option<u32>)>,
    /// How far each section has been woven.
    next: Vec<u32>,
}

impl<'a> Weave<'a> {
    pub(super) fn new(state: &UpdateView<'a>) -> Self {
        let pieces = Pieces::of(state);
        let next = pieces.sections.iter().map(|section| section.start).collect();
        let named = vec![(None, None); pieces.all.len()];
        let mut this = Self { pieces, chains: Vec::new(), branches: Vec::new(), roots: BTreeMap::new(), named, next };
        for at in 0..this.pieces.all.len() {
            let piece = &this.pieces.all[at];
            if piece.kind == ContentKind::Type {
                let holder = Holder::Nested(piece.id);
                this.pieces.all[at].branch = Some(this.add_branch(holder));
            }
        }
        this
    }

    /// Weaves everything in: each piece after those that it names and those that its client wrote before.
    pub(super) fn finish(mut self) -> Result<Shape, ApplyError> {
        let mut is_waiting = vec![false; self.next.len()];
        let mut stack = Vec::new();
        for first in 0..self.next.len() {
            stack.push((first, self.pieces.sections[first].end));
            while let Some(&(section, until)) = stack.last() {
                let missing = self.weave_until(section, until);
                is_waiting[section] = missing.is_some();
                match missing {
                    Some((other, _)) if is_waiting[other] => return Err(ApplyError::Circular),
                    Some(missing) => stack.push(missing),
                    None => drop(stack.pop()),
                }
            }
        }
        let Self { pieces: Pieces { all, contents, .. }, chains, branches, roots, .. } = self;
        Ok(Shape { pieces: all, contents, chains, branches, roots })
    }

    /// Weaves a section in, or answers which other one has to come how far first.
    fn weave_until(&mut self, section: usize, until: u32) -> Option<(usize, u32)> {
        while self.next[section] < until {
            let at = self.next[section];
            let Place { origin, right_origin, .. } = self.pieces.places[at as usize];
            let find = |id: Option<Id>| id.map(|id| self.pieces.find(id));
            let (left, right) = (find(origin), find(right_origin));
            // What names something that is not there is gone with it.
            if left != Some(None) && right != Some(None) {
                let (left, right) = (left.flatten(), right.flatten());
                for (other, named) in left.into_iter().chain(right) {
                    if self.next[other as usize] <= named {
                        return Some((other as usize, named + 1));
                    }
                }
                self.weave(at, left.map(|left| left.1), right.map(|right| right.1));
            }
            self.next[section] += 1;
        }
        None
    }

    fn weave(&mut self, at: u32, origin: Option<u32>, right_origin: Option<u32>) {
        let chain_of = |named: Option<u32>| named.map(|named| self.pieces.all[named as usize].chain);
        let chain = match (chain_of(origin), chain_of(right_origin)) {
            // A neighbour that is gone took this one with it.
            (Some(None), _) | (_, Some(None)) => None,
            (Some(chain), _) | (None, Some(chain)) => chain,
            (None, None) => self.chain_at(self.pieces.places[at as usize]),
        };
        let Some(chain) = chain else { return };
        self.named[at as usize] = (origin, right_origin);
        let left = self.left_of(at, chain);
        let right = self.right_of(left, chain);
        let piece = &mut self.pieces.all[at as usize];
        (piece.chain, piece.left, piece.right) = (Some(chain), left, right);
        match left {
            Some(left) => self.pieces.all[left as usize].right = Some(at),
            None => self.chains[chain as usize].first = Some(at),
        }
        match right {
            Some(right) => self.pieces.all[right as usize].left = Some(at),
            None => self.chains[chain as usize].last = Some(at),
        }
    }

    /// The piece that this one goes behind: what it was written behind, or one of those that others wrote at the same
    /// place. The rule is that of Yjs.
    fn left_of(&self, at: u32, chain: u32) -> Option<u32> {
        let (origin, right_origin) = self.named[at as usize];
        let client = |at: u32| self.pieces.all[at as usize].id.client;
        let (mut left, mut next) = (origin, self.right_of(origin, chain));
        let (mut passed, mut conflicting) = (HashSet::new(), HashSet::new());
        while let Some(other) = next.filter(|_| next != right_origin) {
            passed.insert(other);
            conflicting.insert(other);
            let (other_origin, other_right) = self.named[other as usize];
            if other_origin == origin {
                if client(other) < client(at) {
                    left = next;
                    conflicting.clear();
                } else if other_right == right_origin {
                    break;
                }
            } else if other_origin.is_some_and(|origin| passed.contains(&origin)) {
                if other_origin.is_some_and(|origin| !conflicting.contains(&origin)) {
                    left = next;
                    conflicting.clear();
                }
            } else {
                break;
            }
            next = self.right_of(next, chain);
        }
        left
    }

    fn right_of(&self, left: Option<u32>, chain: u32) -> Option<u32> {
        left.map_or(self.chains[chain as usize].first, |left| self.pieces.all[left as usize].right)
    }

    /// The chain that a piece without neighbours names.
    fn chain_at(&mut self, place: Place<'_>) -> Option<u32> {
        let branch = match (place.root, place.parent) {
            (Some(name), _) => self.root(name),
            (None, parent) => {
                let (_, piece) = self.pieces.find(parent?)?;
                self.pieces.all[piece as usize].branch?
            }
        };
        let Some(key) = place.key else { return Some(self.branches[branch as usize].list) };
        if let Some(&chain) = self.branches[branch as usize].entries.get(key) {
            return Some(chain);
        }
        let chain = self.add_chain();
        self.branches[branch as usize].entries.insert(key.into(), chain);
        Some(chain)
    }

    fn root(&mut self, name: &str) -> u32 {
        if let Some(&branch) = self.roots.get(name) {
            return branch;
        }
        let branch = self.add_branch(Holder::Root(name.into()));
        self.roots.insert(name.into(), branch);
        branch
    }

    fn add_branch(&mut self, holder: Holder) -> u32 {
        let list = self.add_chain();
        self.branches.push(Branch { holder, list, entries: BTreeMap::new() });
        self.branches.len() as u32 - 1
    }

    fn add_chain(&mut self) -> u32 {
        self.chains.push(Chain::default());
        self.chains.len() as u32 - 1
    }
}
