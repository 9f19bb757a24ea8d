//! A map as the JSON that readers without Yjs get.

mod json;

use std::collections::BTreeSet;

pub use json::{EdgeJson, Given, GraphJson, MetadataJson, NodeJson, PositionJson};

use super::color::{GENERAL_COLOR, ROOT_COLOR, ROOT_SIZE, child_size, lighter};
use super::layout::{LayoutNode, layout};
use super::state::{MapState, NodeState};
use super::tree::Tree;

/// What a cross link says when it says nothing.
const RELATIONSHIP_DEFAULT: &str = "related";
/// How strong a cross link is that does not say.
const STRENGTH_DEFAULT: f64 = 1.0;
/// What an edge of the tree says.
const CONTAINS: &str = "contains";

/// What the document itself does not know.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProjectionContext {
    /// The map's id.
    pub id: String,
    /// When the map was made, for documents that do not say. RFC 3339.
    pub created_at_fallback: String,
    /// When the map changed last. RFC 3339.
    pub last_modified: String,
}

/// Turns a map into JSON. The same map always gives the same JSON.
///
/// Nodes come depth first in sibling order, the root's branch before the floating topics. Edges are the visible cross
/// links in the order of their ids, then one `contains` edge for each node that has a parent, marked `derived`.
pub fn project(state: &MapState, ctx: &ProjectionContext) -> GraphJson {
    let tree = state.derive_tree();
    let view = View::new(state, &tree);
    let preorder = tree.preorder();
    let nodes: Vec<NodeJson> = preorder.iter().map(|&index| view.node(index)).collect();
    let mut edges = view.cross_links();
    let cross_links = edges.len();
    edges.extend(preorder.iter().filter_map(|&index| view.tree_edge(index)));
    GraphJson {
        id: ctx.id.clone(),
        topic: state.topic.clone().unwrap_or_default(),
        metadata: MetadataJson {
            generation_time: state.generation_time,
            complexity_score: complexity_score(&tree, cross_links),
            total_expandable_nodes: nodes.iter().filter(|node| node.expandable).count(),
            ai_model_version: state.ai_model_version.clone(),
        },
        nodes,
        edges,
        created_at: state.created_at.clone().unwrap_or_else(|| ctx.created_at_fallback.clone()),
        last_modified: ctx.last_modified.clone(),
    }
}

/// How much there is to take in, from 0 (one node or none) to 1, in hundredths.
///
/// Half of it is the number of nodes (on a logarithmic scale, full at 1,000), three tenths the depth (full at 10
/// levels below the top), two tenths the cross links per node (full at one per node).
fn complexity_score(tree: &Tree, cross_links: usize) -> f64 {
    let count = tree.nodes.len() as f64;
    if count < 2.0 {
        return 0.0;
    }
    let depth = tree.nodes.iter().map(|node| node.depth).max().unwrap_or(0);
    let size_share = (count.log10() / 3.0).min(1.0);
    let depth_share = (f64::from(depth) / 10.0).min(1.0);
    let link_share = (cross_links as f64 / count).min(1.0);
    let score = 0.5 * size_share + 0.3 * depth_share + 0.2 * link_share;
    (score * 100.0).round() / 100.0
}

/// Everything about the nodes that has to be worked out before one can be shown.
struct View<'a> {
    state: &'a MapState,
    tree: &'a Tree,
    ids: Vec<&'a str>,
    nodes: Vec<&'a NodeState>,
    colors: Vec<String>,
    sizes: Vec<f64>,
    places: Vec<[f64; 3]>,
    /// The other ends of each node's visible cross links.
    linked: Vec<Vec<&'a str>>,
}

impl<'a> View<'a> {
    fn new(state: &'a MapState, tree: &'a Tree) -> Self {
        let ids: Vec<&str> = state.nodes.keys().map(String::as_str).collect();
        let nodes: Vec<&NodeState> = state.nodes.values().collect();
        let (colors, sizes) = looks(tree, &nodes);
        let input: Vec<LayoutNode<'_>> = (0..ids.len())
            .map(|index| LayoutNode {
                id: ids[index],
                title: &nodes[index].title,
                size: sizes[index],
                pos: nodes[index].pos,
            })
            .collect();
        let places = layout(tree, &input);
        let linked = links_of(state, &ids);
        Self { state, tree, ids, nodes, colors, sizes, places, linked }
    }

