//! Words by which the tokens of an answer are recognised on the wire.
//!
//! A server merges what gathered into one edit, so edits cannot be counted. But what a model has said stands in them as plain
//! bytes, so a word that comes once in a map marks its token wherever it arrives.

use anyhow::{Context as _, ensure};
use memchr::memmem::Finder;
use tokio::time::Instant;

/// How every word begins: as no other text of a measurement does.
const PREFIX: &str = "Zq";

/// Digits of a word's number, which follow.
const DIGITS: usize = 5;

/// Words that one map can have.
pub const WORDS_MAX: u32 = 10_u32.pow(DIGITS as u32);

/// Finds words.
pub struct Words(Finder<'static>);

/// When words arrived at one viewer; the place in the list is the word's number.
#[derive(Debug, Default)]
pub struct Arrivals {
    at: Vec<Option<Instant>>,
    count: usize,
}

/// The word with this number.
pub fn word(number: u32) -> String {
    debug_assert!(number < WORDS_MAX);
    format!("{PREFIX}{number:0DIGITS$}")
}

impl Default for Words {
    fn default() -> Self {
        Self(Finder::new(PREFIX).into_owned())
    }
}

impl Words {
    /// The numbers of the words in some bytes, in the order in which they stand there.
    pub fn find<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = u32> + 'a {
        self.0.find_iter(bytes).filter_map(|at| {
            let digits = bytes[at + PREFIX.len()..].first_chunk::<DIGITS>()?;
            digits.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
        })
    }
}

impl Arrivals {
    /// A word has come; what counts is when it came first.
    pub fn note(&mut self, word: u32, now: Instant) {
        let place = word as usize;
        if self.at.len() <= place {
            self.at.resize(place + 1, None);
        }
        self.count += usize::from(self.at[place].is_none());
        self.at[place].get_or_insert(now);
    }

    /// How many different words have come.
    pub fn count(&self) -> usize {
        self.count
    }

    /// When the first of all came.
    pub fn first(&self) -> Option<Instant> {
        self.at.iter().flatten().min().copied()
    }

    /// When a word came that was written at this time.
    pub fn of(&self, word: u32, written: Instant) -> anyhow::Result<Instant> {
        let at = self.at.get(word as usize).copied().flatten();
        let at = at.with_context(|| format!("the token {} is lost to a viewer", self::word(word)))?;
        ensure!(at >= written, "the token {} was there before it was written", self::word(word));
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use synapti_crdt::{
        AsideLimits, Op, Replica,
        map::{MapEdit, NewNode},
    };

    use super::*;

    #[test]
    fn words_are_found_in_the_edit_that_holds_them_and_nowhere_else() {
        let mut replica = Replica::new(7, AsideLimits::default());
        let init = replica.apply([Op::Edit(&crate::map::init("Topic"))], 0).update.unwrap();
        let mut node = NewNode::new("a", format!("{} {}", word(0), word(41)));
        node.summary = format!("{} {}.", word(99_999), word(7));
        let update = replica.apply([Op::Edit(&MapEdit::AddNode(node))], 0).update.unwrap();
        let words = Words::default();
        let mut found: Vec<u32> = words.find(&update).collect();
        found.sort_unstable();
        assert_eq!(found, [0, 7, 41, 99_999]);
        assert_eq!(words.find(&init).count(), 0);
    }

    #[test]
    fn what_only_looks_like_a_word_is_passed_over() {
        let words = Words::default();
        for bytes in [&b""[..], b"Zq", b"Zq1234", b"Zq+1234", b"Zq12x45", b"zq12345"] {
            assert_eq!(words.find(bytes).count(), 0, "{bytes:?}");
        }
        assert_eq!(words.find(b"ZqZq00042").collect::<Vec<_>>(), [42]);
    }

    #[test]
    fn a_word_arrives_once_and_never_before_it_was_written() {
        let begin = Instant::now();
        let after = |ms| begin + Duration::from_millis(ms);
        let mut arrivals = Arrivals::default();
        for (word, ms) in [(3, 20), (1, 30), (3, 40)] {
            arrivals.note(word, after(ms));
        }
        assert_eq!((arrivals.count(), arrivals.first()), (2, Some(after(20))));
        assert_eq!(arrivals.of(3, after(5)).unwrap(), after(20));
        assert!(arrivals.of(3, after(21)).unwrap_err().to_string().contains("before it was written"));
        for lost in [0, 2, 9] {
            assert!(arrivals.of(lost, begin).unwrap_err().to_string().contains("lost"), "{lost}");
        }
    }
}
