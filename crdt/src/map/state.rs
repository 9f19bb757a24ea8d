//! A map as plain data, free of the document that it was read from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tree::{self, ParentLink, Tree, TreeInput};

/// Everything that schema 1 says about one map, as far as the document can be understood.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MapState {
    /// The schema that the document claims, when it claims one.
    pub schema: Option<i64>,
    /// What the map is about.
    pub topic: Option<String>,
    /// The node that `meta.root` names; it need not exist.
    pub root: Option<String>,
    /// When the map was made, as it is written in the document.
    pub created_at: Option<String>,
    /// In which language it is, as a BCP 47 tag, when it says so.
    pub language: Option<String>,
    /// How many seconds its generation took, if it was generated.
    pub generation_time: Option<f64>,
    /// The model that generated it.
    pub ai_model_version: Option<String>,
    /// The nodes by id, in the bytewise order of their ids.
    pub nodes: BTreeMap<String, NodeState>,
    /// The cross links by id. Links to missing nodes are kept here: hiding them is up to the view.
    pub edges: BTreeMap<String, EdgeState>,
}

impl MapState {
    /// Derives the tree. Its indices count the nodes in the order of `self.nodes`.
    pub fn derive_tree(&self) -> Tree {
        let input: Vec<TreeInput<'_>> = self
            .nodes
            .iter()
            .map(|(id, node)| TreeInput { id, parent: node.parent.as_deref(), order: &node.order })
            .collect();
        tree::derive(&input, self.root.as_deref())
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeState {
    /// The title; empty when there is none.
    pub title: String,
    /// The summary; empty when there is none.
    pub summary: String,
    /// The parent as it is stored, which is not always the one that the tree gives it.
    pub parent: ParentLink<String>,
    /// The place among siblings, compared bytewise; empty (first) when there is none.
    pub order: String,
    /// Where somebody put it; `None` leaves the place to the layout.
    pub pos: Option<[f64; 3]>,
    /// `#RRGGBB`, when it is one.
    pub color: Option<String>,
    /// The size, when it is a positive number.
    pub size: Option<f64>,
    /// Whether the AI may be asked for its children.
    pub expandable: bool,
    /// Whether its branch is folded away.
    pub collapsed: bool,
    /// Who made it.
    pub source: Option<Source>,
    /// The job that made it.
    pub run: Option<String>,
    /// Set while it only proposes itself.
    pub state: Option<Proposed>,
    /// What it is to its parent, when somebody said so.
    pub relationship: Option<String>,
    /// How strong that is, 0 to 1.
    pub strength: Option<f64>,
}

impl Default for NodeState {
    fn default() -> Self {
        Self {
            title: String::new(),
            summary: String::new(),
            parent: ParentLink::Null,
            order: String::new(),
            pos: None,
            color: None,
            size: None,
            expandable: true,
            collapsed: false,
            source: None,
            run: None,
            state: None,
            relationship: None,
            strength: None,
        }
    }
}

/// One cross link.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeState {
    /// The id of the node that it leaves.
    pub source: String,
    /// The id of the node that it reaches.
    pub target: String,
    /// What it says.
    pub relationship: Option<String>,
    /// How strong it is, 0 to 1.
    pub strength: Option<f64>,
}

/// Who made a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A person.
    Human,
    /// A language model.
    Ai,
    /// The built-in template.
    Template,
    /// An imported file.
    Import,
}

impl Source {
    /// The word that stands for it in the document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Ai => "ai",
            Self::Template => "template",
            Self::Import => "import",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [Self::Human, Self::Ai, Self::Template, Self::Import].into_iter().find(|source| source.as_str() == word)
    }
}

/// The only value that a node's `state` has so far: it waits for somebody to accept it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposed;

impl Proposed {
    /// The word that stands for it in the document.
    pub const WORD: &'static str = "proposed";
}

impl Serialize for Proposed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Self::WORD)
    }
}
