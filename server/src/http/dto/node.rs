#![expect(clippy::option_option, reason = "in a patch, absence, null and a value are three things")]

use garde::Validate;
use serde::Deserialize;
use synapti_crdt::map::{NewNode, NodePatch, ParentRef, Source};
use utoipa::ToSchema;

use super::{SUMMARY_CHARS_MAX, TITLE_CHARS_MAX, check, clearable, not_null};

/// A node to add.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateNode {
    /// Its id, 1 to 128 bytes without control characters; a UUID (version 7) when absent.
    #[garde(inner(custom(check::element_id)))]
    #[schema(example = "mars", max_length = 128)]
    id: Option<String>,
    /// The title.
    #[garde(length(chars, max = TITLE_CHARS_MAX))]
    #[schema(example = "Mars", max_length = 1000)]
    title: String,
    /// The summary.
    #[garde(length(chars, max = SUMMARY_CHARS_MAX))]
    #[schema(example = "The fourth planet.", max_length = 20000)]
    summary: Option<String>,
    /// The parent; absent = under the root, null = a floating topic. The first node of a map becomes its root.
    #[serde(default, deserialize_with = "clearable")]
    #[garde(inner(inner(custom(check::element_id))))]
    #[schema(value_type = Option<String>, example = "planets")]
    parent_id: Option<Option<String>>,
    /// The sibling that it is placed before.
    #[garde(custom(check::not_with(&self.after)))]
    #[schema(example = "jupiter")]
    before: Option<String>,
    /// The sibling that it is placed after. Without `before` and `after` it comes last.
    #[garde(skip)]
    after: Option<String>,
    /// A fixed place; without one the layout chooses.
    #[garde(dive)]
    position: Option<Position>,
    /// `#RRGGBB`; without one a tone of the parent's colour.
    #[garde(inner(custom(check::color)))]
    #[schema(example = "#EF4444", pattern = "^#[0-9A-Fa-f]{6}$")]
    color: Option<String>,
    /// Above 0 and at most 100; without one 0.8 of the parent's size.
    #[garde(inner(custom(check::size)))]
    #[schema(example = 1.2, maximum = 100)]
    size: Option<f64>,
    /// Whether it can be asked for children; absent = true.
    #[garde(skip)]
    expandable: Option<bool>,
    /// Whether its branch is folded away; absent = false.
    #[garde(skip)]
    collapsed: Option<bool>,
    /// Who made it: `human` (when absent), `ai`, `template` or `import`.
    #[garde(skip)]
    #[schema(value_type = Option<String>, example = "human")]
    source: Option<Source>,
}

impl CreateNode {
    /// The node and its id; `fresh_id` is used when the client chose none.
    pub fn into_node(self, fresh_id: impl FnOnce() -> String) -> NewNode {
        let id = self.id.unwrap_or_else(fresh_id);
        NewNode {
            summary: self.summary.unwrap_or_default(),
            parent: self.parent_id.map(parent).unwrap_or_default(),
            before: self.before,
            after: self.after,
            pos: self.position.map(Position::coordinates),
            color: self.color,
            size: self.size,
            expandable: self.expandable,
            collapsed: self.collapsed,
            source: self.source.unwrap_or(Source::Human),
            ..NewNode::new(id, self.title)
        }
    }
}

/// Changes of a node. Absent fields stay as they are; null clears.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchNode {
    /// The title.
    #[serde(default, deserialize_with = "not_null")]
    #[garde(length(chars, max = TITLE_CHARS_MAX))]
    #[schema(example = "Mars, the red planet", max_length = 1000, nullable = false)]
    title: Option<String>,
    /// The summary; null empties it.
    #[serde(default, deserialize_with = "clearable")]
    #[garde(inner(inner(length(chars, max = SUMMARY_CHARS_MAX))))]
    #[schema(value_type = Option<String>, max_length = 20000)]
    summary: Option<Option<String>>,
    /// Moves the node with its branch under this one; null makes it a floating topic.
    #[serde(default, deserialize_with = "clearable")]
    #[garde(inner(inner(custom(check::element_id))))]
    #[schema(value_type = Option<String>, example = "planets")]
    parent_id: Option<Option<String>>,
    /// The sibling that it is placed before. Without `parent_id`, it moves to where that one is.
    #[garde(custom(check::not_with(&self.after)))]
    before: Option<String>,
    /// The sibling that it is placed after, likewise.
    #[garde(skip)]
    after: Option<String>,
    /// A fixed place; null leaves it to the layout.
    #[serde(default, deserialize_with = "clearable")]
    #[garde(dive)]
    #[schema(value_type = Option<Position>)]
    position: Option<Option<Position>>,
    /// `#RRGGBB`; null takes the parent's tone.
    #[serde(default, deserialize_with = "clearable")]
    #[garde(inner(inner(custom(check::color))))]
    #[schema(value_type = Option<String>, example = "#EF4444", pattern = "^#[0-9A-Fa-f]{6}$")]
    color: Option<Option<String>>,
    /// Above 0 and at most 100; null derives it from the parent's.
    #[serde(default, deserialize_with = "clearable")]
    #[garde(inner(inner(custom(check::size))))]
    #[schema(value_type = Option<f64>, maximum = 100)]
    size: Option<Option<f64>>,
    /// Whether it can be asked for children; null means true.
    #[serde(default, deserialize_with = "clearable")]
    #[garde(skip)]
    #[schema(value_type = Option<bool>)]
    expandable: Option<Option<bool>>,
    /// Whether its branch is folded away; null means false.
    #[serde(default, deserialize_with = "clearable")]
    #[garde(skip)]
    #[schema(value_type = Option<bool>)]
    collapsed: Option<Option<bool>>,
    /// Who made it: `human`, `ai`, `template` or `import`.
    #[serde(default, deserialize_with = "not_null")]
    #[garde(skip)]
    #[schema(value_type = Option<String>, nullable = false, example = "human")]
    source: Option<Source>,
}

impl PatchNode {
    /// The changes.
    pub fn into_patch(self) -> NodePatch {
        NodePatch {
            title: self.title,
            summary: self.summary.map(Option::unwrap_or_default),
            parent: self.parent_id.map(parent),
            before: self.before,
            after: self.after,
            pos: self.position.map(|position| position.map(Position::coordinates)),
            color: self.color,
            size: self.size,
            expandable: self.expandable,
            collapsed: self.collapsed,
            source: self.source,
            ..NodePatch::default()
        }
    }
}

/// A place in the room.
#[derive(Clone, Copy, Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// To the right.
    #[garde(custom(check::coordinate))]
    #[schema(example = 4.0, minimum = -1_000_000, maximum = 1_000_000)]
    x: f64,
    /// Upwards.
    #[garde(custom(check::coordinate))]
    #[schema(example = 0.25, minimum = -1_000_000, maximum = 1_000_000)]
    y: f64,
    /// Towards the viewer.
    #[garde(custom(check::coordinate))]
    #[schema(example = -2.5, minimum = -1_000_000, maximum = 1_000_000)]
    z: f64,
}

impl Position {
    fn coordinates(self) -> [f64; 3] {
        [self.x, self.y, self.z]
    }
}

fn parent(id: Option<String>) -> ParentRef {
    id.map_or(ParentRef::Topic, ParentRef::Under)
}
