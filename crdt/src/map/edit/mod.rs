//! Typed edits of a map.
//!
//! Everything that can be refused is refused before the first write, so an edit is carried out whole or not at all.
//! Values that are already there are not written again: an edit that changes nothing adds nothing to the document.

mod apply;
mod check;
mod edge;
mod import;
mod node;
mod place;
mod size;
pub(super) mod text;
pub(super) mod write;

pub use apply::apply_edit;
pub(super) use node::add as add_node;
pub use size::takes_away;

use std::sync::Arc;

use super::state::{Proposed, Source};

/// One edit.
#[derive(Debug, Clone, PartialEq)]
pub enum MapEdit {
    /// Makes an empty document a map. Refused when it is one already.
    Init {
        /// What the map is about.
        topic: String,
        /// The first node. Its `parent`, `before` and `after` must be the defaults.
        root: Option<NewNode>,
        /// RFC 3339.
        created_at: String,
    },
    /// Makes an empty document the map of a file. Refused when there is anything in it. Shared, because maps are large.
    Import(Arc<ImportedMap>),
    /// Changes what is said of the map as a whole.
    PatchMeta {
        /// What the map is about.
        topic: Option<String>,
        /// The id of the node that becomes the root. What it leaves behind stays as a floating topic.
        root: Option<String>,
    },
    /// Adds a node. The first one becomes the root.
    AddNode(NewNode),
    /// Changes a node; moving it is part of this.
    PatchNode {
        /// The node.
        id: String,
        /// What changes.
        patch: NodePatch,
    },
    /// Removes a node. The root can only be removed when it is the last node.
    RemoveNode {
        /// The node.
        id: String,
        /// What becomes of its children.
        children: Children,
    },
    /// Adds a cross link.
    AddEdge(NewEdge),
    /// Changes a cross link.
    PatchEdge {
        /// The edge.
        id: String,
        /// What changes.
        patch: EdgePatch,
    },
    /// Removes a cross link.
    RemoveEdge {
        /// The edge.
        id: String,
    },
}

/// A node to add.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNode {
    /// Its id, which no node has yet.
    pub id: String,
    /// The title.
    pub title: String,
    /// The summary; may be empty.
    pub summary: String,
    /// What it hangs under.
    pub parent: ParentRef,
    /// The sibling that it is placed before; without `before` and `after` it comes last.
    pub before: Option<String>,
    /// The sibling that it is placed after.
    pub after: Option<String>,
    /// A fixed place; without one the layout chooses.
    pub pos: Option<[f64; 3]>,
    /// `#RRGGBB`.
    pub color: Option<String>,
    /// A positive number.
    pub size: Option<f64>,
    /// Whether the AI may be asked for its children; absent means yes.
    pub expandable: Option<bool>,
    /// Whether its branch is folded away; absent means no.
    pub collapsed: Option<bool>,
    /// Who makes it.
    pub source: Source,
    /// The job that makes it.
    pub run: Option<String>,
    /// Set when it only proposes itself.
    pub state: Option<Proposed>,
    /// What it is to its parent.
    pub relationship: Option<String>,
    /// How strong that is, 0 to 1.
    pub strength: Option<f64>,
}

impl NewNode {
    /// A person's node under the root, with nothing but a title.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            summary: String::new(),
            parent: ParentRef::Default,
            before: None,
            after: None,
            pos: None,
            color: None,
            size: None,
            expandable: None,
            collapsed: None,
            source: Source::Human,
            run: None,
            state: None,
            relationship: None,
            strength: None,
        }
    }
}

/// A map that was read from a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImportedMap {
    /// What it is about.
    pub topic: String,
    /// RFC 3339.
    pub created_at: String,
    /// How many seconds its generation took, if it was generated.
    pub generation_time: Option<f64>,
    /// The model that generated it.
    pub ai_model_version: Option<String>,
    /// The id of the root; `None` only without nodes.
    pub root: Option<String>,
    /// All nodes, with parents that are among them and form no cycle.
    pub nodes: Vec<ImportedNode>,
    /// Cross links between them.
    pub edges: Vec<NewEdge>,
}

