//! The nodes of a scaffold, as an answer.

use std::collections::HashSet;

use serde::Serialize;

use super::{
    languages::Language,
    scaffold::{Kind, is_ours, item_of, kind_below, kind_for_title},
};
use crate::ai::{
    reader::clean,
    task::{ExpandTask, GenerateTask},
};

/// Children of one answer, whatever is asked for.
const CHILDREN_MAX: usize = 50;
/// Characters of a title.
const TITLE_CHARS_MAX: usize = 200;
/// Characters of a text within a summary.
const QUOTED_CHARS_MAX: usize = 80;

#[derive(Serialize)]
struct Generated {
    nodes: Vec<Node>,
}

/// Fields are in the order in which people should see them come.
#[derive(Serialize)]
struct Node {
    title: String,
    summary: String,
    category: &'static str,
    importance: f64,
}

#[derive(Serialize)]
struct Expanded {
    sub_concepts: Vec<Concept>,
}

#[derive(Serialize)]
struct Concept {
    title: String,
    summary: String,
    expandable: bool,
    relationship: &'static str,
    strength: f64,
}

/// Branches that a map of so many nodes has room for beside its root, which is one of them.
fn branches_wanted(task: &GenerateTask) -> usize {
    task.nodes_max.saturating_sub(1).max(1)
}

/// The first nodes of a map.
pub(super) fn generated(task: &GenerateTask) -> String {
    let language = Language::of(&task.language);
    let first = kind_for_title(language, &task.topic, &[]);
    let mut children = Children::new(language, &task.topic, branches_wanted(task));
    children.taken(&task.existing);
    children.taken([&task.topic]);
    children.scaffolds(first, &[]);
    let nodes = children.chosen.into_iter().zip(weights()).map(|(child, importance)| Node {
        title: child.title,
        summary: child.summary,
        category: child.category,
        importance,
    });
    json_of(&Generated { nodes: nodes.collect() })
}

/// Children of a node.
pub(super) fn expanded(task: &ExpandTask) -> String {
    let language = Language::of(&task.language);
    let item = item_of(language, &task.title).filter(|_| task.is_from_template);
    let path = task.path.iter().filter_map(|title| item_of(language, title));
    let used: Vec<Kind> = path.chain(item).map(|(kind, _)| kind).collect();
    // Where a scaffold was begun before, the rest of it comes first.
    let begun = task.existing.iter().find_map(|title| item_of(language, title)).map(|(kind, _)| kind);
    let kind = begun.filter(|kind| !used.contains(kind)).unwrap_or_else(|| match item {
        Some(item) => kind_below(item, &used),
        None => kind_for_title(language, &task.title, &used),
    });
    let mut children = Children::new(language, &subject(language, task), task.children_max.max(1));
    children.taken(task.path.iter().chain(&task.existing).chain([&task.title]));
    task.focus_areas.iter().for_each(|focus| children.focus(focus));
    children.scaffolds(kind, &used);
    let concepts = children.chosen.into_iter().zip(weights()).map(|(child, strength)| Concept {
        title: child.title,
        summary: child.summary,
        expandable: true,
        relationship: child.relationship,
        strength,
    });
    json_of(&Expanded { sub_concepts: concepts.collect() })
}

/// What a node is about: a scaffold's own titles say little without what they ask about.
fn subject(language: &Language, task: &ExpandTask) -> String {
    let is_item = task.is_from_template && is_ours(language, &task.title);
    let own = task.title.trim().trim_end_matches(['?', '？']).trim_start_matches('¿').trim();
    let above = task.path.iter().rev().find(|title| !is_ours(language, title)).unwrap_or(&task.topic);
    match (is_item, above.trim()) {
        (true, above) if !above.is_empty() => format!("{above} / {own}"),
        _ if own.is_empty() => task.topic.clone(),
        _ => task.title.clone(),
    }
}

struct Child {
    title: String,
    summary: String,
    relationship: &'static str,
    category: &'static str,
}

/// Children as they are chosen.
struct Children {
    language: &'static Language,
    subject: String,
    count_max: usize,
    /// Titles that must not come again, in lower case.
    titles: HashSet<String>,
    chosen: Vec<Child>,
}

impl Children {
    fn new(language: &'static Language, subject: &str, count_max: usize) -> Self {
        let subject = clean(subject, QUOTED_CHARS_MAX);
        Self { language, subject, count_max: count_max.min(CHILDREN_MAX), titles: HashSet::new(), chosen: Vec::new() }
    }

    fn taken<'a>(&mut self, titles: impl IntoIterator<Item = &'a String>) {
        self.titles.extend(titles.into_iter().map(|title| clean(title, TITLE_CHARS_MAX).to_lowercase()));
    }

    /// What somebody asked for.
    fn focus(&mut self, focus: &str) {
        let (relationship, prompt) = self.language.focus;
        let quoted = clean(focus, QUOTED_CHARS_MAX);
        self.choose(focus, prompt, &quoted, relationship, "general");
    }

    /// One scaffold; when there is nothing new in it, the next one that is not used above, and when there is nothing new in any of
    /// them, one node more for people to name.
    fn scaffolds(&mut self, first: Kind, used: &[Kind]) {
        let others = Kind::ALL.into_iter().filter(|kind| !used.contains(kind) && *kind != Kind::Swot);
        for kind in std::iter::once(first).chain(others).chain([Kind::Aspects]) {
            let scaffold = self.language.scaffold(kind);
            for ((title, prompt), category) in scaffold.items.iter().zip(kind.categories()) {
                self.choose(title, prompt, "", scaffold.name, category);
            }
            if !self.chosen.is_empty() {
                return;
            }
        }
        let (title, prompt) = self.language.further;
        // Among one title more than are taken, one is free.
        for number in 1..=self.titles.len() + 1 {
            if self.chosen.is_empty() {
                self.choose(&format!("{title} {number}"), prompt, "", self.language.aspects.name, "general");
            }
        }
    }

    fn choose(&mut self, title: &str, prompt: &str, focus: &str, relationship: &'static str, category: &'static str) {
        let title = clean(title, TITLE_CHARS_MAX);
        let is_new = !title.is_empty() && !self.titles.contains(&title.to_lowercase());
        if is_new && self.chosen.len() < self.count_max {
            self.titles.insert(title.to_lowercase());
            let prompt = filled(prompt, &[("{x}", &self.subject), ("{f}", focus)]);
            let summary = format!("{}{prompt}", self.language.label);
            self.chosen.push(Child { title, summary, relationship, category });
        }
    }
}

/// A text with its places filled, each once and none within another's filling.
pub(super) fn filled(text: &str, fillings: &[(&str, &str)]) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((at, place, filling)) =
        fillings.iter().filter_map(|(place, filling)| Some((rest.find(place)?, place, filling))).min()
    {
        filled.push_str(&rest[..at]);
        filled.push_str(filling);
        rest = &rest[at + place.len()..];
    }
    filled + rest
}

/// Weights of children in their order: 0.9, 0.85 and so on, never below a half.
fn weights() -> impl Iterator<Item = f64> {
    (0_u32..).map(|place| f64::from(18_u32.saturating_sub(place).max(10)) / 20.0)
}

fn json_of(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect("texts and numbers can be written as JSON")
}
