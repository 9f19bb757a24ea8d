//! The nodes of a file, one by one.

use std::collections::{HashMap, hash_map::Entry};

use super::{fields::Fields, file::NodeRow, loose::Loose};
use crate::map::{NewNode, Source, import::Problems, projection::Given};

/// A node as its row has it.
#[derive(Debug)]
pub(super) struct Node {
    /// Which row it is.
    pub row: usize,
    /// What it says of itself, without a parent.
    pub new: NewNode,
    /// Which parent it says that it has.
    pub says: Parent,
    /// Its neighbours, as far as it says.
    pub connections: Vec<String>,
    pub order: Option<String>,
    /// Whether the row tells what is given: then it is from an export of ours.
    pub is_ours: bool,
}

/// What a row says of its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parent {
    Nothing,
    None,
    Is(String),
}

/// Reads all rows. Those with problems may be in the answer as well, so that others can refer to them.
pub(super) fn read(rows: Vec<Option<NodeRow>>, problems: &mut Problems) -> Vec<Node> {
    let mut nodes = Vec::with_capacity(rows.len());
    for (at, row) in rows.into_iter().enumerate() {
        if problems.is_full() {
            break;
        }
        let place = format!("nodes[{at}]");
        let mut fields = Fields { place: &place, problems };
        match row {
            Some(row) => nodes.extend(node(at, row, &mut fields)),
            None => fields.problem("", "must be an object"),
        }
    }
    nodes
}

/// Where each id is; two nodes of one id are a problem.
pub(super) fn index<'a>(nodes: &'a [Node], problems: &mut Problems) -> HashMap<&'a str, usize> {
    let mut index: HashMap<&str, usize> = HashMap::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        match index.entry(&node.new.id) {
            Entry::Vacant(free) => drop(free.insert(at)),
            Entry::Occupied(first) => {
                let (id, first) = (&node.new.id, nodes[*first.get()].row);
                let message = format!("`{id}` is the id of nodes[{first}] as well: give each node its own");
                problems.add(format!("nodes[{}].id", node.row), message);
            }
        }
    }
    index
}

fn node(at: usize, row: NodeRow, fields: &mut Fields<'_>) -> Option<Node> {
    let id = fields.needed_id("id", row.id);
    let title = match row.title {
        Loose::Text(title) => title,
        Loose::Absent => {
            fields.problem("title", "is missing");
            String::new()
        }
        _ => {
            fields.problem("title", "must be text");
            String::new()
        }
    };
    let says = match row.parent_id {
        Loose::Absent => Parent::Nothing,
        Loose::Null => Parent::None,
        parent => fields.id("parent_id", parent).map_or(Parent::Nothing, Parent::Is),
    };
    let given = fields.given(row.given);
    let is_given = |what| given.as_ref().is_none_or(|given| given.contains(&what));
    let read = NewNode {
        summary: fields.text("summary", row.summary).unwrap_or_default(),
        pos: fields.position(&row.position).filter(|_| is_given(Given::Position)),
        color: fields.color(row.color).filter(|_| is_given(Given::Color)),
        size: fields.size(&row.size).filter(|_| is_given(Given::Size)),
        // What is absent means these.
        expandable: fields.boolean("expandable", &row.expandable).filter(|expandable| !expandable),
        collapsed: fields.boolean("collapsed", &row.collapsed).filter(|collapsed| *collapsed),
        source: fields.source(row.source).unwrap_or(Source::Import),
        run: fields.text("run", row.run),
        state: fields.state(row.state),
        relationship: fields.text("relationship", row.relationship),
        strength: fields.strength(&row.strength),
        ..NewNode::new(String::new(), title)
    };
    let connections = fields.connections(row.connections);
    let order = fields.text("order", row.order);
    // Without an id nothing can be told of it beyond that.
    id.map(|id| Node { row: at, new: NewNode { id, ..read }, says, connections, order, is_ours: given.is_some() })
}
