//! From an answer that is being read to edits of a map: nodes that begin with the first letters of their titles.
//!
//! Pure: events in, steps out. What gathers between two edits is one edit, however many tokens it was.

mod element;
mod looks;

use std::collections::{HashMap, HashSet};

use synapti_crdt::map::{Fate, GrowField, GrowStep, title_key};

use super::reader::{ReadEvent, TextField};
use element::{Element, Title};

/// One answer as it becomes nodes under one parent.
#[derive(Debug)]
pub struct Growing {
    parent: String,
    /// Begins the ids of its nodes.
    prefix: String,
    /// Of the titles of the parent's children, as they are compared.
    taken: HashSet<String>,
    nodes_max: usize,
    begun: usize,
    /// Titles that were read, also those that came to nothing.
    titles: usize,
    element: Option<Element>,
    steps: Vec<GrowStep>,
    /// Nodes that have begun, as they were named.
    begun_ids: Vec<String>,
    /// Nodes that were read to their end, and not all of whose steps are known to be done.
    read: Vec<Sprout>,
    /// Nodes that are whole on the map.
    finished: Vec<Sprout>,
    /// Whether the parent is gone.
    is_orphaned: bool,
    /// Nodes that somebody else has, in part or whole.
    lost: HashMap<String, Lost>,
}

/// A node that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sprout {
    /// Its id.
    pub id: String,
    /// Its title, as the model wrote it.
    pub title: String,
    /// Whether it can be expanded in turn.
    pub is_expandable: bool,
    /// How important the model finds it, in hundredths.
    pub importance: u8,
}

/// What a run must not write any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    title: bool,
    summary: bool,
    node: bool,
}

impl Growing {
    /// Nodes under `parent`, at most so many, whose titles are not among `existing`. Their ids begin with `prefix`; a number
    /// follows.
    pub fn new(parent: &str, prefix: String, existing: &[String], nodes_max: usize) -> Self {
        Self {
            parent: parent.to_owned(),
            prefix,
            taken: existing.iter().map(|title| title_key(title)).collect(),
            nodes_max,
            begun: 0,
            titles: 0,
            element: None,
            steps: Vec::new(),
            begun_ids: Vec::new(),
            read: Vec::new(),
            finished: Vec::new(),
            is_orphaned: false,
            lost: HashMap::new(),
        }
    }

    /// Takes what was read. `next` gives each new node its number.
    pub fn hear(&mut self, events: Vec<ReadEvent>, mut next: impl FnMut() -> u32) {
        for event in events {
            match event {
                ReadEvent::ElementBegins => self.element = Some(Element::default()),
                ReadEvent::Text { field: TextField::Title, text } => self.more_title(&text, &mut next),
                ReadEvent::TextEnds(TextField::Title) => self.end_title(&mut next),
                ReadEvent::Text { field: TextField::Summary, text } => self.more_summary(&text),
                ReadEvent::TextEnds(TextField::Summary) => {}
                ReadEvent::Value { name, value } => {
                    if let Some(element) = &mut self.element {
                        element.values.note(&name, &value);
                    }
                }
                ReadEvent::ElementEnds { is_whole } => self.end_element(is_whole),
            }
        }
    }

