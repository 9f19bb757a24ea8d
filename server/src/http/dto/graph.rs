use garde::Validate;
use serde::Deserialize;
use synapti_crdt::map::{MapEdit, NewNode};
use utoipa::ToSchema;

use super::{TOPIC_CHARS_MAX, check, not_null};

/// A graph to make. Everything is optional.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateGraph {
    /// Its id, 1 to 128 characters of `A-Z a-z 0-9 . _ ~ -`; a UUID (version 7) when absent.
    #[garde(skip)]
    #[schema(example = "solar-system", pattern = "^[A-Za-z0-9._~-]{1,128}$")]
    pub id: Option<String>,
    /// What it is about. With a topic, the root node is made as well, with the topic as its title.
    #[garde(length(chars, max = TOPIC_CHARS_MAX))]
    #[schema(example = "The solar system", max_length = 1000)]
    pub topic: Option<String>,
}

impl CreateGraph {
    /// The edit that makes a map of an empty document. `root_id` is used when there is a topic.
    pub fn into_edit(self, root_id: String, created_at: String) -> MapEdit {
        let topic = self.topic.unwrap_or_default();
        let root = (!topic.is_empty()).then(|| NewNode::new(root_id, topic.clone()));
        MapEdit::Init { topic, root, created_at }
    }
}

/// Changes of a graph as a whole.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchGraph {
    /// What it is about.
    #[serde(default, deserialize_with = "not_null")]
    #[garde(length(chars, max = TOPIC_CHARS_MAX))]
    #[schema(example = "Planets", max_length = 1000, nullable = false)]
    pub topic: Option<String>,
    /// The node that becomes the root; the old one stays as a floating topic.
    #[serde(default, deserialize_with = "not_null")]
    #[garde(inner(custom(check::element_id)))]
    #[schema(example = "sun", max_length = 128, nullable = false)]
    pub root: Option<String>,
}

impl PatchGraph {
    /// The edit; `None` when nothing is to change.
    pub fn into_edit(self) -> Option<MapEdit> {
        let changes = self.topic.is_some() || self.root.is_some();
        changes.then_some(MapEdit::PatchMeta { topic: self.topic, root: self.root })
    }
}
