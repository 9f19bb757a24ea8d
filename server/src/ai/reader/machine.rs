//! One character after the other, from the answer's beginning to its end.

use serde_json::Value;

use super::{
    Limits, NAME_CHARS_MAX, ReadError, ReadEvent, TextField,
    fields::Cleaner,
    outer::{Expect, Found, Outer},
    raw::{self, Raw, Step},
    repair,
    strings::Decoder,
};

/// Where in the answer we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first element.
    Outer,
    /// In the array, between elements.
    Between,
    /// In an element.
    Element(Expect),
    /// In a text of an element.
    Text(TextField),
    /// Behind the array.
    Over,
}

/// What is to be done with a value when it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Outside of elements: nothing, unless it is no value at all.
    Pass,
    /// It is a field's name.
    Name,
    /// It is a field's value.
    Field,
}

#[derive(Debug)]
pub(super) struct Machine {
    limits: Limits,
    place: Place,
    outer: Outer,
    value: Option<(Raw, Then)>,
    decoder: Decoder,
    cleaner: Cleaner,
    /// What was read of the text that is open, and not told yet.
    text: String,
    elements: usize,
    name: String,
    /// Fields of the element that have had their text: the first counts.
    texts: Vec<TextField>,
    events: Vec<ReadEvent>,
}

impl Machine {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            place: Place::Outer,
            outer: Outer::default(),
            value: None,
            decoder: Decoder::default(),
            cleaner: Cleaner::default(),
            text: String::new(),
            elements: 0,
            name: String::new(),
            texts: Vec::new(),
            events: Vec::new(),
        }
    }

    pub fn push(&mut self, character: char) -> Result<(), ReadError> {
        if let Some((raw, _)) = &mut self.value {
            let step = raw.push(character)?;
            if step != Step::More {
                self.settle()?;
            }
            if step != Step::Ended {
                return Ok(());
            }
        }
        match self.place {
            Place::Outer => self.outer(character),
            Place::Between => self.between(character),
            Place::Element(expect) => self.element(expect, character),
            Place::Text(field) => {
                let (cleaner, text) = (&mut self.cleaner, &mut self.text);
                if self.decoder.push(character, &mut |one| cleaner.push(one, text)) {
                    self.text_ends(field);
                }
                Ok(())
            }
            Place::Over => Ok(()),
        }
    }

    pub fn take_events(&mut self) -> Vec<ReadEvent> {
        if let Place::Text(field) = self.place {
            self.tell_text(field);
        }
        std::mem::take(&mut self.events)
    }

    /// What is open is closed; a value that is not whole is dropped, as nobody can tell what it would have become.
    pub fn finish(&mut self) -> Result<(), ReadError> {
        if let Place::Text(field) = self.place {
            self.text_ends(field);
        }
        match self.place {
            Place::Element(_) => self.ends(false),
            Place::Outer if !self.outer.has_json() => return Err(ReadError::NotJson),
            _ => {}
        }
        Ok(())
    }

    fn outer(&mut self, character: char) -> Result<(), ReadError> {
        match self.outer.push(character)? {
            Found::Nothing => Ok(()),
            Found::Value => self.value_begins(character, Then::Pass),
            Found::Element => {
                self.begins();
                Ok(())
            }
        }
    }

    fn between(&mut self, character: char) -> Result<(), ReadError> {
        match character {
            '{' => self.begins(),
            ']' => self.place = Place::Over,
            _ if raw::begins(character) => return self.value_begins(character, Then::Pass),
            _ => {}
        }
        Ok(())
    }

    fn element(&mut self, expect: Expect, character: char) -> Result<(), ReadError> {
        match (expect, character) {
            (_, '}') => self.ends(true),
            (_, ']') => {
                self.ends(false);
                self.place = Place::Over;
            }
            (_, ',') => self.place = Place::Element(Expect::Name),
            (Expect::Name | Expect::Comma, '"') => return self.value_begins(character, Then::Name),
            (Expect::Name | Expect::Comma, '{') => {
                self.ends(false);
                self.begins();
            }
            (Expect::Colon, ':') => self.place = Place::Element(Expect::Value),
            // A colon that is missing is as good as written.
            (Expect::Colon | Expect::Value, '"') if self.wanted_text().is_some() => self.text_begins(),
            (Expect::Colon, '"') => return self.value_begins(character, Then::Field),
            (Expect::Value, _) if raw::begins(character) => return self.value_begins(character, Then::Field),
            _ => {}
        }
        Ok(())
    }

    fn value_begins(&mut self, character: char, then: Then) -> Result<(), ReadError> {
        let mut raw = Raw::default();
        raw.push(character)?;
        self.value = Some((raw, then));
        Ok(())
    }

    /// A value is whole.
    fn settle(&mut self) -> Result<(), ReadError> {
        let Some((raw, then)) = self.value.take() else { return Ok(()) };
        match then {
            Then::Pass => {
                let is_value = raw.text.starts_with(['"', '[']) || serde_json::from_str::<Value>(&raw.text).is_ok();
                if self.place == Place::Outer && !is_value {
                    self.outer.reset();
                }
            }
            Then::Name => {
                let name = repair::value(&raw.text)?;
                self.name = name.as_str().unwrap_or_default().chars().take(NAME_CHARS_MAX).collect();
                self.place = Place::Element(Expect::Colon);
            }
            Then::Field => {
                self.place = Place::Element(Expect::Comma);
                self.field(&raw.text)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, written: &str) -> Result<(), ReadError> {
        let value = repair::value(written)?;
        match (TextField::of(&self.name), &value) {
            (Some(_), Value::Number(_) | Value::Bool(_) | Value::String(_)) => {
                // A text that was written without quotes; a second text of that name is dropped.
                if self.wanted_text().is_some() {
                    self.text_begins();
                    written.chars().for_each(|character| self.cleaner.push(character, &mut self.text));
                    if let Place::Text(field) = self.place {
                        self.text_ends(field);
                    }
                }
            }
            (Some(_), _) => {}
            (None, _) => {
                let name = std::mem::take(&mut self.name);
                self.tell(ReadEvent::Value { name, value });
            }
        }
        Ok(())
    }

    /// The text that the field named last is, unless the element has it.
    fn wanted_text(&self) -> Option<TextField> {
        TextField::of(&self.name).filter(|field| !self.texts.contains(field))
    }

    fn text_begins(&mut self) {
        let Some(field) = self.wanted_text() else { return };
        self.texts.push(field);
        self.decoder = Decoder::default();
        self.cleaner = Cleaner::of(field, &self.limits);
        self.place = Place::Text(field);
    }

    fn tell_text(&mut self, field: TextField) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.tell(ReadEvent::Text { field, text });
        }
    }

    fn text_ends(&mut self, field: TextField) {
        self.tell_text(field);
        self.tell(ReadEvent::TextEnds(field));
        self.place = Place::Element(Expect::Comma);
    }

    fn begins(&mut self) {
        self.elements = self.elements.saturating_add(1);
        self.texts.clear();
        self.tell(ReadEvent::ElementBegins);
        self.place = Place::Element(Expect::Name);
    }

    fn ends(&mut self, is_whole: bool) {
        self.tell(ReadEvent::ElementEnds { is_whole });
        self.place = Place::Between;
    }

    /// Elements beyond the limit are read and not told.
    fn tell(&mut self, event: ReadEvent) {
        if self.elements <= self.limits.elements_max {
            self.events.push(event);
        }
    }
}
