//! What a model is told of a map, within a budget of tokens.

mod lists;
mod outline;
#[cfg(test)]
mod tests;

use synapti_crdt::map::{MapState, NodeState, Source};

use super::{
    reader::clean,
    task::{CoherenceTask, ExpandTask},
    tokens::estimate,
};

use lists::Surroundings;

/// Characters of the topic and of the node's own title.
const TITLE_CHARS_MAX: usize = 200;
/// Characters of another node's title.
const OTHER_TITLE_CHARS_MAX: usize = 80;
/// Characters of the node's own summary.
const SUMMARY_CHARS_MAX: usize = 2000;
/// Stands where something was left out.
const CUT: char = '…';

/// What somebody wants of an expansion.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ExpandWish {
    /// What to look at.
    pub focus_areas: Vec<String>,
    /// Children wanted, at most.
    pub children_max: usize,
    /// In which language.
    pub language: String,
}

/// Asks for children of a node; `None` when there is no such node. Of its surroundings comes what the budget has room for: its own
/// title and summary first, then, in turn, what is nearest above it, beside it, below it and linked with it.
pub fn expand_task(map: &MapState, node: &str, wish: &ExpandWish, tokens_max: usize) -> Option<ExpandTask> {
    let own = map.nodes.get(node)?;
    let mut budget = Budget { tokens_left: tokens_max };
    let title = short(&own.title, TITLE_CHARS_MAX);
    let topic = topic_of(map);
    budget.spend(estimate(&title) + estimate(&topic));
    let summary = budget.text(&own.summary);
    let around = Surroundings::of(map, node).told(&mut budget);
    Some(ExpandTask {
        topic,
        path: around.path,
        title,
        summary,
        is_from_template: own.source == Some(Source::Template),
        siblings: around.siblings,
        neighbours: around.neighbours,
        existing: around.existing,
        focus_areas: wish.focus_areas.clone(),
        children_max: wish.children_max,
        language: wish.language.clone(),
    })
}

/// Asks what a map is worth, shown as an outline. Where it does not fit, what is deeper gives way to what is higher.
pub fn coherence_task(map: &MapState, language: &str, tokens_max: usize) -> CoherenceTask {
    let topic = topic_of(map);
    let outline = outline::outline(map, tokens_max.saturating_sub(estimate(&topic)));
    CoherenceTask { topic, outline, nodes: map.nodes.len(), language: language.to_owned() }
}

/// What the map is about: its topic, else its root's title.
fn topic_of(map: &MapState) -> String {
    let root = || map.root.as_ref().and_then(|root| map.nodes.get(root)).map_or("", |root: &NodeState| &root.title);
    let topic = map.topic.as_deref().filter(|topic| !topic.trim().is_empty()).unwrap_or_else(root);
    short(topic, TITLE_CHARS_MAX)
}

/// A text on one line, cut where it is too long.
fn short(text: &str, chars_max: usize) -> String {
    // One character more tells whether there is more.
    let mut short = clean(text, chars_max + 1);
    if let Some((at, _)) = short.char_indices().nth(chars_max) {
        let before = short[..at].char_indices().next_back().map_or(0, |(at, _)| at);
        short.truncate(short[..before].trim_end().len());
        short.push(CUT);
    }
    short
}

/// Tokens that may still be told.
struct Budget {
    tokens_left: usize,
}

impl Budget {
    /// For quotes, commas and spaces around an entry.
    const PER_ENTRY: usize = 2;

    fn spend(&mut self, tokens: usize) {
        self.tokens_left = self.tokens_left.saturating_sub(tokens);
    }

    /// A title, if there is room for it.
    fn entry(&mut self, title: &str) -> Option<String> {
        let title = short(title, OTHER_TITLE_CHARS_MAX);
        let left = self.tokens_left.checked_sub(estimate(&title) + Self::PER_ENTRY)?;
        self.tokens_left = left;
        Some(title)
    }

    /// A long text, cut to half of what is left so that something else can be told as well.
    fn text(&mut self, text: &str) -> String {
        let mut chars_max = SUMMARY_CHARS_MAX;
        loop {
            let short = short(text, chars_max);
            let tokens = estimate(&short);
            if tokens <= self.tokens_left / 2 {
                self.spend(tokens);
                return short;
            }
            chars_max /= 2;
            if chars_max == 0 {
                return String::new();
            }
        }
    }
}
