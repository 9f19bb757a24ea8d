//! The edges of a file.

use std::collections::{HashMap, HashSet};

use super::{
    fields::Fields,
    file::EdgeRow,
    loose::Loose,
    nodes::Node,
    tree::{Shape, is_ours},
};
use crate::map::{NewEdge, import::Problems};

/// What an edge of the tree says.
const CONTAINS: &str = "contains";
/// What a cross link says when it says nothing.
const RELATIONSHIP_DEFAULT: &str = "related";

/// An edge as its row has it, between indices of nodes.
#[derive(Debug)]
pub(super) struct Edge {
    pub id: Option<String>,
    pub source: usize,
    pub target: usize,
    pub relationship: Option<String>,
    pub strength: Option<f64>,
    /// Whether it may be one of the tree.
    pub is_contains: bool,
}

/// Reads all rows but those of the tree that say so.
pub(super) fn read(rows: Vec<Option<EdgeRow>>, index: &HashMap<&str, usize>, problems: &mut Problems) -> Vec<Edge> {
    let mut edges = Vec::with_capacity(rows.len());
    let mut ids: HashSet<String> = HashSet::new();
    for (at, row) in rows.into_iter().enumerate() {
        if problems.is_full() {
            break;
        }
        let place = format!("edges[{at}]");
        let mut fields = Fields { place: &place, problems };
        let Some(row) = row else {
            fields.problem("", "must be an object");
            continue;
        };
        if matches!(row.derived, Loose::Bool(true)) {
            continue;
        }
        let edge = edge(row, index, &mut fields);
        if let Some(id) = edge.as_ref().and_then(|edge| edge.id.clone())
            && !ids.insert(id.clone())
        {
            fields.problem("id", format!("`{id}` is the id of another edge as well: give each edge its own, or none"));
        }
        edges.extend(edge);
    }
    edges
}

/// The cross links among the edges: not those that only repeat the tree.
pub(super) fn cross_links(
    edges: Vec<Edge>,
    nodes: &[Node],
    shape: &Shape,
    fresh_id: &mut dyn FnMut() -> String,
) -> Vec<NewEdge> {
    let tells_the_tree = !is_ours(nodes);
    let repeats = |edge: &Edge| edge.is_contains && shape.parents[edge.target] == Some(edge.source);
    let links = edges.into_iter().filter(|edge| !(tells_the_tree && repeats(edge)));
    let id_of = |at: usize| nodes[at].new.id.clone();
    let link = |edge: Edge| NewEdge {
        id: edge.id.unwrap_or_else(&mut *fresh_id),
        source: id_of(edge.source),
        target: id_of(edge.target),
        relationship: edge.relationship.unwrap_or_else(|| RELATIONSHIP_DEFAULT.to_owned()),
        strength: edge.strength.unwrap_or(1.0),
    };
    links.map(link).collect()
}

fn edge(row: EdgeRow, index: &HashMap<&str, usize>, fields: &mut Fields<'_>) -> Option<Edge> {
    let mut end = |field, value| {
        let id = fields.needed_id(field, value)?;
        let found = index.get(id.as_str()).copied();
        if found.is_none() {
            fields.problem(field, format!("there is no node `{id}`"));
        }
        found
    };
    let (source, target) = (end("source", row.source), end("target", row.target));
    let relationship = fields.text("relationship", row.relationship);
    let is_contains = relationship.as_deref().is_some_and(|said| said.eq_ignore_ascii_case(CONTAINS));
    let (id, strength) = (fields.id("id", row.id), fields.strength(&row.strength));
    Some(Edge { id, source: source?, target: target?, relationship, strength, is_contains })
}
