//! What a map is worth as a shape, honestly: nobody reads what it says.

use std::collections::HashMap;

use serde::Serialize;

use super::{
    children::filled,
    languages::{Check, Language},
    outline::{Node, Shape},
};
use crate::ai::task::CoherenceTask;

/// Fewer nodes than this make no map yet.
const NODES_MIN: usize = 4;
/// More children than this are hard to take in at once.
const CHILDREN_MAX: usize = 9;
/// A branch so many times as large as the average of the others is uneven.
const UNEVEN: usize = 3;
/// Sentences of one kind, so that a large map does not get a long list.
const OF_A_KIND_MAX: usize = 3;

#[derive(Serialize)]
struct Answer {
    #[serde(rename = "coherence_score")]
    score: f64,
    strengths: Vec<String>,
    improvements: Vec<String>,
    /// Always empty: to know what is missing one must know the topic.
    missing_concepts: Vec<String>,
}

/// The answer to the question what a map is worth.
pub(super) fn checked(task: &CoherenceTask) -> String {
    let shape = Shape::of(&task.outline);
    let mut report = Report { check: &Language::of(&task.language).check, score: 1.0, good: vec![], bad: vec![] };
    report.size(task.nodes);
    report.balance(&shape);
    report.levels(&shape);
    report.width(&shape);
    report.titles(&shape);
    report.summaries(&shape);
    report.bad.push(report.say(report.check.note, 0, ""));
    let answer = Answer {
        score: (report.score.clamp(0.0, 1.0) * 100.0).round() / 100.0,
        strengths: report.good,
        improvements: report.bad,
        missing_concepts: Vec::new(),
    };
    serde_json::to_string(&answer).expect("texts and numbers can be written as JSON")
}

struct Report {
    check: &'static Check,
    score: f64,
    good: Vec<String>,
    bad: Vec<String>,
}

impl Report {
    fn size(&mut self, nodes: usize) {
        if nodes < NODES_MIN {
            self.fault(0.3, self.check.small, nodes, "");
        }
    }

    fn balance(&mut self, shape: &Shape) {
        let branches: Vec<&Node> = shape.main_branches().collect();
        let all: usize = branches.iter().map(|branch| branch.branch).sum();
        let is_uneven =
            |branch: &&&Node| (branch.branch * (branches.len() - 1)) > UNEVEN * (all - branch.branch).max(1);
        match branches.iter().filter(is_uneven).max_by_key(|branch| branch.branch) {
            Some(branch) if branches.len() > 1 => self.fault(0.15, self.check.uneven, 0, &branch.title),
            _ if branches.len() > 1 => self.merit(self.check.balanced, 0),
            _ => {}
        }
    }

    fn levels(&mut self, shape: &Shape) {
        match shape.levels() {
            0 | 1 if shape.nodes.len() > CHILDREN_MAX => self.fault(0.15, self.check.flat, 0, ""),
            0 | 1 => {}
            levels => self.merit(self.check.layered, levels),
        }
    }

    fn width(&mut self, shape: &Shape) {
        for node in shape.nodes.iter().filter(|node| node.children > CHILDREN_MAX).take(OF_A_KIND_MAX) {
            self.fault(0.05, self.check.wide, node.children, &node.title);
        }
    }

    fn titles(&mut self, shape: &Shape) {
        let untitled = shape.nodes.iter().filter(|node| node.title.is_empty()).count();
        if untitled > 0 {
            self.fault(0.1, self.check.untitled, untitled, "");
        }
        let mut counts: HashMap<String, usize> = HashMap::new();
        for node in shape.nodes.iter().filter(|node| !node.title.is_empty()) {
            *counts.entry(node.title.to_lowercase()).or_default() += 1;
        }
        // In the order of the map, each once.
        let twice = |node: &&Node| counts.remove(&node.title.to_lowercase()).is_some_and(|count| count > 1);
        let twice: Vec<&Node> = shape.nodes.iter().filter(twice).take(OF_A_KIND_MAX).collect();
        for node in &twice {
            self.fault(0.08, self.check.twice, 0, &node.title);
        }
        if twice.is_empty() && shape.nodes.len() >= NODES_MIN {
            self.merit(self.check.distinct, 0);
        }
    }

    /// The centre needs none. An outline without any may have left them out.
    fn summaries(&mut self, shape: &Shape) {
        let without = shape.nodes.iter().filter(|node| node.depth > 0 && !node.has_summary).count();
        if shape.has_summaries() && without > 0 {
            let part = without as f64 / shape.nodes.len() as f64;
            self.fault(0.2 * part, self.check.undescribed, without, "");
        } else if shape.has_summaries() {
            self.merit(self.check.described, 0);
        }
    }

    fn fault(&mut self, weight: f64, text: &str, count: usize, title: &str) {
        self.score -= weight;
        self.bad.push(self.say(text, count, title));
    }

    fn merit(&mut self, text: &str, count: usize) {
        self.good.push(self.say(text, count, ""));
    }

    fn say(&self, text: &str, count: usize, title: &str) -> String {
        format!("{}{}", self.check.label, filled(text, &[("{n}", &count.to_string()), ("{x}", title)]))
    }
}
