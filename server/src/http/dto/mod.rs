//! What clients send, with its limits, and how it becomes an edit of the map.

mod ai;
mod check;
mod edge;
mod graph;
mod node;
mod ticket;
mod version;

pub use ai::{CheckCoherence, ChosenNodes, ExpandNode, GenerateMap, Nothing};
pub use edge::{CreateEdge, PatchEdge};
pub use graph::{CreateGraph, PatchGraph};
pub use node::{CreateNode, PatchNode, Position};
pub use ticket::CreateTicket;
pub use version::{CreateVersion, PatchVersion, RestoreVersion};

use serde::{Deserialize, Deserializer};

/// Characters of a title.
pub const TITLE_CHARS_MAX: usize = 1_000;
/// Characters of a summary.
pub const SUMMARY_CHARS_MAX: usize = 20_000;
/// Characters of a topic.
pub const TOPIC_CHARS_MAX: usize = 1_000;
/// Characters of a relationship.
pub const RELATIONSHIP_CHARS_MAX: usize = 200;
/// Characters of a version's name.
pub const VERSION_NAME_CHARS_MAX: usize = 200;
/// Characters of an author's name.
pub const AUTHOR_CHARS_MAX: usize = 200;
/// Bytes of the id of a node or an edge.
pub const ELEMENT_ID_BYTES_MAX: usize = 128;
/// Largest distance from the origin on one axis.
pub const COORDINATE_MAX: f64 = 1e6;
/// Largest size of a node.
pub const SIZE_MAX: f64 = 100.0;

#[expect(clippy::option_option, reason = "in a patch, absence, null and a value are three things")]
/// For a field that null clears: absent is `None`, null is `Some(None)`.
fn clearable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// For a field that may be absent but not null.
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