/// One node of a map that was read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedNode {
    /// The node. Its `parent` is `Topic` or `Under`; `before` and `after` say nothing.
    pub node: NewNode,
    /// Its place among its siblings.
    pub order: String,
}

/// What a node shall hang under.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ParentRef {
    /// The parent of the sibling in `before` or `after`, else the root, when there is one.
    #[default]
    Default,
    /// Nothing: a topic of its own.
    Topic,
    /// The node with this id.
    Under(String),
}

/// Changes of a node. `None` leaves a value alone; the inner `None` of a double option clears it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodePatch {
    /// The new title. Only the part that differs is written, so that concurrent typing elsewhere in it is kept.
    pub title: Option<String>,
    /// The new summary, written like the title.
    pub summary: Option<String>,
    /// The new parent. A node that changes its parent comes last there, unless `before` or `after` says otherwise.
    pub parent: Option<ParentRef>,
    /// The sibling that it is placed before. Without `parent`, it moves to where that node is.
    pub before: Option<String>,
    /// The sibling that it is placed after, likewise.
    pub after: Option<String>,
    /// A fixed place.
    pub pos: Option<Option<[f64; 3]>>,
    /// `#RRGGBB`.
    pub color: Option<Option<String>>,
    /// A positive number.
    pub size: Option<Option<f64>>,
    /// Whether the AI may be asked for its children.
    pub expandable: Option<Option<bool>>,
    /// Whether its branch is folded away.
    pub collapsed: Option<Option<bool>>,
    /// Who made it.
    pub source: Option<Source>,
    /// The job that made it.
    pub run: Option<Option<String>>,
    /// Whether it only proposes itself.
    pub state: Option<Option<Proposed>>,
}

/// What becomes of the children of a removed node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Children {
    /// The whole branch is removed.
    #[default]
    Remove,
    /// They take the node's place under its parent.
    Lift,
}

/// A cross link to add.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEdge {
    /// Its id, which no edge has yet.
    pub id: String,
    /// The node that it leaves.
    pub source: String,
    /// The node that it reaches.
    pub target: String,
    /// What it says.
    pub relationship: String,
    /// 0 to 1.
    pub strength: f64,
}

/// Changes of a cross link. `None` leaves a value alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EdgePatch {
    /// The node that it leaves.
    pub source: Option<String>,
    /// The node that it reaches.
    pub target: Option<String>,
    /// What it says.
    pub relationship: Option<String>,
    /// 0 to 1.
    pub strength: Option<f64>,
}

/// Why an edit was refused. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The document is a map already.
    #[error("the map exists already")]
    AlreadyInitialised,
    /// No node has this id.
    #[error("there is no node `{0}`")]
    NodeNotFound(String),
    /// The new parent is no node.
    #[error("there is no node `{0}` to be the parent")]
    ParentNotFound(String),
    /// The node named in `before` or `after` is not under that parent.
    #[error("`{0}` is not a sibling there")]
    SiblingNotFound(String),
    /// No edge has this id.
    #[error("there is no edge `{0}`")]
    EdgeNotFound(String),
    /// A node has this id already.
    #[error("the node `{0}` exists already")]
    NodeExists(String),
    /// An edge has this id already.
    #[error("the edge `{0}` exists already")]
    EdgeExists(String),
    /// An end of an edge is no node.
    #[error("there is no node `{0}` to link")]
    EndpointNotFound(String),
    /// The new parent lies in the node's own branch.
    #[error("`{node}` cannot move under `{parent}`, which is part of its branch")]
    WouldCycle {
        /// The node to be moved.
        node: String,
        /// The parent that it was to have.
        parent: String,
    },
    /// The root cannot be removed while there are other nodes.
    #[error("the root `{0}` cannot be removed while the map has other nodes")]
    RootHasChildren(String),
    /// The root stays at the top.
    #[error("the root `{0}` cannot be moved")]
    RootCannotMove(String),
    /// A value is out of its range.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field that holds it.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

#[cfg(test)]
mod tests;
