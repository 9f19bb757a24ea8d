//! A value that is kept as it was written until it is whole.

use super::{NESTED_MAX, ReadError};

/// Follows strings and nesting to find a value's end.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub text: String,
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
}

/// Where a value ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Not yet.
    More,
    /// With this character.
    Ends,
    /// Before this character, which is not part of it.
    Ended,
}

/// Whether a value can begin like this. Words are taken as values too: a model may write `True` or `NaN`.
pub(super) fn begins(character: char) -> bool {
    matches!(character, '"' | '{' | '[' | '-') || character.is_alphanumeric()
}

impl Raw {
    /// Takes a character, the value's first one included.
    pub fn push(&mut self, character: char) -> Result<Step, ReadError> {
        if self.is_in_string {
            self.text.push(character);
            return Ok(self.in_string(character));
        }
        let is_scalar = self.depth == 0 && !self.text.is_empty();
        if is_scalar && (character.is_whitespace() || matches!(character, ',' | ':' | '"' | '{' | '}' | '[' | ']')) {
            return Ok(Step::Ended);
        }
        self.text.push(character);
        match character {
            '"' => self.is_in_string = true,
            '{' | '[' if self.depth == NESTED_MAX => return Err(ReadError::TooManyNested),
            '{' | '[' => self.depth += 1,
            '}' | ']' => {
                self.depth = self.depth.saturating_sub(1);
                return Ok(if self.depth == 0 { Step::Ends } else { Step::More });
            }
            _ => {}
        }
        Ok(Step::More)
    }

    fn in_string(&mut self, character: char) -> Step {
        self.is_in_string = self.is_escaped || character != '"';
        self.is_escaped = !self.is_escaped && character == '\\';
        if self.is_in_string || self.depth > 0 { Step::More } else { Step::Ends }
    }
}
