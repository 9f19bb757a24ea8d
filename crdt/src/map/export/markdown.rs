//! A map as a Markdown outline.
//!
//! ```text
//! ---
//! title: "what the map is about, when it is not the root's title"
//! ---
//!
//! # Root
//!
//! The root's summary.
//!
//! - Child
//!
//!   The child's summary.
//!
//!   - Grandchild
//! - Second child
//!
//! # Floating topic
//!
//! ---
//!
//! <!-- cross links -->
//!
//! - [Child](#1.1) → [Second child](#1.2): what it says `0.5`
//! ```
//!
//! A node in a cross link is named by its title and by its place: the first top, its second child, and so on.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use super::{ExportError, LINKS_MARK, OUTLINE_BYTES_MAX, OUTLINE_LEVELS_MAX, UNTITLED_MARK, escape};
use crate::map::projection::{EdgeJson, GraphJson, NodeJson};

/// Writes the outline. The same tree with the same texts always gives the same outline, whatever its ids are.
///
/// # Errors
/// [`ExportError`] for a map that outlines are not made for.
pub fn markdown(graph: &GraphJson) -> Result<String, ExportError> {
    let levels = graph.nodes.iter().map(|node| node.depth as usize).max().unwrap_or(0);
    if levels > OUTLINE_LEVELS_MAX {
        return Err(ExportError::TooDeep { levels });
    }
    let mut out = String::new();
    front_matter(graph, &mut out);
    let links: Vec<&EdgeJson> = graph.edges.iter().filter(|edge| !edge.derived).collect();
    let linked: BTreeSet<&str> = links.iter().flat_map(|edge| [edge.source.as_str(), edge.target.as_str()]).collect();
    let mut places = HashMap::new();
    let mut counters: Vec<u32> = Vec::new();
    let mut had_summary = true;
    for (at, node) in graph.nodes.iter().enumerate() {
        let depth = node.depth as usize;
        // Depth first: a node is as deep as the one before it, one deeper, or higher.
        counters.resize(depth + 1, 0);
        counters[depth] += 1;
        if linked.contains(node.id.as_str()) {
            places.insert(node.id.as_str(), Linked { at, title: &node.title, path: path(&counters) });
        }
        write_node(node, had_summary, &mut out);
        had_summary = depth == 0 || !node.summary.is_empty();
        if out.len() > OUTLINE_BYTES_MAX {
            return Err(ExportError::TooLong);
        }
    }
    write_links(&links, &places, &mut out);
    if out.len() > OUTLINE_BYTES_MAX { Err(ExportError::TooLong) } else { Ok(out) }
}

/// Only what the outline cannot say otherwise: a topic that is not the root's title.
fn front_matter(graph: &GraphJson, out: &mut String) {
    if graph.nodes.first().is_some_and(|root| root.title == graph.topic) {
        return;
    }
    let title = serde_json::Value::from(graph.topic.as_str());
    // Writing to a string does not fail.
    let _ = writeln!(out, "---\ntitle: {title}\n---");
}

fn write_node(node: &NodeJson, after_gap: bool, out: &mut String) {
    let depth = node.depth as usize;
    let is_top = depth == 0;
    if !out.is_empty() && (is_top || after_gap) {
        out.push('\n');
    }
    let indent = "  ".repeat(depth);
    if is_top {
        out.push_str("# ");
    } else {
        out.push_str(&indent[2..]);
        out.push_str("- ");
    }
    title(&node.title, out);
    out.push('\n');
    if !node.summary.is_empty() {
        out.push('\n');
        out.push_str(&indent);
        escape::paragraphs(&node.summary, &indent, out);
        out.push('\n');
    }
}

fn title(title: &str, out: &mut String) {
    if title.is_empty() {
        out.push_str(UNTITLED_MARK);
    } else {
        escape::line(title, out);
    }
}

/// A node at the end of a cross link.
struct Linked<'a> {
    at: usize,
    title: &'a str,
    path: String,
}

/// Its place: which of the tops, which of its children, and so on.
fn path(counters: &[u32]) -> String {
    counters.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

/// In the order of the nodes, since ids are not in the outline.
fn write_links(links: &[&EdgeJson], places: &HashMap<&str, Linked<'_>>, out: &mut String) {
    let mut ordered: Vec<(&Linked<'_>, &Linked<'_>, &EdgeJson)> = links
        .iter()
        .filter_map(|edge| Some((places.get(edge.source.as_str())?, places.get(edge.target.as_str())?, *edge)))
        .collect();
    ordered.sort_by(|(from, to, a), (other_from, other_to, b)| {
        let ends = (from.at, to.at, &a.relationship).cmp(&(other_from.at, other_to.at, &b.relationship));
        ends.then(a.strength.total_cmp(&b.strength))
    });
    if !ordered.is_empty() {
        let _ = write!(out, "\n---\n\n{LINKS_MARK}\n\n");
    }
    for (from, to, edge) in ordered {
        out.push_str("- ");
        end(from, out);
        out.push_str(" → ");
        end(to, out);
        let is_strong = (edge.strength - 1.0).abs() < f64::EPSILON;
        if !edge.relationship.is_empty() || !is_strong {
            out.push_str(": ");
            escape::line(&edge.relationship, out);
        }
        if !is_strong {
            let space = if edge.relationship.is_empty() { "" } else { " " };
            let _ = write!(out, "{space}`{}`", edge.strength);
        }
        out.push('\n');
        if out.len() > OUTLINE_BYTES_MAX {
            return;
        }
    }
}

fn end(linked: &Linked<'_>, out: &mut String) {
    out.push('[');
    escape::line(linked.title, out);
    let _ = write!(out, "](#{})", linked.path);
}
