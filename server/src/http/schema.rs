//! Shapes of responses that other crates make, for the API's description. A test compares them with real responses.

#![expect(dead_code, reason = "only their descriptions are used")]

use utoipa::ToSchema;

use super::dto::Position;

/// A map as JSON.
#[derive(ToSchema)]
pub struct Graph {
    /// Its id.
    #[schema(example = "solar-system")]
    id: String,
    /// What it is about.
    #[schema(example = "The solar system")]
    topic: String,
    /// All nodes, depth first, siblings in their order.
    nodes: Vec<Node>,
    /// Cross links, and one `contains` edge from each parent to each child.
    edges: Vec<Edge>,
    /// Figures of the map as a whole.
    metadata: Metadata,
    /// RFC 3339.
    #[schema(format = DateTime, example = "2026-01-01T00:00:00Z")]
    created_at: String,
    /// RFC 3339.
    #[schema(format = DateTime, example = "2026-01-01T00:00:00Z")]
    last_modified: String,
}

/// A node of a map.
#[derive(ToSchema)]
pub struct Node {
    /// Its id.
    #[schema(example = "mars")]
    id: String,
    /// The title.
    #[schema(example = "Mars")]
    title: String,
    /// The summary.
    #[schema(example = "The fourth planet.")]
    summary: String,
    /// Where it is, given or laid out; two decimals.
    position: Position,
    /// Its colour, given or derived.
    #[schema(example = "#EF4444")]
    color: String,
    /// Its size, given or derived.
    #[schema(example = 1.2)]
    size: f64,
    /// Which of `position`, `color` and `size` are given; the others are laid out or derived.
    #[schema(example = json!(["color"]))]
    given: Vec<String>,
    /// Whether it can be asked for children.
    expandable: bool,
    /// Whether its branch is folded away.
    collapsed: bool,
    /// The parent in the derived tree; null for the root and for floating topics.
    #[schema(example = "planets")]
    parent_id: Option<String>,
    /// Ids of its neighbours in the tree and through cross links.
    #[schema(example = json!(["earth", "planets"]))]
    connections: Vec<String>,
    /// Fractional index among its siblings, compared bytewise.
    #[schema(example = "a1")]
    order: String,
    /// Steps from the top of its tree.
    #[schema(example = 2)]
    depth: u32,
    /// `human`, `ai`, `template` or `import`.
    #[schema(example = "human")]
    source: Option<String>,
    /// The job of the AI run that made it.
    run: Option<String>,
    /// `proposed` while it waits for somebody to accept it.
    state: Option<String>,
}

/// An edge of a map.
#[derive(ToSchema)]
pub struct Edge {
    /// Its id.
    #[schema(example = "mars-earth")]
    id: String,
    /// The node that it leaves.
    #[schema(example = "mars")]
    source: String,
    /// The node that it reaches.
    #[schema(example = "earth")]
    target: String,
    /// What it says; `contains` for edges of the tree.
    #[schema(example = "neighbour of")]
    relationship: String,
    /// 0 to 1.
    #[schema(example = 0.8)]
    strength: f64,
    /// True for edges of the tree, which follow from `parent_id` and cannot be edited.
    derived: Option<bool>,
}

/// Figures of a map as a whole.
#[derive(ToSchema)]
pub struct Metadata {
    /// Seconds that the AI took to make it.
    generation_time: Option<f64>,
    /// 0 to 1.
    #[schema(example = 0.25)]
    complexity_score: f64,
    /// Nodes that can be asked for children.
    #[schema(example = 12)]
    total_expandable_nodes: u64,
    /// The model that made it.
    ai_model_version: Option<String>,
}
