//! What can be read from the outline of a map.

/// The shape of a map.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub nodes: Vec<Node>,
}

/// A node of the outline.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub title: String,
    pub has_summary: bool,
    pub depth: usize,
    pub children: usize,
    /// Nodes in its branch, itself and those that are left out included.
    pub branch: usize,
}

impl Shape {
    /// Reads an outline as `context` writes it.
    pub fn of(outline: &str) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        // Indices of the nodes that are open, from the root down.
        let mut open: Vec<usize> = Vec::new();
        for line in outline.lines() {
            let text = line.trim_start_matches(' ');
            let depth = (line.len() - text.len()) / 2;
            open.truncate(depth);
            if let Some(more) = text.strip_prefix("… (").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok())
            {
                grow(&mut nodes, &open, more);
                continue;
            }
            let Some(text) = text.strip_prefix('-') else { continue };
            let (title, summary) = text.split_once(" — ").unwrap_or((text, ""));
            if let Some(&parent) = open.last() {
                nodes[parent].children += 1;
            }
            open.push(nodes.len());
            let title = title.trim().to_owned();
            let depth = open.len() - 1;
            nodes.push(Node { title, has_summary: !summary.is_empty(), depth, children: 0, branch: 0 });
            grow(&mut nodes, &open, 1);
        }
        Self { nodes }
    }

    /// Levels below the root.
    pub fn levels(&self) -> usize {
        self.nodes.iter().map(|node| node.depth).max().unwrap_or(0)
    }

    /// The branches that hang under the centre.
    pub fn main_branches(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.depth == 1)
    }

    /// Whether summaries are in the outline, and not left out for lack of room.
    pub fn has_summaries(&self) -> bool {
        self.nodes.iter().any(|node| node.has_summary)
    }
}

/// Counts nodes into every branch that they are in.
fn grow(nodes: &mut [Node], open: &[usize], more: usize) {
    for &above in open {
        nodes[above].branch = nodes[above].branch.saturating_add(more);
    }
}
