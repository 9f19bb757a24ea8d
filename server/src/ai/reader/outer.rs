//! The way to the elements: prose, fences, and the values around the array.

use super::{NESTED_MAX, ReadError};

/// What may come next in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    Name,
    Colon,
    Value,
    Comma,
}

#[derive(Clone, Copy, Debug)]
enum Container {
    Object(Expect),
    Array,
}

/// What a character led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// A name, text, number or word that begins with it.
    Value,
    /// The first element.
    Element,
}

/// What is open around the place where we are.
#[derive(Debug, Default)]
pub(super) struct Outer {
    open: Vec<Container>,
    has_json: bool,
}

impl Outer {
    /// Whether there was an array or object, as far as one can tell.
    pub fn has_json(&self) -> bool {
        self.has_json || !self.open.is_empty()
    }

    /// Takes a character that is in no value.
    pub fn push(&mut self, character: char) -> Result<Found, ReadError> {
        if character.is_whitespace() {
            return Ok(Found::Nothing);
        }
        let Some(innermost) = self.open.last_mut() else { return self.opened(character) };
        let found = match innermost {
            Container::Object(expect) => in_object(expect, character),
            Container::Array => in_array(character),
        };
        self.has_json |= !matches!(found, Within::Prose | Within::Value);
        match found {
            Within::Goes => Ok(Found::Nothing),
            Within::Value => Ok(Found::Value),
            Within::Element => Ok(Found::Element),
            Within::Opens => self.opened(character),
            Within::Closes => {
                self.open.pop();
                Ok(Found::Nothing)
            }
            Within::Prose => {
                self.reset();
                self.opened(character)
            }
        }
    }

    /// What looked like JSON was prose.
    pub fn reset(&mut self) {
        self.open.clear();
    }

    fn opened(&mut self, character: char) -> Result<Found, ReadError> {
        let container = match character {
            '{' => Container::Object(Expect::Name),
            '[' => Container::Array,
            _ => return Ok(Found::Nothing),
        };
        if self.open.len() == NESTED_MAX {
            return Err(ReadError::TooManyNested);
        }
        self.open.push(container);
        Ok(Found::Nothing)
    }
}

/// What a character is, where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Goes,
    Value,
    Element,
    Opens,
    Closes,
    Prose,
}

fn in_object(expect: &mut Expect, character: char) -> Within {
    let (next, within) = match (*expect, character) {
        (_, '}' | ']') => (Expect::Comma, Within::Closes),
        (_, ',') => (Expect::Name, Within::Goes),
        (Expect::Name | Expect::Comma, '"') => (Expect::Colon, Within::Value),
        (Expect::Colon, ':') => (Expect::Value, Within::Goes),
        (Expect::Value, '{' | '[') => (Expect::Comma, Within::Opens),
        (Expect::Value, character) if super::raw::begins(character) => (Expect::Comma, Within::Value),
        _ => (Expect::Name, Within::Prose),
    };
    *expect = next;
    within
}

fn in_array(character: char) -> Within {
    match character {
        '{' => Within::Element,
        '[' => Within::Opens,
        ']' | '}' => Within::Closes,
        ',' => Within::Goes,
        character if super::raw::begins(character) => Within::Value,
        _ => Within::Prose,
    }
}
