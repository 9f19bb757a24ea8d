//! What becomes of a client's edits, for transports that tell it in their own way.

use std::collections::VecDeque;

use crate::room::slot::News;

/// Edits by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EditCounts {
    /// `Update` messages.
    pub updates: u64,
    /// Answers to a question of the room (`SyncStep2`).
    pub answers: u64,
}

impl EditCounts {
    /// Both kinds together.
    pub fn all(self) -> u64 {
        self.updates + self.answers
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    /// So many of the session's edits are on disk.
    durable: u64,
    /// So many of them have been taken.
    taken: u64,
    /// Which of the edits beyond `taken` are answers. The room asks seldom, and a client that sends answers all the same is
    /// slowed down like any other.
    answers: VecDeque<u64>,
    refused: EditCounts,
    is_unsaved: bool,
}

impl Counts {
    pub(super) fn new(is_unsaved: bool) -> Self {
        Self { is_unsaved, ..Self::default() }
    }

    pub(super) fn hear(&mut self, news: &News) {
        self.durable = news.acked.unwrap_or(self.durable);
        self.is_unsaved = news.unsaved.unwrap_or(self.is_unsaved);
    }

    /// The session has handed over its edit with this number.
    pub(super) fn note(&mut self, number: u64, is_answer: bool) {
        if is_answer {
            self.answers.push_back(number);
        }
    }

    pub(super) fn refuse(&mut self, is_answer: bool) {
        let refused = &mut self.refused;
        *if is_answer { &mut refused.answers } else { &mut refused.updates } += 1;
    }

    pub(super) fn take_durable(&mut self) -> EditCounts {
        let edits = self.durable - self.taken;
        self.taken = self.durable;
        let answers = self.answers.iter().take_while(|number| **number <= self.durable).count();
        self.answers.drain(..answers);
        EditCounts { updates: edits - answers as u64, answers: answers as u64 }
    }

    pub(super) fn take_refused(&mut self) -> EditCounts {
        std::mem::take(&mut self.refused)
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    pub(super) fn is_unsaved(&self) -> bool {
        self.is_unsaved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_disk_is_counted_once_and_by_kind() {
        let mut counts = Counts::new(false);
        for (number, is_answer) in [(1, true), (2, false), (3, false), (4, true)] {
            counts.note(number, is_answer);
        }
        let acked = |acked| News { acked: Some(acked), ..News::default() };
        assert_eq!(counts.take_durable().all(), 0);
        counts.hear(&acked(2));
        assert_eq!(counts.take_durable(), EditCounts { updates: 1, answers: 1 });
        assert_eq!(counts.take_durable().all(), 0);
        counts.hear(&acked(4));
        assert_eq!(counts.take_durable(), EditCounts { updates: 1, answers: 1 });
    }

    #[test]
    fn each_refused_edit_is_counted() {
        let mut counts = Counts::new(true);
        counts.refuse(true);
        counts.refuse(false);
        counts.refuse(false);
        assert_eq!(counts.take_refused(), EditCounts { updates: 2, answers: 1 });
        assert_eq!(counts.take_refused().all(), 0);
        counts.hear(&News { unsaved: Some(false), ..News::default() });
        assert!(!counts.is_unsaved());
    }
}
