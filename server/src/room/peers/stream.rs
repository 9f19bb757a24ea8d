//! What has been heard of one other node's opening of the map.

use std::collections::BTreeSet;

/// Updates that came before earlier ones and are remembered; beyond that they count as not heard, and are asked for.
const BEYOND_MAX: usize = 1024;

/// How long a missing update may still be on its way.
const LATE_WITHIN_MS: u64 = 150;

/// How long something of a node may wait at the gate before it is asked for what is missing.
const HELD_WITHIN_MS: u64 = 500;

/// How long an answer may take to come, from one part to the next.
const ANSWERS_WITHIN_MS: u64 = 3_000;

/// Time between two questions: at first, and at most.
const ASK_AGAIN_AFTER_MS: u64 = 250;
const ASK_AGAIN_AFTER_MS_MAX: u64 = 30_000;

/// One other node, as far as this map goes.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) epoch: u64,
    pub(super) heard_ms: u64,
    /// It is asked whether it is there, and has to answer by then.
    pub(super) answers_by_ms: Option<u64>,
    /// All of its updates up to this one have been heard.
    taken: u64,
    beyond: BTreeSet<u64>,
    /// The highest number that it is known to have given.
    head: u64,
    missing_since_ms: Option<u64>,
    held_since_ms: Option<u64>,
    /// Something of it may be missing that numbers do not tell.
    is_doubtful: bool,
    /// It shows other people than we know of; since when it may be asked who they are.
    presence_wrong: Option<Again>,
    /// All of our updates up to this one have been heard by it.
    pub(super) confirmed: u64,
    /// Our version at which it was seen to have the same.
    pub(super) agreed: Option<u64>,
    asked: Option<Asked>,
    again: Again,
}

/// When to ask again: each question that has led to nothing makes the next one come later.
#[derive(Clone, Copy, Debug, Default)]
struct Again {
    at_ms: u64,
    fruitless: u32,
}

impl Again {
    fn asked(&mut self, now_ms: u64) {
        self.at_ms = now_ms + (ASK_AGAIN_AFTER_MS << self.fruitless.min(10)).min(ASK_AGAIN_AFTER_MS_MAX);
        self.fruitless += 1;
    }
}

#[derive(Debug)]
struct Asked {
    number: u64,
    next_part: u64,
    last_ms: u64,
}

/// What an answer's part means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Not to a question that waits, or after a part that was lost.
    Useless,
    /// More comes.
    Next,
    /// The answer is whole.
    Last,
}

impl Stream {
    /// Somebody of whom nothing was heard before: what it has said so far has to be asked for.
    pub(super) fn new(epoch: u64, now_ms: u64) -> Self {
        Self {
            epoch,
            heard_ms: now_ms,
            answers_by_ms: None,
            taken: 0,
            beyond: BTreeSet::new(),
            head: 0,
            missing_since_ms: None,
            held_since_ms: None,
            is_doubtful: false,
            presence_wrong: None,
            confirmed: 0,
            agreed: None,
            asked: None,
            again: Again::default(),
        }
    }

    /// All up to this one have been heard.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// An update has come; false when it had come before.
    pub(super) fn take(&mut self, seq: u64, now_ms: u64) -> bool {
        self.note_head(seq, now_ms);
        if seq <= self.taken || self.beyond.contains(&seq) {
            return false;
        }
        if self.beyond.len() < BEYOND_MAX {
            self.beyond.insert(seq);
        }
        self.join(now_ms);
        true
    }

    /// It is known to have said so much.
    pub(super) fn note_head(&mut self, head: u64, now_ms: u64) {
        self.head = self.head.max(head);
        self.join(now_ms);
    }

    fn join(&mut self, now_ms: u64) {
        while let Some(&first) = self.beyond.first()
            && first <= self.taken + 1
        {
            self.beyond.pop_first();
            self.taken = self.taken.max(first);
        }
        self.missing_since_ms = if self.head > self.taken { self.missing_since_ms.or(Some(now_ms)) } else { None };
    }

    /// Whether updates of it are missing.
    pub(super) fn has_gap(&self) -> bool {
        self.missing_since_ms.is_some()
    }

    /// Something of it waits at the gate for something that is missing, or nothing does any more.
    pub(super) fn note_held(&mut self, is_held: bool, now_ms: u64) {
        if !is_held && self.held_since_ms.is_some() {
            self.again.fruitless = 0;
        }
        self.held_since_ms = if is_held { self.held_since_ms.or(Some(now_ms)) } else { None };
    }

    /// Something of it may be missing that numbers do not tell.
    pub(super) fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// Whether it shows the people that we know of.
    pub(super) fn note_presence(&mut self, is_right: bool) {
        self.presence_wrong = if is_right { None } else { Some(self.presence_wrong.unwrap_or_default()) };
    }

