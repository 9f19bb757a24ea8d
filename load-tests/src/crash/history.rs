//! What is known of every element that was ever written: sent, acknowledged, seen, read.
//!
//! The judgement is that of a set whose elements are added once and removed at most once. What was acknowledged, or shown
//! to somebody as saved, must be there after every crash; what a read after a crash has shown must stay true.

use std::{collections::HashMap, fmt, ops::Range};

use crate::update::Span;

/// Number of an element.
pub type ElementId = usize;

/// What somebody can know of a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Somebody has sent it.
    pub sent: bool,
    /// The server has said that it is on disk.
    pub acknowledged: bool,
    /// Somebody was shown it, and not told that it is unsaved.
    pub seen: bool,
}

/// Something that was written once.
#[derive(Debug)]
pub struct Element {
    /// Its place in the document.
    pub span: Span,
    /// Bytes of its text.
    pub bytes: usize,
    /// Its key in the map; `None` for a piece of the text.
    pub key: Option<String>,
    /// Its insertion.
    pub insert: Known,
    /// Its deletion.
    pub delete: Known,
    /// Whether the last read after a crash had it.
    read: Option<bool>,
    /// Whether a fault of it was told: one is enough.
    is_told: bool,
}

/// A change of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Adds an element.
    Insert(ElementId),
    /// Removes it.
    Delete(ElementId),
}

/// How an element was found by a read after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// As it was written.
    Whole,
    /// With another content.
    Changed,
}

/// What must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Acknowledged or seen, and gone.
    Lost,
    /// Its deletion was acknowledged or seen, and it is there.
    Resurrected,
    /// A read after a crash has shown the contrary.
    Flickered,
    /// There with another content, or nobody's.
    Changed,
}

/// Everything that was written.
pub struct History {
    run: u32,
    elements: Vec<Element>,
    /// Elements of each author, in the order of their clocks.
    authors: HashMap<u64, Vec<ElementId>>,
    rooms: HashMap<usize, Vec<ElementId>>,
}

impl Known {
    /// Whether it has to survive.
    pub fn is_certain(self) -> bool {
        self.acknowledged || self.seen
    }
}

impl History {
    /// Nothing was written; elements differ from those of other runs by `run`.
    pub fn new(run: u32) -> Self {
        Self { run, elements: Vec::new(), authors: HashMap::new(), rooms: HashMap::new() }
    }

    /// The next element's number.
    pub fn next(&self) -> ElementId {
        self.elements.len()
    }

    /// The text of an element of this size: nobody else's.
    pub fn text(&self, element: ElementId, bytes: usize) -> String {
        let mut text = format!("el-{:08x}-{element:08}-", self.run);
        text.extend(std::iter::repeat_n('x', bytes.saturating_sub(text.len())));
        text
    }

    /// An element is about to be sent. Those of one author are added in the order of their clocks.
    pub fn add(&mut self, room: usize, span: Span, bytes: usize, key: Option<String>) -> ElementId {
        let id = self.next();
        self.elements.push(Element {
            span,
            bytes,
            key,
            insert: Known { sent: true, ..Known::default() },
            delete: Known::default(),
            read: None,
            is_told: false,
        });
        self.authors.entry(span.id.client).or_default().push(id);
        self.rooms.entry(room).or_default().push(id);
        id
    }

    /// An element.
    pub fn element(&self, id: ElementId) -> &Element {
        &self.elements[id]
    }

    /// All of them.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// What is known of a change.
    pub fn known(&mut self, change: Change) -> &mut Known {
        match change {
            Change::Insert(id) => &mut self.elements[id].insert,
            Change::Delete(id) => &mut self.elements[id].delete,
        }
    }

    /// Elements of an author that lie wholly within these clocks.
    pub fn within(&self, client: u64, clocks: Range<u32>) -> &[ElementId] {
        let Some(ids) = self.authors.get(&client) else { return &[] };
        let clock = |id: &ElementId| self.elements[*id].span.id.clock;
        let begin = ids.partition_point(|id| clock(id) < clocks.start);
        let end = ids.partition_point(|id| clock(id) + self.elements[*id].span.len <= clocks.end);
        ids.get(begin..end).unwrap_or_default()
    }

    /// Whether somebody of this run writes under this id.
    pub fn is_author(&self, client: u64) -> bool {
        self.authors.contains_key(&client)
    }

    /// Holds a read after a crash against what is known of the room. Each element is told at most once.
    pub fn judge(&mut self, room: usize, found: &HashMap<ElementId, Found>) -> Vec<(ElementId, Fault)> {
        let mut faults = Vec::new();
        for &id in self.rooms.get(&room).map(Vec::as_slice).unwrap_or_default() {
            let element = &mut self.elements[id];
            let fault = element.judge(found.get(&id).copied());
            element.read = Some(found.contains_key(&id));
            if let Some(fault) = fault
                && !std::mem::replace(&mut element.is_told, true)
            {
                faults.push((id, fault));
            }
        }
        faults
    }
}

