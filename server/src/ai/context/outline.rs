//! A map as an indented list.

use std::fmt::Write as _;

use synapti_crdt::map::{MapState, NodeState, tree::Tree};

use super::{CUT, OTHER_TITLE_CHARS_MAX, estimate, short};

/// Stands between title and summary.
pub(super) const BEFORE_SUMMARY: &str = " — ";
/// Characters of a summary.
const SUMMARY_CHARS_MAX: usize = 100;
/// Tokens of a line that says how much was left out, its indentation aside.
const MORE_TOKENS: usize = 6;

/// The outline: with summaries if all of it fits, else titles alone, else as many of those as there is room for, the higher
/// ones first and branches in turn.
pub(super) fn outline(map: &MapState, tokens_max: usize) -> String {
    let nodes: Vec<&NodeState> = map.nodes.values().collect();
    let tree = map.derive_tree();
    let mut lines = Lines { nodes, tree, shown: Vec::new(), tokens_max };
    if !lines.choose(true) {
        lines.choose(false);
    }
    lines.written()
}

struct Lines<'a> {
    nodes: Vec<&'a NodeState>,
    tree: Tree,
    /// The line of each node that is shown.
    shown: Vec<Option<String>>,
    tokens_max: usize,
}

impl Lines<'_> {
    /// Chooses the nodes that are shown, level by level; whether these are all.
    fn choose(&mut self, has_summaries: bool) -> bool {
        self.shown = vec![None; self.nodes.len()];
        let mut tokens_left = self.tokens_max;
        let mut level: Vec<usize> = self.tree.root.iter().chain(&self.tree.topics).copied().collect();
        while !level.is_empty() {
            for &node in &level {
                let line = self.line(node, has_summaries);
                let has_children = !self.tree.nodes[node].children.is_empty();
                let more = if has_children { MORE_TOKENS + self.depth(node).div_ceil(2) } else { 0 };
                let Some(left) = tokens_left.checked_sub(estimate(&line) + more) else { return false };
                tokens_left = left;
                self.shown[node] = Some(line);
            }
            level = self.next_level(&level);
        }
        true
    }

    /// Children of a level: the first of each, then the second of each.
    fn next_level(&self, level: &[usize]) -> Vec<usize> {
        let families = level.iter().map(|&node| &self.tree.nodes[node].children);
        let mut next: Vec<(usize, usize)> =
            families.flat_map(|children| children.iter().copied().enumerate()).collect();
        next.sort_by_key(|(rank, _)| *rank);
        next.into_iter().map(|(_, node)| node).collect()
    }

    fn line(&self, node: usize, has_summaries: bool) -> String {
        let mut line = " ".repeat(2 * self.depth(node));
        line.push_str("- ");
        line.push_str(&short(&self.nodes[node].title, OTHER_TITLE_CHARS_MAX));
        let summary = if has_summaries { short(&self.nodes[node].summary, SUMMARY_CHARS_MAX) } else { String::new() };
        if !summary.is_empty() {
            line.push_str(BEFORE_SUMMARY);
            line.push_str(&summary);
        }
        line.push('\n');
        line
    }

    fn depth(&self, node: usize) -> usize {
        self.tree.nodes[node].depth as usize
    }

    /// The lines in the map's order, and after each family how much of it is missing.
    fn written(self) -> String {
        let order = self.tree.preorder();
        let mut hidden = vec![0_usize; self.nodes.len()];
        for &node in order.iter().rev() {
            hidden[node] += usize::from(self.shown[node].is_none());
            // What hides below a node that is shown is told there.
            if let Some(parent) = self.tree.nodes[node].parent.filter(|_| self.shown[node].is_none()) {
                hidden[parent] += hidden[node];
            }
        }
        let mut outline = String::new();
        let mut open: Vec<usize> = Vec::new();
        for &node in &order {
            let Some(line) = &self.shown[node] else { continue };
            while let Some(&last) = open.last().filter(|&&last| Some(last) != self.tree.nodes[node].parent) {
                self.more(last, &hidden, &mut outline);
                open.pop();
            }
            outline.push_str(line);
            open.push(node);
        }
        while let Some(last) = open.pop() {
            self.more(last, &hidden, &mut outline);
        }
        let topics = self.tree.root.iter().chain(&self.tree.topics).filter(|&&topic| self.shown[topic].is_none());
        let left_out: usize = topics.map(|&topic| hidden[topic]).sum();
        if left_out > 0 {
            let _ = writeln!(outline, "{CUT} ({left_out} more)");
        }
        outline
    }

    fn more(&self, parent: usize, hidden: &[usize], outline: &mut String) {
        if hidden[parent] > 0 {
            let _ = writeln!(outline, "{:1$}{CUT} ({2} more)", "", 2 * (self.depth(parent) + 1), hidden[parent]);
        }
    }
}
