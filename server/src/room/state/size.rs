//! How large a map is, and what may still be added to it.

use synapti_crdt::{
    Replica,
    map::{MapEdit, RunEdit},
};
use synapti_protocol::{
    limits::DOCUMENT_STRUCTS_MAX,
    update::{self, ContentKind, Struct, StructKind},
};

use super::RoomLimits;
use crate::room::{
    RoomError,
    batch::{Edit, map_edit_bytes, run_edit_bytes},
};

/// Blocks that one edit through the API adds at most, about; what it added is counted once it is integrated.
const MAP_EDIT_STRUCTS: usize = 64;

/// The same of each further node or edge that one edit brings.
const MAP_PART_STRUCTS: usize = 10;

/// A full map still takes edits that only delete; they split blocks, though, and may do so up to this many.
const DELETING_STRUCTS_MAX: usize = DOCUMENT_STRUCTS_MAX / 4 * 5;

/// The root type whose values are the nodes.
const NODES: &str = "nodes";

/// How the encoding says that a shared type is a map.
const TYPE_MAP: u8 = 1;

/// Of a map, or of what an edit may add to it at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Encoded.
    pub bytes: usize,
    /// Blocks in memory.
    pub structs: usize,
    /// Nodes of the map.
    pub nodes: usize,
}

/// Which limit an edit meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Bytes(usize),
    Structs,
    Nodes(usize),
}

impl Size {
    /// The exact size; costs an encoding of the whole map.
    pub fn count(replica: &Replica) -> Self {
        let snapshot = replica.snapshot();
        let structs = update::scan(&snapshot).map_or(0, |view| view.struct_count());
        Self { bytes: snapshot.len(), structs, nodes: replica.node_count() }
    }

    /// What a Yjs update may add, whatever the map has: a struct splits another one where it is inserted, and a range of
    /// deletes one at either end.
    pub(super) fn of_update(update: &[u8]) -> Self {
        let Ok(view) = update::scan(update) else { return Self { bytes: update.len(), ..Self::default() } };
        let structs = view.sections().flat_map(|section| section.structs());
        Self {
            bytes: update.len(),
            structs: 2 * (view.struct_count() + view.delete_range_count()),
            nodes: structs.filter(is_perhaps_node).count(),
        }
    }

    pub(super) fn of_edit(edit: &Edit) -> Self {
        match edit {
            Edit::Update { update, .. } => Self::of_update(update),
            Edit::Map { edit, .. } => Self::of_map_edit(edit),
            Edit::Run { edit, .. } => Self::of_run(edit),
        }
    }

    fn of_map_edit(edit: &MapEdit) -> Self {
        let structs = MAP_EDIT_STRUCTS + MAP_PART_STRUCTS * (edit.parts() - 1);
        Self { bytes: map_edit_bytes(edit), structs, nodes: edit.nodes_added() }
    }

    fn of_run(edit: &RunEdit) -> Self {
        let structs = MAP_EDIT_STRUCTS + MAP_PART_STRUCTS * (edit.parts() - 1);
        Self { bytes: run_edit_bytes(edit), structs, nodes: edit.nodes_added() }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.structs += other.structs;
        self.nodes += other.nodes;
    }

    /// What would be too much with `more`. What is not added to may be too much already.
    pub(super) fn exceeded_with(self, more: Self, limits: &RoomLimits) -> Option<Limit> {
        let is_over = |have: usize, more: usize, limit: usize| limit > 0 && more > 0 && have + more > limit;
        if is_over(self.bytes, more.bytes, limits.document_bytes_max) {
            Some(Limit::Bytes(limits.document_bytes_max))
        } else if is_over(self.nodes, more.nodes, limits.nodes_max) {
            Some(Limit::Nodes(limits.nodes_max))
        } else if is_over(self.structs, more.structs, DOCUMENT_STRUCTS_MAX) {
            Some(Limit::Structs)
        } else {
            None
        }
    }

    /// Whether a map of this size takes an edit that only deletes.
    pub(super) fn takes_deletion(self, more: Self) -> bool {
        self.structs + more.structs <= DELETING_STRUCTS_MAX
    }
}

/// Whether an empty map takes this edit: asked before there is one.
///
/// # Errors
/// Says which limit it meets.
pub fn fits_empty(edit: &MapEdit, limits: &RoomLimits) -> Result<(), RoomError> {
    let met = Size::default().exceeded_with(Size::of_map_edit(edit), limits);
    met.map_or(Ok(()), |limit| Err(limit.into()))
}

impl From<Limit> for RoomError {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Bytes(bytes_max) => Self::TooLarge { what: "the map with this edit", bytes_max },
            Limit::Nodes(count_max) => Self::TooMany { what: "nodes", count_max },
            Limit::Structs => Self::TooMany { what: "separate pieces of content", count_max: DOCUMENT_STRUCTS_MAX },
        }
    }
}

/// Whether a struct adds a node, as far as it says itself: at a key that was used before, it names only its neighbour.
fn is_perhaps_node(item: &Struct<'_>) -> bool {
    let is_map = item.kind == StructKind::Item(ContentKind::Type) && item.content.first() == Some(&TYPE_MAP);
    is_map && (item.origin.is_some() || item.right_origin.is_some() || item.root == Some(NODES))
}
