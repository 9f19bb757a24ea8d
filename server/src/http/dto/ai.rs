use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::check;
use crate::ai::jobs::request::{CoherenceRequest, ExpandRequest, GenerateRequest};

/// Characters of the topic of a map to grow.
const AI_TOPIC_CHARS_MAX: usize = 500;
/// Nodes of one generated map.
const NODES_MAX: usize = 50;
/// Children of one expanded node.
const CHILDREN_MAX: usize = 20;
/// Levels of one expansion.
const DEPTH_MAX: usize = 3;
/// Nodes that one request names.
const NODE_IDS_MAX: usize = 1_000;

/// A map to grow.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GenerateMap {
    /// What it is to be about.
    #[garde(length(chars, max = AI_TOPIC_CHARS_MAX), custom(check::visible))]
    #[schema(example = "Photosynthesis", min_length = 1, max_length = 500)]
    topic: String,
    /// Nodes beside the root, at most.
    #[serde(default = "nodes_default")]
    #[garde(range(min = 1, max = NODES_MAX))]
    #[schema(minimum = 1, maximum = 50, default = 8)]
    max_nodes: usize,
    /// In which style.
    #[serde(default = "style_default")]
    #[garde(length(chars, max = 64), custom(check::visible))]
    #[schema(example = "academic", max_length = 64, default = "academic")]
    style_preference: String,
    /// In which language, as a BCP 47 tag.
    #[serde(default = "language_default")]
    #[garde(custom(check::language))]
    #[schema(example = "en", max_length = 35, default = "en")]
    language: String,
    /// The id of the map: a free one, or that of an empty map which people may have open. A fresh one when absent.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "photosynthesis", pattern = "^[A-Za-z0-9._~-]{1,128}$")]
    pub graph_id: Option<String>,
}

/// What is wanted of an expansion.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpandNode {
    /// Children of each expanded node, at most.
    #[serde(default = "children_default")]
    #[garde(range(min = 1, max = CHILDREN_MAX))]
    #[schema(minimum = 1, maximum = 20, default = 5)]
    max_children: usize,
    /// What to look at.
    #[serde(default)]
    #[garde(length(max = 10), inner(length(chars, max = 200), custom(check::visible)))]
    #[schema(example = json!(["history"]), max_items = 10)]
    focus_areas: Vec<String>,
    /// Levels: 2 expands the children as well.
    #[serde(default = "depth_default")]
    #[garde(range(min = 1, max = DEPTH_MAX))]
    #[schema(minimum = 1, maximum = 3, default = 1)]
    expansion_depth: usize,
    /// In which language, as a BCP 47 tag; the map's when absent.
    #[serde(default)]
    #[garde(inner(custom(check::language)))]
    #[schema(example = "en", max_length = 35)]
    language: Option<String>,
}

/// What is wanted of a check.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckCoherence {
    /// In which language, as a BCP 47 tag; the map's when absent.
    #[serde(default)]
    #[garde(inner(custom(check::language)))]
    #[schema(example = "en", max_length = 35)]
    language: Option<String>,
}

/// Which nodes of a run.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChosenNodes {
    /// Only these; all when absent.
    #[serde(default)]
    #[garde(inner(length(min = 1, max = NODE_IDS_MAX), inner(custom(check::element_id))))]
    #[schema(example = json!(["mars"]), max_items = 1000)]
    pub node_ids: Option<Vec<String>>,
}

/// Nothing.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

fn nodes_default() -> usize {
    8
}

fn children_default() -> usize {
    5
}

fn depth_default() -> usize {
    1
}

fn style_default() -> String {
    "academic".to_owned()
}

fn language_default() -> String {
    "en".to_owned()
}

impl GenerateMap {
    /// The job, for a map with this root.
    pub fn into_request(self, root: String) -> GenerateRequest {
        let Self { topic, max_nodes, style_preference, language, .. } = self;
        GenerateRequest { topic: topic.trim().to_owned(), max_nodes, style_preference, language, root }
    }
}

impl ExpandNode {
    /// The job, for this node.
    pub fn into_request(self, node: String) -> ExpandRequest {
        let Self { max_children, focus_areas, expansion_depth, language } = self;
        ExpandRequest { node, max_children, focus_areas, expansion_depth, language }
    }
}

impl CheckCoherence {
    /// The job.
    pub fn into_request(self) -> CoherenceRequest {
        CoherenceRequest { language: self.language }
    }
}
