//! A map and its changes as JSON, one object for each line.

use std::collections::HashMap;

use serde_json::{Value, json};
use synapti_crdt::map::{GraphJson, ProjectionContext, project};

use super::changes::{Change, View};

/// The map as `GET /v1/graphs/{id}` answers it, without what only the server knows (when it changed last).
pub fn graph(view: &View, id: &str) -> Value {
    let mut graph = json!(projected(view, id));
    if let Some(fields) = graph.as_object_mut() {
        fields.remove("last_modified");
        if view.state.created_at.is_none() {
            fields.remove("created_at");
        }
    }
    graph
}

/// Changes as events.
pub fn events(changes: &[Change], before: &View, after: &View, id: &str) -> Vec<Value> {
    if changes.is_empty() {
        return Vec::new();
    }
    let shown = Shown::new(projected(after, id));
    changes.iter().map(|change| event(change, before, after, &shown)).collect()
}

struct Shown {
    nodes: HashMap<String, Value>,
    edges: HashMap<String, Value>,
}

impl Shown {
    fn new(graph: GraphJson) -> Self {
        let nodes = graph.nodes.into_iter().map(|node| (node.id.clone(), json!(node))).collect();
        let edges = graph.edges.into_iter().map(|edge| (edge.id.clone(), json!(edge))).collect();
        Self { nodes, edges }
    }

    fn node(&self, id: &str) -> Value {
        self.nodes.get(id).cloned().unwrap_or_default()
    }

    /// Null for a link that the map does not show, because a node at its end is missing.
    fn edge(&self, id: &str) -> Value {
        self.edges.get(id).cloned().unwrap_or_default()
    }
}

fn event(change: &Change, before: &View, after: &View, shown: &Shown) -> Value {
    let changed = |id: &str, fields: &[&str]| json!({"event": "changed", "node": shown.node(id), "fields": fields});
    match change {
        Change::Topic(topic) => json!({"event": "topic", "topic": topic}),
        Change::Added(id) => json!({"event": "added", "node": shown.node(id)}),
        Change::Removed { id, title } => json!({"event": "removed", "id": id, "title": title}),
        Change::Renamed { id, .. } => changed(id, &["title"]),
        Change::Summary(id) => changed(id, &["summary"]),
        Change::Looks { id, fields } => changed(id, fields),
        Change::Moved { id, before } => {
            json!({"event": "moved", "node": shown.node(id), "from": before, "to": after.parent(id)})
        }
        Change::Linked(id) => json!({"event": "linked", "id": id, "edge": shown.edge(id)}),
        Change::Relinked(id) => json!({"event": "relinked", "id": id, "edge": shown.edge(id)}),
        Change::Unlinked(id, _) => {
            let edge = before.state.edges.get(id);
            json!({
                "event": "unlinked", "id": id,
                "source": edge.map(|edge| &edge.source), "target": edge.map(|edge| &edge.target),
            })
        }
    }
}

fn projected(view: &View, id: &str) -> GraphJson {
    project(&view.state, &ProjectionContext { id: id.to_owned(), ..ProjectionContext::default() })
}