impl Element {
    fn judge(&self, found: Option<Found>) -> Option<Fault> {
        match found {
            Some(Found::Changed) => Some(Fault::Changed),
            Some(Found::Whole) if self.delete.is_certain() => Some(Fault::Resurrected),
            Some(Found::Whole) if self.read == Some(false) => Some(Fault::Flickered),
            None if !self.delete.sent && self.insert.is_certain() => Some(Fault::Lost),
            None if !self.delete.sent && self.read == Some(true) => Some(Fault::Flickered),
            Some(Found::Whole) | None => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "lost",
            Self::Resurrected => "resurrected",
            Self::Flickered => "flickered",
            Self::Changed => "changed",
        })
    }
}

#[cfg(test)]
mod tests {
    use synapti_protocol::update::Id;

    use super::*;

    const ROOM: usize = 3;

    /// A history of elements that were sent, and what is done with it.
    struct Story(History);

    impl Story {
        fn of(elements: u32) -> Self {
            let mut history = History::new(1);
            for clock in 0..elements {
                history.add(ROOM, Span { id: Id { client: 5, clock }, len: 1 }, 0, None);
            }
            Self(history)
        }

        fn acknowledged(mut self, change: Change) -> Self {
            *self.0.known(change) = Known { sent: true, acknowledged: true, seen: false };
            self
        }

        fn seen(mut self, change: Change) -> Self {
            *self.0.known(change) = Known { sent: true, acknowledged: false, seen: true };
            self
        }

        fn sent(mut self, change: Change) -> Self {
            self.0.known(change).sent = true;
            self
        }

        fn read(&mut self, found: &[ElementId]) -> Vec<(ElementId, Fault)> {
            self.0.judge(ROOM, &found.iter().map(|&id| (id, Found::Whole)).collect())
        }
    }

    #[test]
    fn what_was_acknowledged_or_seen_must_be_there() {
        let mut story =
            Story::of(4).acknowledged(Change::Insert(0)).seen(Change::Insert(1)).acknowledged(Change::Insert(2));
        assert_eq!(story.read(&[2]), [(0, Fault::Lost), (1, Fault::Lost)]);
        assert_eq!(story.read(&[2]), [], "once is enough");
    }

    #[test]
    fn what_was_deleted_for_certain_must_not_come_back() {
        let story = Story::of(3).acknowledged(Change::Insert(0)).acknowledged(Change::Delete(0));
        let mut story = story.acknowledged(Change::Insert(1)).seen(Change::Delete(1)).sent(Change::Delete(2));
        assert_eq!(story.read(&[0, 1, 2]), [(0, Fault::Resurrected), (1, Fault::Resurrected)]);
        let mut clean = Story::of(1).acknowledged(Change::Insert(0)).acknowledged(Change::Delete(0));
        assert_eq!(clean.read(&[]), []);
    }

    #[test]
    fn what_is_uncertain_may_be_either_way_but_only_one_way() {
        let mut story = Story::of(4).sent(Change::Delete(2)).sent(Change::Delete(3));
        assert_eq!(story.read(&[0, 2]), []);
        assert_eq!(story.read(&[0, 2]), []);
        // 0 goes, 1 and 3 come; that 2 goes was asked for.
        assert_eq!(story.read(&[1, 3]), [(0, Fault::Flickered), (1, Fault::Flickered), (3, Fault::Flickered)]);
    }

    #[test]
    fn a_deletion_that_a_read_has_shown_stays() {
        let mut story = Story::of(1).acknowledged(Change::Insert(0)).sent(Change::Delete(0));
        assert_eq!(story.read(&[0]), []);
        assert_eq!(story.read(&[]), []);
        assert_eq!(story.read(&[0]), [(0, Fault::Flickered)]);
    }

    #[test]
    fn another_content_is_a_fault_and_other_rooms_are_none_of_it() {
        let mut story = Story::of(1).acknowledged(Change::Insert(0));
        assert_eq!(story.0.judge(ROOM + 1, &HashMap::new()), []);
        assert_eq!(story.0.judge(ROOM, &HashMap::from([(0, Found::Changed)])), [(0, Fault::Changed)]);
    }

    #[test]
    fn a_clean_history_has_no_faults() {
        let mut story = Story::of(3);
        for id in 0..3 {
            story = story.acknowledged(Change::Insert(id));
        }
        story = story.acknowledged(Change::Delete(1));
        for _ in 0..3 {
            assert_eq!(story.read(&[0, 2]), []);
        }
    }

    #[test]
    fn elements_are_found_by_their_clocks() {
        let mut history = History::new(1);
        for (clock, len) in [(0, 1), (1, 4), (5, 1)] {
            history.add(ROOM, Span { id: Id { client: 5, clock }, len }, 0, None);
        }
        assert_eq!(history.within(5, 0..6), [0, 1, 2]);
        assert_eq!(history.within(5, 1..5), [1]);
        assert_eq!(history.within(5, 2..6), [2], "not a part of one");
        assert_eq!(history.within(5, 2..3), [0; 0]);
        assert_eq!(history.within(6, 0..6), [0; 0]);
    }
}