    /// When it should be asked who is there, if it should.
    pub(super) fn presence_question_due_ms(&self) -> Option<u64> {
        self.presence_wrong.map(|again| again.at_ms)
    }

    /// It is asked who is there.
    pub(super) fn ask_presence(&mut self, now_ms: u64) {
        self.presence_wrong.iter_mut().for_each(|again| again.asked(now_ms));
    }

    /// Whether nothing of it is known to be missing.
    pub(super) fn is_settled(&self) -> bool {
        !self.has_gap() && !self.is_doubtful && self.held_since_ms.is_none()
    }

    /// When it should be asked, if it should; in the past when that is due.
    pub(super) fn question_due_ms(&self) -> Option<u64> {
        let after = |since: Option<u64>, within| since.map(|since_ms| since_ms + within);
        let at_once = self.is_doubtful.then_some(0);
        let reasons =
            [at_once, after(self.missing_since_ms, LATE_WITHIN_MS), after(self.held_since_ms, HELD_WITHIN_MS)];
        let due_ms = reasons.into_iter().flatten().min()?;
        let not_before_ms = self.asked.as_ref().map_or(self.again.at_ms, |asked| asked.last_ms + ANSWERS_WITHIN_MS);
        Some(due_ms.max(not_before_ms))
    }

    /// It is asked now.
    pub(super) fn ask(&mut self, number: u64, now_ms: u64) {
        self.asked = Some(Asked { number, next_part: 0, last_ms: now_ms });
        self.again.asked(now_ms);
    }

    /// A part of its answer has come.
    pub(super) fn answered(&mut self, number: u64, part: u64, is_last: bool, now_ms: u64) -> Part {
        let Some(asked) = self.asked.as_mut().filter(|asked| asked.number == number) else { return Part::Useless };
        if asked.next_part != part {
            return Part::Useless;
        }
        asked.next_part += 1;
        asked.last_ms = now_ms;
        if is_last { Part::Last } else { Part::Next }
    }

    /// A whole answer has been taken in, which contains everything up to `head`.
    pub(super) fn repaired(&mut self, head: u64, now_ms: u64) {
        self.asked = None;
        self.is_doubtful = false;
        if self.has_gap() {
            self.again.fruitless = 0;
        }
        self.taken = self.taken.max(head);
        self.beyond = self.beyond.split_off(&(self.taken + 1));
        self.note_head(head, now_ms);
    }

    /// There is more than one answer holds.
    pub(super) fn ask_on(&mut self, now_ms: u64) {
        self.asked = None;
        self.is_doubtful = true;
        self.again = Again { at_ms: now_ms, fruitless: 0 };
    }

    /// It was seen to have the same as we at our `version`.
    pub(super) fn agree(&mut self, version: u64) {
        self.agreed = Some(version);
        self.again.fruitless = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_asked_for_when_it_has_not_closed_by_itself() {
        let mut stream = Stream::new(1, 0);
        assert!(stream.take(1, 10) && !stream.take(1, 11));
        assert_eq!(stream.question_due_ms(), None);
        assert!(stream.take(3, 20) && stream.take(4, 30));
        assert_eq!((stream.taken(), stream.question_due_ms()), (1, Some(20 + LATE_WITHIN_MS)));
        assert!(stream.take(2, 40));
        assert_eq!((stream.taken(), stream.question_due_ms()), (4, None));
        stream.note_head(9, 50);
        stream.ask(7, 500);
        assert_eq!(stream.question_due_ms(), Some(500 + ANSWERS_WITHIN_MS), "it has time to answer");
        assert_eq!(stream.answered(6, 0, true, 510), Part::Useless);
        assert_eq!(stream.answered(7, 0, false, 510), Part::Next);
        assert_eq!(stream.answered(7, 0, false, 510), Part::Useless, "it came twice");
        assert_eq!(stream.answered(7, 1, true, 520), Part::Last);
        stream.repaired(10, 520);
        assert_eq!((stream.taken(), stream.question_due_ms()), (10, None));
        assert!(stream.is_settled());
    }

    #[test]
    fn questions_that_lead_to_nothing_become_seldom() {
        let mut stream = Stream::new(1, 0);
        let (mut now_ms, mut asked) = (0, 0);
        while now_ms < 600_000 {
            stream.doubt();
            now_ms = now_ms.max(stream.question_due_ms().unwrap());
            stream.ask(asked, now_ms);
            stream.answered(asked, 0, true, now_ms);
            stream.repaired(0, now_ms);
            asked += 1;
        }
        assert!((20..40).contains(&asked), "{asked}");
        stream.agree(1);
        stream.doubt();
        stream.ask(asked, now_ms);
        stream.repaired(0, now_ms);
        stream.doubt();
        assert_eq!(stream.question_due_ms(), Some(now_ms + ASK_AGAIN_AFTER_MS));
    }
}