    /// Whether there are steps to be carried out.
    pub fn has_steps(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Takes what is to be carried out next.
    pub fn take_steps(&mut self) -> Vec<GrowStep> {
        std::mem::take(&mut self.steps)
    }

    /// Learns what became of steps. What somebody else has now is left alone from here on.
    pub fn learn(&mut self, steps: &[GrowStep], fates: &[Fate]) {
        for (step, fate) in steps.iter().zip(fates) {
            if let (GrowStep::Set { id, .. }, Fate::Done) = (step, fate)
                && let Some(at) = self.read.iter().position(|sprout| sprout.id == *id)
            {
                // That is the last step of every node.
                self.finished.push(self.read.remove(at));
            }
            self.is_orphaned |= matches!((step, fate), (GrowStep::Begin { .. }, Fate::Gone));
            if let (GrowStep::Seal { .. } | GrowStep::Begin { .. }, Fate::Exists) = (step, fate) {
                // There is room for another one.
                self.begun = self.begun.saturating_sub(1);
            }
            let (Some(id), false) = (id_of(step), *fate == Fate::Done) else { continue };
            let lost = self.lost.entry(id.clone()).or_default();
            match (step, fate) {
                (GrowStep::Append { field: GrowField::Summary, .. }, Fate::Taken) => lost.summary = true,
                (GrowStep::Append { .. } | GrowStep::Seal { .. }, Fate::Taken) => lost.title = true,
                _ => lost.node = true,
            }
        }
        self.drop_lost_steps();
    }

    /// Steps that wait to be carried out.
    pub fn steps_waiting(&self) -> usize {
        self.steps.len()
    }

    /// Whether the answer had nothing to offer.
    pub fn was_empty(&self) -> bool {
        self.titles == 0
    }

    /// Gives up what is not whole on the map: no more steps are carried out. Answers the nodes that may be there in part.
    pub fn give_up(&mut self) -> Vec<String> {
        self.element = None;
        self.steps.clear();
        self.read.clear();
        let is_whole = |id: &String| self.finished.iter().any(|sprout| sprout.id == *id);
        self.begun_ids.iter().filter(|id| !is_whole(id) && !self.is_lost(id, |lost| lost.node)).cloned().collect()
    }

    /// The nodes that are whole and still there, as far as is known.
    pub fn finished(&self) -> impl Iterator<Item = &Sprout> {
        self.finished.iter().filter(|sprout| !self.is_lost(&sprout.id, |lost| lost.node))
    }

    /// Whether the node under which all of this was to grow is gone.
    pub fn is_orphaned(&self) -> bool {
        self.is_orphaned
    }

    /// Whether as many nodes are whole as may be.
    pub fn is_full(&self) -> bool {
        self.element.is_none() && self.begun >= self.nodes_max
    }

    fn is_lost(&self, id: &str, what: impl Fn(&Lost) -> bool) -> bool {
        self.lost.get(id).is_some_and(what)
    }

    fn drop_lost_steps(&mut self) {
        let lost = &self.lost;
        self.steps.retain(|step| {
            let Some(lost) = id_of(step).and_then(|id| lost.get(id)) else { return true };
            let is_lost = match step {
                GrowStep::Append { field: GrowField::Title, .. } | GrowStep::Seal { .. } => lost.title,
                GrowStep::Append { field: GrowField::Summary, .. } => lost.summary,
                _ => false,
            };
            !lost.node && !is_lost
        });
    }

    fn more_title(&mut self, text: &str, next: &mut impl FnMut() -> u32) {
        let Some(element) = &mut self.element else { return };
        match &mut element.title {
            Title::Dropped => {}
            Title::Waiting(waiting) => {
                waiting.push_str(text);
                // A title that may still turn out to be one that is there shows nothing yet.
                let key = title_key(waiting);
                let may_be_taken = self.taken.iter().any(|taken| taken.starts_with(&key));
                if !key.is_empty() && !may_be_taken {
                    self.begin(next);
                }
            }
            Title::Begun { id, title } => {
                let (id, written) = (id.clone(), title.clone());
                title.push_str(text);
                self.append(id, GrowField::Title, written, text);
            }
        }
    }

    fn end_title(&mut self, next: &mut impl FnMut() -> u32) {
        self.titles += 1;
        let Some(element) = &mut self.element else { return };
        if let Title::Waiting(waiting) = &element.title {
            let key = title_key(waiting);
            if key.is_empty() || self.taken.contains(&key) {
                element.title = Title::Dropped;
                return;
            }
            self.begin(next);
        }
        if let Some(Element { title: Title::Begun { id, title }, .. }) = &self.element {
            self.taken.insert(title_key(title));
            self.steps.push(GrowStep::Seal { id: id.clone(), title: title.clone() });
        }
    }

    fn begin(&mut self, next: &mut impl FnMut() -> u32) {
        let Some(element) = &mut self.element else { return };
        let Title::Waiting(title) = &mut element.title else { return };
        let title = std::mem::take(title);
        if self.begun >= self.nodes_max {
            element.title = Title::Dropped;
            return;
        }
        self.begun += 1;
        let id = format!("{}-{}", self.prefix, next());
        self.begun_ids.push(id.clone());
        let begin = GrowStep::Begin { id: id.clone(), parent: self.parent.clone(), title: title.clone() };
        let summary = element.summary.clone();
        element.title = Title::Begun { id: id.clone(), title };
        self.steps.push(begin);
        if !summary.is_empty() {
            self.append(id, GrowField::Summary, String::new(), &summary);
        }
    }

    fn more_summary(&mut self, text: &str) {
        let Some(element) = &mut self.element else { return };
        let written = element.summary.clone();
        element.summary.push_str(text);
        if let Title::Begun { id, .. } = &element.title {
            let id = id.clone();
            self.append(id, GrowField::Summary, written, text);
        }
    }

    /// Adds to a text, in the step that adds to it already if that has not been taken yet.
    fn append(&mut self, id: String, field: GrowField, written: String, text: &str) {
        let is_taken = |lost: &Lost| lost.node || if field == GrowField::Title { lost.title } else { lost.summary };
        if self.is_lost(&id, is_taken) {
            return;
        }
        match self.steps.last_mut() {
            Some(GrowStep::Begin { id: begun, title, .. }) if *begun == id && field == GrowField::Title => {
                title.push_str(text);
            }
            Some(GrowStep::Append { id: same, field: last, text: more, .. }) if *same == id && *last == field => {
                more.push_str(text);
            }
            _ => self.steps.push(GrowStep::Append { id, field, written, text: text.to_owned() }),
        }
    }

    fn end_element(&mut self, is_whole: bool) {
        if !is_whole {
            // What is not whole stays what it is: half-written.
            return;
        }
        let Some(Element { title: Title::Begun { id, title }, values, .. }) = self.element.take() else { return };
        if self.is_lost(&id, |lost| lost.node) {
            return;
        }
        let looks = values.looks();
        let (is_expandable, importance) = (looks.expandable != Some(false), values.importance());
        self.steps.push(GrowStep::Set { id: id.clone(), looks });
        self.read.push(Sprout { id, title, is_expandable, importance });
    }
}

fn id_of(step: &GrowStep) -> Option<&String> {
    match step {
        GrowStep::Begin { id, .. }
        | GrowStep::Append { id, .. }
        | GrowStep::Seal { id, .. }
        | GrowStep::Set { id, .. } => Some(id),
        GrowStep::Init { .. } | GrowStep::SetMeta { .. } => None,
    }
}

#[cfg(test)]
mod tests;
