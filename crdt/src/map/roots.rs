//! The three root types that a map lives in.

use yrs::{Doc, MapRef};

/// The schema that this code writes into `meta.schema`.
pub const SCHEMA: i64 = 1;

/// The root types of a map.
///
/// They are resolved once, when the document is made: asking a document for a root type opens a transaction of its
/// own, which never returns while another one is open. They are handles into that document: keep them beside it, and
/// use them with no other.
#[derive(Debug, Clone)]
pub struct MapRoots {
    pub(crate) meta: MapRef,
    pub(crate) nodes: MapRef,
    pub(crate) edges: MapRef,
}

impl MapRoots {
    /// Finds or declares the root types of `doc`. No transaction may be open on it.
    pub fn resolve(doc: &Doc) -> Self {
        Self {
            meta: doc.get_or_insert_map("meta"),
            nodes: doc.get_or_insert_map("nodes"),
            edges: doc.get_or_insert_map("edges"),
        }
    }
}
