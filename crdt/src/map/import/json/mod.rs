//! Maps as JSON: our own, and the plain design `{topic, nodes, edges}` of other mind-map services.

mod edges;
mod fields;
mod file;
mod loose;
mod nodes;
mod tree;

use self::{
    fields::Fields,
    file::{EDGES_MAX, File, parse},
    loose::Rows,
    nodes::Node,
    tree::Shape,
};
use super::{
    Import, ImportError, ImportLimits, Problems,
    siblings::{Placed, orders},
};
use crate::map::{ImportedMap, ImportedNode, ParentRef};

/// Nodes of a file where maps may have any number.
const NODES_MAX: usize = 1_000_000;

/// Reads a file.
pub(super) fn read(
    text: &str,
    limits: ImportLimits,
    fresh_id: &mut dyn FnMut() -> String,
) -> Result<Import, ImportError> {
    let nodes_max = if limits.nodes_max == 0 { NODES_MAX } else { limits.nodes_max };
    let mut problems = Problems::default();
    let file = match parse(text, nodes_max) {
        Ok(Some(file)) => file,
        Ok(None) => {
            problems.add(".", "must be an object with `topic`, `nodes` and `edges`");
            return problems.none().map(|()| Import::default());
        }
        // The words carry the line and the column.
        Err(error) if error.is_data() => {
            problems.add(".", error.to_string());
            return problems.none().map(|()| Import::default());
        }
        Err(error) => return Err(ImportError::NotJson(error.to_string())),
    };
    build(file, nodes_max, problems, fresh_id)
}

fn build(
    file: File,
    nodes_max: usize,
    mut problems: Problems,
    fresh_id: &mut dyn FnMut() -> String,
) -> Result<Import, ImportError> {
    let mut fields = Fields { place: "", problems: &mut problems };
    let topic = fields.text("topic", file.topic);
    let id = fields.text("id", file.id);
    let created_at = fields.text("created_at", file.created_at).unwrap_or_default();
    let mut metadata = Fields { place: "metadata", problems: &mut problems };
    let generation_time = metadata.seconds("generation_time", &file.metadata.generation_time);
    let ai_model_version = metadata.text("ai_model_version", file.metadata.ai_model_version);
    let rows = match file.nodes {
        Rows::Are(rows) => rows,
        Rows::TooMany => return Err(ImportError::TooManyNodes(nodes_max)),
        Rows::Absent => return missing(problems),
        Rows::Wrong => return wrong("nodes", problems),
    };
    let edge_rows = match file.edges {
        Rows::Are(rows) => rows,
        Rows::Absent => Vec::new(),
        Rows::Wrong => return wrong("edges", problems),
        Rows::TooMany => {
            problems.add("edges", format!("has more than {EDGES_MAX} entries, which is more than one map takes"));
            return problems.none().map(|()| Import::default());
        }
    };

    let nodes = nodes::read(rows, &mut problems);
    let index = nodes::index(&nodes, &mut problems);
    let edges = edges::read(edge_rows, &index, &mut problems);
    let shape = tree::shape(&nodes, &edges, &index, &mut problems);
    problems.none()?;

    let edges = edges::cross_links(edges, &nodes, &shape, fresh_id);
    let topic = topic.unwrap_or_else(|| shape.root.map(|root| nodes[root].new.title.clone()).unwrap_or_default());
    let root = shape.root.map(|root| nodes[root].new.id.clone());
    let nodes = placed(nodes, &shape);
    Ok(Import { map: ImportedMap { topic, created_at, generation_time, ai_model_version, root, nodes, edges }, id })
}

fn placed(nodes: Vec<Node>, shape: &Shape) -> Vec<ImportedNode> {
    let places: Vec<Placed<'_>> = nodes
        .iter()
        .zip(&shape.parents)
        .map(|(node, &parent)| Placed { id: &node.new.id, parent, order: node.order.as_deref() })
        .collect();
    let orders = orders(&places, shape.root);
    let ids: Vec<String> = nodes.iter().map(|node| node.new.id.clone()).collect();
    let imported = nodes.into_iter().zip(orders).zip(&shape.parents).map(|((node, order), parent)| {
        let parent = parent.map_or(ParentRef::Topic, |parent| ParentRef::Under(ids[parent].clone()));
        ImportedNode { node: crate::map::NewNode { parent, ..node.new }, order }
    });
    imported.collect()
}

fn missing(mut problems: Problems) -> Result<Import, ImportError> {
    problems.add("nodes", "is missing: a map is an object with `topic`, `nodes` and `edges`");
    problems.none().map(|()| Import::default())
}

fn wrong(field: &str, mut problems: Problems) -> Result<Import, ImportError> {
    problems.add(field, "must be a list");
    problems.none().map(|()| Import::default())
}
