//! What has changed between two states of a map, as people speak of it.

use std::collections::BTreeMap;

use synapti_crdt::map::{EdgeState, MapState, NodeState};

/// A state, and the tree that follows from it.
#[derive(Debug, Default)]
pub struct View {
    /// The state.
    pub state: MapState,
    /// Each node's parent in the tree.
    parents: BTreeMap<String, Option<String>>,
    /// The root's id.
    pub root: Option<String>,
    /// Ids, depth first in sibling order, with their depths.
    pub outline: Vec<(String, u32)>,
}

/// One change. Ids are of nodes, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The map is about something else.
    Topic(String),
    /// There is a new node.
    Added(String),
    /// A node has gone.
    Removed {
        /// Which.
        id: String,
        /// What it was called.
        title: String,
    },
    /// A node has another title.
    Renamed {
        /// Which.
        id: String,
        /// What it was called.
        before: String,
    },
    /// A node hangs under another one, or elsewhere among its siblings.
    Moved {
        /// Which.
        id: String,
        /// What it hung under.
        before: Option<String>,
    },
    /// A node has another summary.
    Summary(String),
    /// Something else about a node.
    Looks {
        /// Which.
        id: String,
        /// The names of the fields.
        fields: Vec<&'static str>,
    },
    /// There is a new cross link; its id.
    Linked(String),
    /// A cross link is another one; its id.
    Relinked(String),
    /// A cross link has gone; its id, and what it was.
    Unlinked(String, Link),
}

/// A cross link that has gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The title of the node that it left.
    pub source: String,
    /// The title of the node that it reached.
    pub target: String,
}

impl View {
    /// Reads a state.
    pub fn new(state: MapState) -> Self {
        let tree = state.derive_tree();
        let ids: Vec<&String> = state.nodes.keys().collect();
        let id = |index: usize| ids[index].clone();
        let parents = tree.nodes.iter().enumerate().map(|(at, node)| (id(at), node.parent.map(id))).collect();
        let outline = tree.preorder().into_iter().map(|at| (id(at), tree.nodes[at].depth)).collect();
        let root = tree.root.map(id);
        Self { state, parents, root, outline }
    }

    /// What a node hangs under.
    pub fn parent(&self, id: &str) -> Option<&str> {
        self.parents.get(id)?.as_deref()
    }

    /// A node's title; empty when there is no such node.
    pub fn title(&self, id: &str) -> &str {
        self.state.nodes.get(id).map_or("", |node| node.title.as_str())
    }

    /// What makes the other state of this one: first what has gone, then what came, parents before children.
    pub fn changes(&self, after: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.state.topic != after.state.topic {
            changes.push(Change::Topic(after.state.topic.clone().unwrap_or_default()));
        }
        let gone = self.outline.iter().filter(|(id, _)| !after.state.nodes.contains_key(id));
        changes.extend(gone.map(|(id, _)| Change::Removed { id: id.clone(), title: self.title(id).to_owned() }));
        for (id, _) in &after.outline {
            match self.state.nodes.get(id) {
                Some(before) => self.compare(id, before, after, &mut changes),
                None => changes.push(Change::Added(id.clone())),
            }
        }
        self.compare_edges(after, &mut changes);
        changes
    }

    fn compare(&self, id: &str, before: &NodeState, after: &Self, changes: &mut Vec<Change>) {
        let now = &after.state.nodes[id];
        let owned = || id.to_owned();
        if before.title != now.title {
            changes.push(Change::Renamed { id: owned(), before: before.title.clone() });
        }
        if before.summary != now.summary {
            changes.push(Change::Summary(owned()));
        }
        if self.parent(id) != after.parent(id) || before.order != now.order {
            changes.push(Change::Moved { id: owned(), before: self.parent(id).map(str::to_owned) });
        }
        let fields = looks(before, now);
        if !fields.is_empty() {
            changes.push(Change::Looks { id: owned(), fields });
        }
    }

    fn compare_edges(&self, after: &Self, changes: &mut Vec<Change>) {
        for (id, edge) in self.state.edges.iter().filter(|(id, _)| !after.state.edges.contains_key(*id)) {
            changes.push(Change::Unlinked(id.clone(), self.link(edge)));
        }
        for (id, edge) in &after.state.edges {
            match self.state.edges.get(id) {
                None => changes.push(Change::Linked(id.clone())),
                Some(before) if before != edge => changes.push(Change::Relinked(id.clone())),
                Some(_) => {}
            }
        }
    }

    /// A cross link by the titles of its ends.
    pub fn link(&self, edge: &EdgeState) -> Link {
        Link { source: self.title(&edge.source).to_owned(), target: self.title(&edge.target).to_owned() }
    }
}

/// The fields that say how a node looks and where it came from, and differ.
fn looks(before: &NodeState, now: &NodeState) -> Vec<&'static str> {
    let differs = [
        ("position", before.pos != now.pos),
        ("color", before.color != now.color),
        ("size", before.size != now.size),
        ("expandable", before.expandable != now.expandable),
        ("collapsed", before.collapsed != now.collapsed),
        ("source", before.source != now.source),
        ("run", before.run != now.run),
        ("state", before.state != now.state),
    ];
    differs.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}
