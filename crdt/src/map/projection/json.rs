//! The shape of the JSON.

use serde::{Serialize, Serializer};

use crate::map::state::{Proposed, Source};

/// A whole map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphJson {
    /// The map's id.
    pub id: String,
    /// What it is about; empty when it does not say.
    pub topic: String,
    /// All nodes, depth first.
    pub nodes: Vec<NodeJson>,
    /// The visible cross links and the edges of the tree.
    pub edges: Vec<EdgeJson>,
    /// Figures about the map.
    pub metadata: MetadataJson,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub last_modified: String,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeJson {
    /// Its id.
    pub id: String,
    /// Its title, whole.
    pub title: String,
    /// Its summary.
    pub summary: String,
    /// Where it is: its own place, or the layout's.
    pub position: PositionJson,
    /// `#RRGGBB`: its own, or one derived from its parent's.
    pub color: String,
    /// Its own size, or one derived from its parent's.
    #[serde(serialize_with = "number")]
    pub size: f64,
    /// Which of place, colour and size are its own; the others follow from layout and parent.
    pub given: Vec<Given>,
    /// Whether the AI may be asked for its children.
    pub expandable: bool,
    /// Its parent in the tree; null for the root and for floating topics.
    pub parent_id: Option<String>,
    /// Its neighbours in the tree and over cross links, sorted.
    pub connections: Vec<String>,
    /// Its order key.
    pub order: String,
    /// Steps up to the root or to its floating topic.
    pub depth: u32,
    /// Whether its branch is folded away.
    pub collapsed: bool,
    /// Who made it, when it is known.
    pub source: Option<Source>,
    /// The job that made it.
    pub run: Option<String>,
    /// `proposed`, or absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Proposed>,
    /// What it is to its parent, when somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relationship: Option<String>,
    /// How strong that is, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
}

/// What somebody may give to a node, and what otherwise follows from layout and parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Given {
    /// Its place.
    Position,
    /// Its colour.
    Color,
    /// Its size.
    Size,
}

impl Given {
    /// Reads the word that stands for it in the JSON.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "position" => Some(Self::Position),
            "color" => Some(Self::Color),
            "size" => Some(Self::Size),
            _ => None,
        }
    }
}

/// A place, rounded to two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PositionJson {
    /// Across.
    #[serde(serialize_with = "number")]
    pub x: f64,
    /// Up.
    #[serde(serialize_with = "number")]
    pub y: f64,
    /// Down the page.
    #[serde(serialize_with = "number")]
    pub z: f64,
}

impl PositionJson {
    pub(super) fn rounded(place: [f64; 3]) -> Self {
        let [x, y, z] = place.map(hundredths);
        Self { x, y, z }
    }
}

/// One edge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EdgeJson {
    /// Its id.
    pub id: String,
    /// The node that it leaves.
    pub source: String,
    /// The node that it reaches.
    pub target: String,
    /// What it says.
    pub relationship: String,
    /// 0 to 1.
    #[serde(serialize_with = "number")]
    pub strength: f64,
    /// True for the edges of the tree, which exist only in the view; absent otherwise.
    #[serde(skip_serializing_if = "is_false")]
    pub derived: bool,
}

/// Figures about a map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetadataJson {
    /// Seconds that its generation took.
    #[serde(serialize_with = "optional_number")]
    pub generation_time: Option<f64>,
    /// 0 to 1: how much there is to take in.
    #[serde(serialize_with = "number")]
    pub complexity_score: f64,
    /// How many nodes the AI may be asked to expand.
    pub total_expandable_nodes: usize,
    /// The model that generated it.
    pub ai_model_version: Option<String>,
}

/// Rounds to two decimals, without a negative zero. Numbers too large to have decimals stay as they are.
fn hundredths(value: f64) -> f64 {
    const WHOLE_FROM: f64 = 1e13;
    if value.abs() >= WHOLE_FROM {
        return value;
    }
    (value * 100.0).round() / 100.0 + 0.0
}

/// Writes whole numbers as JavaScript does: without a decimal point, and zero without a sign.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const SAFE_INTEGER_MAX: f64 = 9_007_199_254_740_991.0;
    if value.fract() == 0.0 && value.abs() <= SAFE_INTEGER_MAX {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

#[expect(clippy::ref_option, reason = "serde hands the field over by reference")]
fn optional_number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => number(value, serializer),
        None => serializer.serialize_none(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over by reference")]
fn is_false(value: &bool) -> bool {
    !value
}
