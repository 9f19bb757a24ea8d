//! How far a job is: written down after each step, so that any node can go on from there.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use synapti_crdt::map::IdRange;

use crate::ai::{growth::Sprout, provider::Usage};

/// Warnings that a job keeps.
const WARNINGS_MAX: usize = 16;

/// The steps of a job; not every job has all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Nothing has been done.
    #[default]
    Queued,
    /// The first nodes of a map.
    Outline,
    /// Children of nodes.
    Children,
    /// Whether it makes sense as a whole.
    Coherence,
    /// What is said of the map as a whole.
    Layout,
    /// Everything is done.
    Done,
}

impl Step {
    /// The word that stands for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Outline => "outline",
            Self::Children => "children",
            Self::Coherence => "coherence",
            Self::Layout => "layout",
            Self::Done => "done",
        }
    }
}

/// A node that is to get children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// The node.
    pub node: String,
    /// Children, at most.
    pub children_max: usize,
    /// Levels, this one among them.
    pub levels: usize,
    /// Whether it has them.
    pub is_done: bool,
}

/// Elements of one client: `[client, from, to]`.
pub type Range = (u64, u32, u32);

/// What became of nodes after the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verdicts {
    /// Nodes that were accepted.
    pub accepted: usize,
    /// Nodes that were rejected.
    pub rejected: usize,
    /// Nodes that were taken back.
    pub undone: usize,
    /// Nodes that stayed at the last of these, because people had touched them.
    pub kept: usize,
}

/// Everything about a job that is not its request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saga {
    /// The step that is under way.
    pub step: Step,
    /// Nodes that are to get children.
    pub branches: Vec<Branch>,
    /// Nodes that are whole.
    pub written: Vec<String>,
    /// Everything that the run has written.
    pub ranges: Vec<Range>,
    /// Where the run that is under way writes on: `[client, from]`. What a node wrote that died is in there.
    pub open: Option<(u64, u32)>,
    /// Who answered.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// `ai` or `template`.
    pub source: String,
    /// Whether all answers were kept ones.
    pub is_cached: bool,
    /// Whether the template answered because the provider could not.
    pub is_fallback: bool,
    /// Tokens read by the model.
    pub input_tokens: u64,
    /// Tokens written by it.
    pub output_tokens: u64,
    /// Millionths of a US dollar.
    pub cost_micro_dollars: u64,
    /// Answers that came so far.
    pub answers: u32,
    /// What the model finds of the map.
    pub coherence: Option<Value>,
    /// What people should know.
    pub warnings: Vec<String>,
    /// When the run began first, in milliseconds since 1970.
    pub begun_ms: Option<i64>,
    /// What became of its nodes since.
    pub verdicts: Verdicts,
}

impl Saga {
    /// Reads what was written down; nothing when nothing was.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As it is written down.
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Notes elements that were written.
    pub fn note(&mut self, wrote: IdRange) {
        if wrote.is_empty() {
            return;
        }
        match self.ranges.last_mut() {
            Some((client, _, to)) if *client == wrote.client && *to == wrote.from => *to = wrote.to,
            _ => self.ranges.push((wrote.client, wrote.from, wrote.to)),
        }
        self.open = Some((wrote.client, wrote.to));
    }

    /// Everything that the run has written, as far as is known; with `open`, what it may have written besides.
    pub fn wrote(&self, with_open: bool) -> Vec<IdRange> {
        let known = self.ranges.iter().map(|&(client, from, to)| IdRange { client, from, to });
        let open = self.open.filter(|_| with_open).map(|(client, from)| IdRange { client, from, to: u32::MAX });
        known.chain(open).collect()
    }

    /// What an earlier attempt has written is known. Nodes that are written down as whole were so before that was noted; what came
    /// after it under the same id may be somebody else's, whose edits over the API carry that id as well.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Notes nodes that are whole.
    pub fn note_written(&mut self, sprouts: &[Sprout]) {
        for sprout in sprouts {
            if !self.written.contains(&sprout.id) {
                self.written.push(sprout.id.clone());
            }
        }
    }

    /// Notes what an answer has used up.
    pub fn note_usage(&mut self, usage: Usage, cost_micro_dollars: u64) {
        self.input_tokens += usage.input_tokens;
        self.output_tokens += usage.output_tokens;
        self.cost_micro_dollars += cost_micro_dollars;
    }

    /// Says something to those who look at the job, once.
    pub fn warn(&mut self, text: &str) {
        if self.warnings.len() < WARNINGS_MAX && !self.warnings.iter().any(|warning| warning == text) {
            self.warnings.push(text.to_owned());
        }
    }

    /// How far it is, 0 to 1.
    pub fn progress(&self) -> f64 {
        let done = self.branches.iter().filter(|branch| branch.is_done).count();
        let of_children = if self.branches.is_empty() { 0.0 } else { done as f64 / self.branches.len() as f64 };
        match self.step {
            Step::Queued => 0.0,
            Step::Outline => 0.1,
            Step::Children => 0.1 + 0.75 * of_children,
            Step::Coherence => 0.9,
            Step::Layout => 0.95,
            Step::Done => 1.0,
        }
    }
}
