//! A map and its changes as lines for people.

use super::changes::{Change, View};
use crate::remote::{Person, plain::plain};

/// Deeper levels are not moved farther to the right.
const INDENT_LEVELS_MAX: u32 = 64;

/// The map as an indented outline, with the ids that `synapti edit` takes.
pub fn outline(view: &View) -> Vec<String> {
    let topic = view.state.topic.as_deref().filter(|topic| !topic.is_empty());
    let mut lines: Vec<String> = topic.map(|topic| format!("# {}", plain(topic))).into_iter().collect();
    if view.outline.is_empty() {
        lines.push("(the map is empty)".to_owned());
    }
    for (id, depth) in &view.outline {
        let indent = "  ".repeat((*depth).min(INDENT_LEVELS_MAX) as usize);
        lines.push(format!("{indent}- {} [{}]", plain(view.title(id)), plain(id)));
    }
    lines
}

/// A change as a line.
pub fn line(change: &Change, before: &View, after: &View) -> String {
    let title = |id: &str| quoted(after.title(id));
    let parent = |id: Option<&str>| id.map_or("as a topic of its own".to_owned(), |id| format!("under {}", title(id)));
    match change {
        Change::Topic(topic) => format!("~ topic: {}", quoted(topic)),
        Change::Added(id) if after.root.as_ref() == Some(id) => format!("+ {} as the root", title(id)),
        Change::Added(id) => format!("+ {} {}", title(id), parent(after.parent(id))),
        Change::Removed { title, .. } => format!("- {}", quoted(title)),
        Change::Renamed { id, before } => format!("~ {} → {}", quoted(before), title(id)),
        Change::Summary(id) => {
            format!("~ {} summary: {}", title(id), quoted(&after.state.nodes[id].summary))
        }
        Change::Moved { id, before } if before.as_deref() == after.parent(id) => {
            format!("> {} in another place {}", title(id), parent(after.parent(id)))
        }
        Change::Moved { id, .. } => format!("> {} moved, now {}", title(id), parent(after.parent(id))),
        Change::Looks { id, fields } => format!("~ {} {}", title(id), fields.join(", ")),
        Change::Linked(id) => format!("+ link {}", linked(after, id)),
        Change::Relinked(id) => format!("~ link {}", linked(after, id)),
        Change::Unlinked(id, link) => {
            let said = relationship(before, id);
            format!("- link {} → {}{said}", quoted(&link.source), quoted(&link.target))
        }
    }
}

/// Who came or went as a line.
pub fn person(person: &Person, is_here: bool) -> String {
    let name = plain(&person.name);
    if is_here { format!("* {name} is here") } else { format!("* {name} left") }
}

fn linked(view: &View, id: &str) -> String {
    let link = view.link(&view.state.edges[id]);
    format!("{} → {}{}", quoted(&link.source), quoted(&link.target), relationship(view, id))
}

fn relationship(view: &View, id: &str) -> String {
    let said = view.state.edges.get(id).and_then(|edge| edge.relationship.as_deref());
    said.filter(|said| !said.is_empty()).map_or(String::new(), |said| format!(" ({})", plain(said)))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", plain(text))
}
