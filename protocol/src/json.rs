//! A strict JSON validator (RFC 8259) that neither allocates nor recurses.
//!
//! Awareness states and embedded objects travel as JSON inside strings. A peer that runs `JSON.parse` on a
//! broken one throws in the middle of its message handler, and a deep one overflows the stack of a recursive
//! parser, so nothing is passed on before it went through here.

use thiserror::Error;

use crate::limits::NESTING_MAX;

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

const ARRAY: u64 = 0;
const OBJECT: u64 = 1;

// One bit says whether a level is an array or an object, so all levels fit into one word.
const _: () = assert!(NESTING_MAX <= u64::BITS);

struct Validator<'a> {
    bytes: &'a [u8],
    at: usize,
    portable: bool,
    /// The enclosing containers, the innermost in the lowest bit.
    containers: u64,
    depth: u32,
}

impl<'a> Validator<'a> {
    fn new(text: &'a str, portable: bool) -> Self {
        Self {
            bytes: text.as_bytes(),
            at: 0,
            portable,
            containers: 0,
            depth: 0,
        }
    }

    fn document(mut self) -> Result<(), JsonError> {
        loop {
            // An opened container has its first value next; anything else is a complete value.
            while self.value_or_open()? {}
            while self.depth > 0 && self.close_or_comma()? {}
            if self.depth == 0 {
                self.white_space();
                return if self.at == self.bytes.len() {
                    Ok(())
                } else {
                    self.fail(JsonFault::Syntax)
                };
            }
        }
    }

    /// Reads a scalar, an empty container or the opening of one; true when a value must follow.
    fn value_or_open(&mut self) -> Result<bool, JsonError> {
        self.white_space();
        match self.peek() {
            Some(b'{') => return self.open(OBJECT),
            Some(b'[') => return self.open(ARRAY),
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            _ => return self.fail(JsonFault::Syntax),
        }
        Ok(false)
    }

    fn open(&mut self, container: u64) -> Result<bool, JsonError> {
        if self.depth == NESTING_MAX {
            return self.fail(JsonFault::TooDeep);
        }
        self.at += 1;
        self.white_space();
        let end = if container == OBJECT { b'}' } else { b']' };
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        self.containers = self.containers << 1 | container;
        self.depth += 1;
        if container == OBJECT {
            self.key()?;
        }
        Ok(true)
    }

    /// After a value inside a container: true when the container ended, false when another value follows.
    fn close_or_comma(&mut self) -> Result<bool, JsonError> {
        self.white_space();
        let container = self.containers & 1;
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                if container == OBJECT {
                    self.white_space();
                    self.key()?;
                }
                Ok(false)
            }
            Some(b'}') if container == OBJECT => Ok(self.close()),
            Some(b']') if container == ARRAY => Ok(self.close()),
            _ => self.fail(JsonFault::Syntax),
        }
    }

    fn close(&mut self) -> bool {
        self.at += 1;
        self.containers >>= 1;
        self.depth -= 1;
        true
    }

    fn key(&mut self) -> Result<(), JsonError> {
        self.string()?;
        self.white_space();
        self.literal(b":")
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.literal(b"\"")?;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                None | Some(0..=0x1f) => return self.fail(JsonFault::Syntax),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                return Ok(());
            }
            Some(b'u') => self.at += 1,
            _ => return self.fail(JsonFault::Syntax),
        }
        let unit = self.hex4()?;
        if !self.portable || !(0xd800..0xe000).contains(&unit) {
            return Ok(());
        }
        let has_low_half = unit < 0xdc00 && self.bytes[self.at..].starts_with(b"\\u");
        if has_low_half {
            self.at += 2;
            if (0xdc00..0xe000).contains(&self.hex4()?) {
                return Ok(());
            }
        }
        self.at = start;
        self.fail(JsonFault::NotPortable)
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return self.fail(JsonFault::Syntax);
            };
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let integer_end = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        if self.portable && !is_portable(&self.bytes[start..self.at], integer_end == self.at) {
            self.at = start;
            return self.fail(JsonFault::NotPortable);
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            return self.fail(JsonFault::Syntax);
        }
        Ok(())
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), JsonError> {
        if !self.bytes[self.at..].starts_with(literal) {
            return self.fail(JsonFault::Syntax);
        }
        self.at += literal.len();
        Ok(())
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fail<T>(&self, fault: JsonFault) -> Result<T, JsonError> {
        Err(JsonError { at: self.at, fault })
    }
}

/// Doubles beyond this may round to infinity in readers that scale by powers of ten in steps, as `serde_json` does.
const PORTABLE_MAX: f64 = 1.797e308;

fn is_portable(number: &[u8], is_integer: bool) -> bool {
    let Ok(text) = str::from_utf8(number) else {
        return false;
    };
    if is_integer
        && text
            .parse::<u64>()
            .is_ok_and(|value| value > i64::MAX as u64)
    {
        return false;
    }
    text.parse::<f64>()
        .is_ok_and(|value| value.abs() < PORTABLE_MAX)
}
