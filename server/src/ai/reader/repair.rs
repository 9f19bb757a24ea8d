//! Values as they were meant.

use serde_json::{Map, Value};

use super::{NESTED_MAX, OBJECT_BYTES_MAX, ReadError, strings::Decoder};

/// The first object with anything in it of an answer that came whole, prose and fences around it or not. Commas too many or too
/// few and missing closers are repaired.
pub fn read_object(text: &str) -> Result<Map<String, Value>, ReadError> {
    if text.len() > OBJECT_BYTES_MAX {
        return Err(ReadError::TooLarge { bytes_max: OBJECT_BYTES_MAX });
    }
    let mut repair = Repair { rest: text, depth: 0 };
    let mut found = None;
    while let Some(at) = repair.rest.find('{') {
        repair.rest = &repair.rest[at + 1..];
        // Braces in prose are followed by words.
        if !repair.rest.trim_start().starts_with(['"', '}']) {
            continue;
        }
        let object = repair.object()?;
        if !object.is_empty() {
            return Ok(object);
        }
        found = Some(object);
    }
    found.ok_or(ReadError::NotJson)
}

/// The value that a text holds; `null` when it holds none.
pub(super) fn value(text: &str) -> Result<Value, ReadError> {
    Repair { rest: text, depth: 0 }.value()
}

/// What is left of a text, and how deep in it we are.
struct Repair<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Repair<'a> {
    fn value(&mut self) -> Result<Value, ReadError> {
        self.skip(char::is_whitespace);
        match self.rest.chars().next() {
            Some('{') => self.nested(Self::object).map(Value::Object),
            Some('[') => self.nested(Self::array).map(Value::Array),
            Some('"') => {
                self.rest = &self.rest[1..];
                Ok(Value::String(self.string()))
            }
            _ => Ok(scalar(self.take_word())),
        }
    }

    /// Takes an opener, and what it opens.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ReadError>) -> Result<T, ReadError> {
        if self.depth == NESTED_MAX {
            return Err(ReadError::TooManyNested);
        }
        self.rest = &self.rest[1..];
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// What follows `{`.
    fn object(&mut self) -> Result<Map<String, Value>, ReadError> {
        let mut object = Map::new();
        loop {
            // What stands where a name should is skipped.
            self.skip(|character| !matches!(character, '"' | '}' | ']'));
            match self.rest.chars().next() {
                Some('"') => self.rest = &self.rest[1..],
                Some('}') => {
                    self.rest = &self.rest[1..];
                    return Ok(object);
                }
                // Its own closer is missing; this one belongs to the array around it.
                _ => return Ok(object),
            }
            let name = self.string();
            self.skip(char::is_whitespace);
            if let Some(rest) = self.rest.strip_prefix(':') {
                self.rest = rest;
                object.insert(name, self.value()?);
            }
        }
    }

    /// What follows `[`.
    fn array(&mut self) -> Result<Vec<Value>, ReadError> {
        let mut array = Vec::new();
        loop {
            self.skip(|character| character.is_whitespace() || matches!(character, ',' | ':'));
            match self.rest.chars().next() {
                None | Some('}') => return Ok(array),
                Some(']') => {
                    self.rest = &self.rest[1..];
                    return Ok(array);
                }
                Some(_) => array.push(self.value()?),
            }
        }
    }

    /// What follows an opening quote.
    fn string(&mut self) -> String {
        let (mut decoder, mut string) = (Decoder::default(), String::new());
        let end = self.rest.char_indices().find(|(_, character)| decoder.push(*character, &mut |one| string.push(one)));
        self.rest = end.map_or("", |(at, _)| &self.rest[at + 1..]);
        string
    }

    fn take_word(&mut self) -> &'a str {
        let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | ':' | '"' | '{' | '}' | '[' | ']');
        let (word, rest) = self.rest.split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(is_skipped);
    }
}

/// Numbers and words; a word that JSON does not know is taken as text, and what other languages call `null` as that.
fn scalar(word: &str) -> Value {
    serde_json::from_str(word).unwrap_or_else(|_| match word {
        "True" | "TRUE" => Value::Bool(true),
        "False" | "FALSE" => Value::Bool(false),
        "" | "None" | "NULL" | "undefined" | "NaN" | "Infinity" | "-Infinity" => Value::Null,
        _ => Value::String(word.to_owned()),
    })
}
