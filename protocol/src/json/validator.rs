//! Arrays and objects: what may follow what.

use super::{JsonError, JsonFault};
use crate::limits::NESTING_MAX;

const ARRAY: u64 = 0;
const OBJECT: u64 = 1;

// One bit says whether a level is an array or an object, so all levels fit into one word.
const _: () = assert!(NESTING_MAX <= u64::BITS);

/// Walks over a text once.
pub(super) struct Validator<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) portable: bool,
    /// The enclosing containers, the innermost in the lowest bit.
    containers: u64,
    depth: u32,
}

impl<'a> Validator<'a> {
    pub(super) fn new(text: &'a str, portable: bool) -> Self {
        Self { bytes: text.as_bytes(), at: 0, portable, containers: 0, depth: 0 }
    }

    pub(super) fn document(mut self) -> Result<(), JsonError> {
        loop {
            // An opened container has its first value next; anything else is a complete value.
            while self.value_or_open()? {}
            while self.depth > 0 && self.close_or_comma()? {}
            if self.depth == 0 {
                self.white_space();
                return if self.at == self.bytes.len() { Ok(()) } else { self.fail(JsonFault::Syntax) };
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

    pub(super) fn literal(&mut self, literal: &[u8]) -> Result<(), JsonError> {
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

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn fail<T>(&self, fault: JsonFault) -> Result<T, JsonError> {
        Err(JsonError { at: self.at, fault })
    }
}
