//! The element of an answer that is being read.

use super::looks::Values;

/// What is known of it so far.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) title: Title,
    /// The summary so far, whether it is written anywhere or not.
    pub(super) summary: String,
    pub(super) values: Values,
}

/// How far its title is.
#[derive(Debug)]
pub(super) enum Title {
    /// Not on the map: it may still be one that is there already.
    Waiting(String),
    /// On the map, as a node.
    Begun {
        /// The node.
        id: String,
        /// The title so far.
        title: String,
    },
    /// It is of no use: it has no title or one that is there already, or there are enough.
    Dropped,
}

impl Default for Title {
    fn default() -> Self {
        Self::Waiting(String::new())
    }
}
