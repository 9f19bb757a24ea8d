//! Edits of one run of the AI: nodes that grow letter by letter beside people who go on editing, and what becomes of them
//! afterwards.
//!
//! A run never overwrites: where a text is no longer what the run has written so far, somebody else has the text now; a node that is
//! gone stays gone. Every step has a [`Fate`] of its own, so a run goes on with what is left.

mod grow;
mod settle;

use synapti_protocol::update::Id;

use super::{roots::MapRoots, state::Source};

pub(crate) use grow::grow;
pub(crate) use settle::settle;

/// What a run does with the map, as one edit.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEdit {
    /// More of its nodes.
    Grow(Growth),
    /// What becomes of nodes that it has made.
    Settle(Settlement),
}

/// What came of a [`RunEdit`].
#[derive(Debug, Clone, PartialEq)]
pub enum RunOutcome {
    /// Of [`RunEdit::Grow`].
    Grown(Grown),
    /// Of [`RunEdit::Settle`].
    Settled(Settled),
}

/// Steps of one run, carried out in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// The job; its nodes say so in `run`.
    pub run: String,
    /// What its nodes say of their origin.
    pub source: Source,
    /// What to do.
    pub steps: Vec<GrowStep>,
}

/// One step of a [`Growth`].
#[derive(Debug, Clone, PartialEq)]
pub enum GrowStep {
    /// The map itself, with its root, unless the root is there already.
    Init {
        /// What the map is about; the root's title.
        topic: String,
        /// The root's id.
        root: String,
        /// RFC 3339.
        created_at: String,
    },
    /// A node whose title begins: the last child of its parent, as a proposal.
    Begin {
        /// Its id, which no node has yet.
        id: String,
        /// The node that it hangs under.
        parent: String,
        /// The title so far.
        title: String,
    },
    /// More of a text.
    Append {
        /// The node.
        id: String,
        /// Which of its texts.
        field: GrowField,
        /// What the run has written of it so far.
        written: String,
        /// What follows.
        text: String,
    },
    /// A title is whole. A node of this run whose title a sibling has already goes again.
    Seal {
        /// The node.
        id: String,
        /// Its title.
        title: String,
    },
    /// What else is known of a node; what somebody has chosen meanwhile stays.
    Set {
        /// The node.
        id: String,
        /// What is known.
        looks: Looks,
    },
    /// Something about the map as a whole.
    SetMeta {
        /// The key in `meta`.
        key: &'static str,
        /// Its value.
        value: MetaValue,
    },
}

/// Which text of a node grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrowField {
    /// Its title.
    Title,
    /// Its summary.
    Summary,
}

/// What a run knows of a node besides its texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Looks {
    /// `#RRGGBB`.
    pub color: Option<String>,
    /// A positive number.
    pub size: Option<f64>,
    /// Whether it can be expanded in turn.
    pub expandable: Option<bool>,
    /// What it is to its parent.
    pub relationship: Option<String>,
    /// How strong that is, 0 to 1.
    pub strength: Option<f64>,
}

/// A value of `meta`.
#[derive(Debug, Clone, PartialEq)]
pub enum MetaValue {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// Somebody has changed the text: it is theirs now, and the run leaves it alone.
    Taken,
    /// The node, or for a new one its parent, is not there any more.
    Gone,
    /// There is such a node already: it has this id, or is a sibling with this title.
    Exists,
}

/// What came of a [`Growth`].
#[derive(Debug, Clone, PartialEq)]
pub struct Grown {
    /// One for each step.
    pub fates: Vec<Fate>,
    /// The elements that were written.
    pub wrote: IdRange,
}

/// Elements of one client, from one clock up to another, without that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// The client.
    pub client: u64,
    /// The first clock.
    pub from: u32,
    /// The clock after the last one.
    pub to: u32,
}

impl IdRange {
    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// Whether an element is in it.
    pub(crate) const fn has(&self, id: Id) -> bool {
        self.client == id.client && self.from <= id.clock && id.clock < self.to
    }
}

/// What is to become of nodes that a run has made.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The run.
    pub run: String,
    /// What to do.
    pub what: Verdict,
    /// Only these of its nodes; `None` = all.
    pub nodes: Option<Vec<String>>,
    /// Everything that the run has written.
    pub wrote: Vec<IdRange>,
}

/// What to do with the nodes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are proposals no longer.
    Accept,
    /// Proposals go. Of all of them, those that somebody has touched stay; one that is named goes also when it was edited or
    /// moved. None goes that has children which stay.
    Reject,
    /// They go, accepted or not, but for those that somebody has edited, moved or given children.
    Undo,
}

/// What came of a [`Settlement`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settled {
    /// Nodes that were accepted or removed.
    pub changed: Vec<String>,
    /// Nodes that it was about and that stay as they were.
    pub kept: Vec<String>,
    /// What of [`Settlement::wrote`] the document has.
    pub wrote: Vec<IdRange>,
}

impl RunEdit {
    /// How many nodes it may add.
    pub fn nodes_added(&self) -> usize {
        self.steps().filter(|step| matches!(step, GrowStep::Begin { .. } | GrowStep::Init { .. })).count()
    }

    /// How many nodes it touches, about.
    pub fn parts(&self) -> usize {
        self.steps().count().max(1)
    }

    /// Bytes of all texts that it brings.
    pub fn text_bytes(&self) -> usize {
        let of = |step: &GrowStep| match step {
            GrowStep::Init { topic, root, created_at } => 2 * topic.len() + root.len() + created_at.len(),
            GrowStep::Begin { id, parent, title } => id.len() + parent.len() + title.len(),
            GrowStep::Append { text, .. } => text.len(),
            GrowStep::Set { looks, .. } => looks.relationship.as_ref().map_or(0, String::len),
            GrowStep::Seal { .. } | GrowStep::SetMeta { .. } => 0,
        };
        self.steps().map(of).sum()
    }

    /// Whether it only takes away.
    pub fn takes_away(&self) -> bool {
        matches!(self, Self::Settle(_))
    }

    fn steps(&self) -> impl Iterator<Item = &GrowStep> {
        match self {
            Self::Grow(growth) => growth.steps.as_slice(),
            Self::Settle(_) => &[],
        }
        .iter()
    }
}

/// A title as it is compared with others: people see no difference in case and spaces.
pub fn title_key(title: &str) -> String {
    let words: Vec<String> = title.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests;
