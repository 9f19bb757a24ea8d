//! A strict JSON validator (RFC 8259) that neither allocates nor recurses.
//!
//! Awareness states and embedded objects travel as JSON inside strings. A peer that runs `JSON.parse` on a
//! broken one throws in the middle of its message handler, and a deep one overflows the stack of a recursive
//! parser, so nothing is passed on before it went through here.

mod scalars;
mod validator;

use thiserror::Error;

use crate::DecodeError;
use crate::limits::NESTING_MAX;
use validator::Validator;

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonFault {
    /// Not a JSON text.
    #[error("syntax error")]
    Syntax,
    /// More than [`NESTING_MAX`] levels of arrays and objects.
    #[error("nested too deep")]
    TooDeep,
    /// Valid JSON that not every reader can hold: half a surrogate pair, or a number out of range.
    #[error("not portable")]
    NotPortable,
}

/// A fault and the byte offset where it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{fault} at byte {at}")]
pub struct JsonError {
    /// Offset within the text.
    pub at: usize,
    /// What is wrong there.
    pub fault: JsonFault,
}

impl JsonError {
    /// The same fault in a text that begins at byte `start` of something larger.
    pub(crate) fn within(self, start: usize) -> DecodeError {
        let at = start + self.at;
        match self.fault {
            JsonFault::TooDeep => DecodeError::TooDeep { at, depth_max: NESTING_MAX },
            fault => DecodeError::Json { at, fault },
        }
    }
}

/// Checks that `text` is one JSON value of at most [`NESTING_MAX`] levels.
pub fn validate(text: &str) -> Result<(), JsonError> {
    Validator::new(text, false).document()
}

/// Checks like [`validate`], and also that every reader can hold the value: escapes form whole characters (half
/// a surrogate pair has no UTF-8 form), and numbers stay below the largest double and out of the gap between
/// `i64::MAX` and `u64::MAX` that yrs refuses.
pub fn validate_portable(text: &str) -> Result<(), JsonError> {
    Validator::new(text, true).document()
}

/// Whether `text` is the JSON value `null`, white space around it included.
pub fn is_null(text: &str) -> bool {
    text.trim_matches([' ', '\t', '\n', '\r']) == "null"
}
