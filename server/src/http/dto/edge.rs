use garde::Validate;
use serde::Deserialize;
use synapti_crdt::map::{EdgePatch, NewEdge};
use utoipa::ToSchema;

use super::{RELATIONSHIP_CHARS_MAX, check, not_null};

/// What an edge says when its maker does not say anything.
const RELATIONSHIP_DEFAULT: &str = "related";
/// How strong an edge is when its maker does not say.
const STRENGTH_DEFAULT: f64 = 1.0;

/// A cross link to add.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEdge {
    /// Its id, 1 to 128 bytes without control characters; a UUID (version 7) when absent.
    #[garde(inner(custom(check::element_id)))]
    #[schema(example = "mars-earth", max_length = 128)]
    id: Option<String>,
    /// The node that it leaves.
    #[garde(custom(check::element_id))]
    #[schema(example = "mars", max_length = 128)]
    source: String,
    /// The node that it reaches.
    #[garde(custom(check::element_id))]
    #[schema(example = "earth", max_length = 128)]
    target: String,
    /// What it says; `related` when absent.
    #[garde(length(chars, max = RELATIONSHIP_CHARS_MAX))]
    #[schema(example = "neighbour of", max_length = 200)]
    relationship: Option<String>,
    /// 0 to 1; 1 when absent.
    #[garde(inner(range(min = 0.0, max = 1.0)))]
    #[schema(example = 0.8, minimum = 0, maximum = 1)]
    strength: Option<f64>,
}

impl CreateEdge {
    /// The edge; `fresh_id` is used when the client chose no id.
    pub fn into_edge(self, fresh_id: impl FnOnce() -> String) -> NewEdge {
        NewEdge {
            id: self.id.unwrap_or_else(fresh_id),
            source: self.source,
            target: self.target,
            relationship: self.relationship.unwrap_or_else(|| RELATIONSHIP_DEFAULT.to_owned()),
            strength: self.strength.unwrap_or(STRENGTH_DEFAULT),
        }
    }
}

/// Changes of a cross link. Absent fields stay as they are.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchEdge {
    /// The node that it leaves.
    #[serde(default, deserialize_with = "not_null")]
    #[garde(inner(custom(check::element_id)))]
    #[schema(example = "mars", max_length = 128, nullable = false)]
    source: Option<String>,
    /// The node that it reaches.
    #[serde(default, deserialize_with = "not_null")]
    #[garde(inner(custom(check::element_id)))]
    #[schema(example = "venus", max_length = 128, nullable = false)]
    target: Option<String>,
    /// What it says.
    #[serde(default, deserialize_with = "not_null")]
    #[garde(length(chars, max = RELATIONSHIP_CHARS_MAX))]
    #[schema(example = "larger than", max_length = 200, nullable = false)]
    relationship: Option<String>,
    /// 0 to 1.
    #[serde(default, deserialize_with = "not_null")]
    #[garde(inner(range(min = 0.0, max = 1.0)))]
    #[schema(example = 0.3, minimum = 0, maximum = 1, nullable = false)]
    strength: Option<f64>,
}

impl PatchEdge {
    /// The changes.
    pub fn into_patch(self) -> EdgePatch {
        EdgePatch { source: self.source, target: self.target, relationship: self.relationship, strength: self.strength }
    }
}
