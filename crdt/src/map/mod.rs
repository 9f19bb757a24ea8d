//! The mind map that a Yjs document carries (schema 1).
//!
//! Reading is tolerant: a document may hold anything, and the map is what can be understood of it. Writing is
//! strict: an edit is checked against the map first and is then carried out whole or not at all.

pub mod color;
pub mod edit;
pub mod export;
mod format;
pub mod import;
pub mod layout;
pub mod order;
mod outline;
pub mod projection;
pub mod read;
pub mod roots;
mod run;
pub mod state;
pub mod tree;

pub use edit::{
    Children, EdgePatch, EditError, ImportedMap, ImportedNode, MapEdit, NewEdge, NewNode, NodePatch, ParentRef,
    apply_edit, takes_away,
};
pub use format::Format;
pub use projection::{GraphJson, ProjectionContext, project};
pub(crate) use read::child_maps;
pub use read::{read_map, read_topic};
pub use roots::MapRoots;
pub use run::{
    Fate, GrowField, GrowStep, Grown, Growth, IdRange, Looks, MetaValue, RunEdit, RunOutcome, Settled, Settlement,
    Verdict, title_key,
};
pub(crate) use run::{grow, settle};
pub use state::{EdgeState, MapState, NodeState, Proposed, Source};
