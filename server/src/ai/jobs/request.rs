//! What somebody asked for, as it is kept with the job.

use serde::{Deserialize, Serialize};

/// A new map from a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// What the map is to be about.
    pub topic: String,
    /// Nodes at most, beside the root.
    pub max_nodes: usize,
    /// In which style.
    pub style_preference: String,
    /// In which language.
    pub language: String,
    /// The map's root, which is there already.
    pub root: String,
}

/// Children for a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpandRequest {
    /// The node.
    pub node: String,
    /// Children of each expanded node, at most.
    pub max_children: usize,
    /// What to look at.
    pub focus_areas: Vec<String>,
    /// Levels of nodes.
    pub expansion_depth: usize,
    /// In which language; `None` = the map's.
    pub language: Option<String>,
}

/// What a map is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoherenceRequest {
    /// In which language; `None` = the map's.
    pub language: Option<String>,
}

/// What a job is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobRequest {
    /// See [`GenerateRequest`].
    Generate(GenerateRequest),
    /// See [`ExpandRequest`].
    Expand(ExpandRequest),
    /// See [`CoherenceRequest`].
    Coherence(CoherenceRequest),
}
