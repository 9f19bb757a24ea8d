//! One edit as people and scripts write it.

use serde::Deserialize;
use synapti_crdt::map::{Children, MapEdit, NewNode, NodePatch, ParentRef};

/// An edit. In scripts it is one JSON object, as `{"op": "add", "title": "Ownership"}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum Operation {
    /// Adds a node.
    Add {
        /// Its title.
        title: String,
        /// What it hangs under; the root when absent.
        #[serde(default)]
        parent: Option<String>,
        /// Its summary.
        #[serde(default)]
        summary: Option<String>,
        /// Its id; a fresh one when absent.
        #[serde(default)]
        id: Option<String>,
    },
    /// Gives a node another title.
    Rename {
        /// Which.
        id: String,
        /// The title.
        title: String,
    },
    /// Gives a node another summary.
    Summary {
        /// Which.
        id: String,
        /// The summary; may be empty.
        #[serde(alias = "text")]
        summary: String,
    },
    /// Hangs a node, with its branch, under another one.
    Move {
        /// Which.
        id: String,
        /// The other one.
        #[serde(alias = "under")]
        parent: String,
    },
    /// Removes a node, with its branch.
    Remove {
        /// Which.
        id: String,
    },
    /// Says what the map is about.
    Topic {
        /// It.
        #[serde(alias = "text")]
        topic: String,
    },
}

impl Operation {
    /// The node that it is about, for those that are about one. `fresh` is used for a new node without an id.
    pub fn node(&mut self, fresh: impl FnOnce() -> String) -> Option<&str> {
        match self {
            Self::Add { id, .. } => Some(id.get_or_insert_with(fresh)),
            Self::Rename { id, .. } | Self::Summary { id, .. } | Self::Move { id, .. } | Self::Remove { id } => {
                Some(id)
            }
            Self::Topic { .. } => None,
        }
    }

    /// The same for the map. A new node has to have an id by now.
    pub fn into_edit(self) -> MapEdit {
        let patch = |id, patch| MapEdit::PatchNode { id, patch };
        match self {
            Self::Add { title, parent, summary, id } => MapEdit::AddNode(NewNode {
                parent: parent.map_or(ParentRef::Default, ParentRef::Under),
                summary: summary.unwrap_or_default(),
                ..NewNode::new(id.unwrap_or_default(), title)
            }),
            Self::Rename { id, title } => patch(id, NodePatch { title: Some(title), ..NodePatch::default() }),
            Self::Summary { id, summary } => patch(id, NodePatch { summary: Some(summary), ..NodePatch::default() }),
            Self::Move { id, parent } => {
                patch(id, NodePatch { parent: Some(ParentRef::Under(parent)), ..NodePatch::default() })
            }
            Self::Remove { id } => MapEdit::RemoveNode { id, children: Children::Remove },
            Self::Topic { topic } => MapEdit::PatchMeta { topic: Some(topic), root: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_script_is_an_operation() {
        let read = |line: &str| serde_json::from_str::<Operation>(line);
        let mut add = read(r#"{"op":"add","title":"Bees","parent":"animals"}"#).unwrap();
        assert_eq!(add.node(|| "fresh".to_owned()), Some("fresh"));
        let MapEdit::AddNode(node) = add.into_edit() else { panic!("it adds a node") };
        assert_eq!((node.id.as_str(), node.title.as_str()), ("fresh", "Bees"));
        assert_eq!(node.parent, ParentRef::Under("animals".to_owned()));
        let same = [r#"{"op":"move","id":"a","under":"b"}"#, r#"{"op":"move","id":"a","parent":"b"}"#];
        assert_eq!(read(same[0]).unwrap(), read(same[1]).unwrap());
        assert_eq!(read(r#"{"op":"topic","topic":"x"}"#).unwrap().node(|| panic!("it has none")), None);
        for wrong in [r#"{"op":"dance"}"#, r#"{"op":"add"}"#, r#"{"op":"remove","id":"a","idd":"b"}"#, "[]", "{"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
