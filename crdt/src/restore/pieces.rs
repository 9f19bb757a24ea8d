//! A state in pieces, cut wherever one of its structs refers to.

use std::{collections::HashMap, ops::Range};

use synapti_protocol::update::{ContentKind, DeleteRange, Id, StructKind, UpdateView};

use super::run::Run;

/// Elements that nothing separates.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) id: Id,
    pub(super) len: u32,
    pub(super) kind: ContentKind,
    pub(super) is_visible: bool,
    /// A text's mark that is not deleted but has no effect: not visible.
    pub(super) is_idle: bool,
    /// Where in the shape's contents it has its own, if it is visible.
    pub(super) content: Range<usize>,
    /// What it holds if it is a shared type.
    pub(super) branch: Option<u32>,
    /// The chain that it is woven into.
    pub(super) chain: Option<u32>,
    pub(super) left: Option<u32>,
    pub(super) right: Option<u32>,
}

impl Piece {
    /// The clock after its last element.
    pub(super) fn end(&self) -> u32 {
        self.id.clock + self.len
    }
}

/// Where a piece says that it belongs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'a> {
    pub(super) origin: Option<Id>,
    pub(super) right_origin: Option<Id>,
    pub(super) parent: Option<Id>,
    pub(super) root: Option<&'a str>,
    pub(super) key: Option<&'a str>,
}

/// The pieces of one client, in the order of their clocks.
pub(super) type Section = Range<u32>;

/// All pieces of a state, each with its place, and the bytes of those that are visible.
#[derive(Debug, Default)]
pub(super) struct Pieces<'a> {
    pub(super) all: Vec<Piece>,
    pub(super) places: Vec<Place<'a>>,
    pub(super) contents: Vec<u8>,
    pub(super) sections: Vec<Section>,
    by_client: HashMap<u64, u32>,
}

impl<'a> Pieces<'a> {
    /// Cuts a state; its delete set has to be whole, as it is in what a document wrote.
    pub(super) fn of(state: &UpdateView<'a>) -> Self {
        let cuts = cuts(state);
        let mut deleted: Vec<DeleteRange> = state.delete_set().collect();
        deleted.sort_unstable();
        let mut this = Self::default();
        for section in state.sections() {
            let start = this.all.len() as u32;
            for item in section.structs() {
                let Some(place) = (item.kind != StructKind::Gc && item.kind != StructKind::Skip).then_some(Place {
                    origin: item.origin,
                    right_origin: item.right_origin,
                    parent: item.parent,
                    root: item.root,
                    key: item.key,
                }) else {
                    this.push(Run::of(section.client, &item), Place::default(), false);
                    continue;
                };
                let mut origin = place.origin;
                for run in Run::of(section.client, &item).cut(&cuts) {
                    let is_visible = run.kind != ContentKind::Deleted && !is_deleted(&deleted, run.id);
                    this.push(run, Place { origin, ..place }, is_visible);
                    origin = Some(run.last());
                }
            }
            this.by_client.insert(section.client, this.sections.len() as u32);
            this.sections.push(start..this.all.len() as u32);
        }
        this
    }

    /// The section and the piece that an element is in.
    pub(super) fn find(&self, id: Id) -> Option<(u32, u32)> {
        let at = *self.by_client.get(&id.client)?;
        let Range { start, end } = self.sections[at as usize].clone();
        let pieces = &self.all[start as usize..end as usize];
        let behind = pieces.partition_point(|piece| piece.id.clock <= id.clock);
        let piece = behind.checked_sub(1)?;
        (id.clock < pieces[piece].end()).then_some((at, start + piece as u32))
    }

    fn push(&mut self, run: Run<'_>, place: Place<'a>, is_visible: bool) {
        let start = self.contents.len();
        if is_visible {
            self.contents.extend_from_slice(run.content);
        }
        self.places.push(place);
        self.all.push(Piece {
            id: run.id,
            len: run.len,
            kind: run.kind,
            is_visible,
            is_idle: false,
            content: start..self.contents.len(),
            branch: None,
            chain: None,
            left: None,
            right: None,
        });
    }
}

/// The elements that are to begin a piece, sorted.
fn cuts(state: &UpdateView<'_>) -> Vec<Id> {
    let mut cuts = Vec::new();
    for item in state.sections().flat_map(|section| section.structs()) {
        cuts.extend(item.origin.map(|Id { client, clock }| Id { client, clock: clock + 1 }));
        cuts.extend(item.right_origin);
    }
    for DeleteRange { client, clock, len } in state.delete_set() {
        cuts.extend([Id { client, clock }, Id { client, clock: clock + len }]);
    }
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

fn is_deleted(deleted: &[DeleteRange], id: Id) -> bool {
    let behind = deleted.partition_point(|range| (range.client, range.clock) <= (id.client, id.clock));
    let before = behind.checked_sub(1).map(|at| deleted[at]);
    before.is_some_and(|range| range.client == id.client && id.clock < range.clock + range.len)
}