    fn node(&self, index: usize) -> NodeJson {
        let (node, place) = (self.nodes[index], &self.tree.nodes[index]);
        NodeJson {
            id: self.ids[index].to_owned(),
            title: node.title.clone(),
            summary: node.summary.clone(),
            position: PositionJson::rounded(self.places[index]),
            color: self.colors[index].clone(),
            size: self.sizes[index],
            given: given(node),
            expandable: node.expandable,
            parent_id: place.parent.map(|parent| self.ids[parent].to_owned()),
            connections: self.connections(index),
            order: node.order.clone(),
            depth: place.depth,
            collapsed: node.collapsed,
            source: node.source,
            run: node.run.clone(),
            state: node.state,
            relationship: node.relationship.clone(),
            strength: node.strength,
        }
    }

    /// Neighbours in the tree and over cross links, each once, sorted.
    fn connections(&self, index: usize) -> Vec<String> {
        let place = &self.tree.nodes[index];
        let in_tree = place.parent.iter().chain(&place.children);
        let neighbours: BTreeSet<&str> =
            in_tree.map(|&neighbour| self.ids[neighbour]).chain(self.linked[index].iter().copied()).collect();
        neighbours.into_iter().map(str::to_owned).collect()
    }

    fn cross_links(&self) -> Vec<EdgeJson> {
        let is_node = |id: &str| self.state.nodes.contains_key(id);
        self.state
            .edges
            .iter()
            .filter(|(_, edge)| is_node(&edge.source) && is_node(&edge.target))
            .map(|(id, edge)| EdgeJson {
                id: id.clone(),
                source: edge.source.clone(),
                target: edge.target.clone(),
                relationship: edge.relationship.clone().unwrap_or_else(|| RELATIONSHIP_DEFAULT.to_owned()),
                strength: edge.strength.unwrap_or(STRENGTH_DEFAULT),
                derived: false,
            })
            .collect()
    }

    /// The edge from a node's parent to it. Its id is `contains:` and the child's id, with one more `contains:` in
    /// front for as long as a cross link has that id.
    fn tree_edge(&self, index: usize) -> Option<EdgeJson> {
        let parent = self.tree.nodes[index].parent?;
        let mut id = format!("{CONTAINS}:{}", self.ids[index]);
        while self.state.edges.contains_key(&id) {
            id = format!("{CONTAINS}:{id}");
        }
        Some(EdgeJson {
            id,
            source: self.ids[parent].to_owned(),
            target: self.ids[index].to_owned(),
            relationship: CONTAINS.to_owned(),
            strength: 1.0,
            derived: true,
        })
    }
}

/// What a node says itself.
fn given(node: &NodeState) -> Vec<Given> {
    let says = [
        (node.pos.is_some(), Given::Position),
        (node.color.is_some(), Given::Color),
        (node.size.is_some(), Given::Size),
    ];
    says.into_iter().filter_map(|(says, what)| says.then_some(what)).collect()
}

/// Colours and sizes: each node's own, else what follows from its parent's.
fn looks(tree: &Tree, nodes: &[&NodeState]) -> (Vec<String>, Vec<f64>) {
    let mut colors = vec![String::new(); nodes.len()];
    let mut sizes = vec![0.0; nodes.len()];
    for index in tree.preorder() {
        let (color, size) = match tree.nodes[index].parent {
            Some(parent) => (lighter(&colors[parent]), child_size(sizes[parent])),
            None if tree.root == Some(index) => (ROOT_COLOR.to_owned(), ROOT_SIZE),
            None => (GENERAL_COLOR.to_owned(), child_size(ROOT_SIZE)),
        };
        colors[index] = nodes[index].color.clone().unwrap_or(color);
        sizes[index] = nodes[index].size.unwrap_or(size);
    }
    (colors, sizes)
}

fn links_of<'a>(state: &'a MapState, ids: &[&str]) -> Vec<Vec<&'a str>> {
    let mut linked = vec![Vec::new(); ids.len()];
    for edge in state.edges.values() {
        let ends = (ids.binary_search(&edge.source.as_str()), ids.binary_search(&edge.target.as_str()));
        if let (Ok(source), Ok(target)) = ends
            && source != target
        {
            linked[source].push(edge.target.as_str());
            linked[target].push(edge.source.as_str());
        }
    }
    linked
}

#[cfg(test)]
mod tests;
