//! Reads a model's answer while it comes: text in chunks of any size becomes events about the nodes in it.
//!
//! Models write JSON that is nearly right: prose or a code fence around it, commas too many, closers missing. What can be
//! understood is, and what comes out is clean: lengths, counts, nesting and control characters are bounded here, because
//! an answer is as untrusted as any other input. Time is linear in the answer, memory bounded by [`Limits`].

mod fields;
mod machine;
mod outer;
mod raw;
mod repair;
mod strings;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use fields::clean;
pub use repair::read_object;

use machine::Machine;

/// Bytes that an object read as a whole may have.
pub const OBJECT_BYTES_MAX: usize = 1 << 20;
/// Levels of arrays and objects within each other.
pub const NESTED_MAX: usize = 32;
/// Characters of a field's name; longer names are cut, and so match no field that is known.
pub const NAME_CHARS_MAX: usize = 64;

/// How much of an answer is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Elements that are reported; more are skipped.
    pub elements_max: usize,
    /// Characters of a title; the rest is skipped.
    pub title_chars_max: usize,
    /// Characters of a summary; the rest is skipped.
    pub summary_chars_max: usize,
    /// Bytes of the whole answer; more is an error.
    pub bytes_max: usize,
}

impl Limits {
    /// The usual limits, with this many elements.
    pub const fn of(elements_max: usize) -> Self {
        Self { elements_max, title_chars_max: 200, summary_chars_max: 2000, bytes_max: 1 << 20 }
    }
}

/// A field that people read while it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextField {
    /// `title`.
    Title,
    /// `summary`.
    Summary,
}

impl TextField {
    fn of(name: &str) -> Option<Self> {
        match name {
            "title" => Some(Self::Title),
            "summary" => Some(Self::Summary),
            _ => None,
        }
    }
}

/// What was read. The fields of an element come between its two ends, in the order in which they were written.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadEvent {
    /// An object of the answer's array begins.
    ElementBegins,
    /// More of a text, clean: no control characters, no space at its ends, and within its limit all in all.
    Text {
        /// Of which field.
        field: TextField,
        /// What joins on to what came before; never empty.
        text: String,
    },
    /// A text is as long as it gets.
    TextEnds(TextField),
    /// Any other field, whole. Its value is as it was written, whatever its type.
    Value {
        /// The field's name.
        name: String,
        /// Its value.
        value: Value,
    },
    /// The element ends.
    ElementEnds {
        /// Whether its own end was read, not only that of the answer.
        is_whole: bool,
    },
}

/// Why an answer cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no JSON in it.
    #[error("the answer holds no JSON; try again, or choose a model that can answer in JSON")]
    NotJson,
    /// It does not end.
    #[error("the answer is larger than {bytes_max} bytes; ask for fewer nodes")]
    TooLarge {
        /// The bound.
        bytes_max: usize,
    },
    /// Values within values without end.
    #[error("the answer's values are nested deeper than {NESTED_MAX} levels; try again, or choose another model")]
    TooManyNested,
}

/// Reads one answer. Its elements are the objects of the first array that holds any, whatever the array's name and depth.
#[derive(Debug)]
pub struct AnswerReader {
    machine: Machine,
    bytes: usize,
    bytes_max: usize,
}

impl AnswerReader {
    /// A reader for one answer.
    pub fn new(limits: Limits) -> Self {
        Self { machine: Machine::new(limits), bytes: 0, bytes_max: limits.bytes_max }
    }

    /// Takes more of the answer. A chunk may end anywhere, within an escape as well. After an error there is nothing more to
    /// be had from this reader.
    pub fn push(&mut self, text: &str) -> Result<Vec<ReadEvent>, ReadError> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > self.bytes_max {
            return Err(ReadError::TooLarge { bytes_max: self.bytes_max });
        }
        for character in text.chars() {
            self.machine.push(character)?;
        }
        Ok(self.machine.take_events())
    }

    /// Takes the answer's end: closes what is open, as not whole.
    pub fn finish(mut self) -> Result<Vec<ReadEvent>, ReadError> {
        self.machine.finish()?;
        Ok(self.machine.take_events())
    }
}
