//! Texts as a map may hold them.

use super::{Limits, TextField};

/// Spaces between two words of a summary that are kept; a model that writes more of them is stuck.
const SPACES_MAX: usize = 8;

/// A text without control characters, noncharacters and bidi overrides, on one line, without space at its ends, and cut at
/// `chars_max` characters.
pub fn clean(text: &str, chars_max: usize) -> String {
    let mut cleaner = Cleaner { is_one_line: true, chars_left: chars_max, ..Cleaner::default() };
    let mut shown = String::new();
    for character in text.chars() {
        cleaner.push(character, &mut shown);
    }
    shown
}

/// Cleans one text, character by character. Space waits until it is known that something follows.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    is_one_line: bool,
    has_begun: bool,
    spaces: String,
    chars_left: usize,
}

impl Cleaner {
    pub fn of(field: TextField, limits: &Limits) -> Self {
        let chars_left = match field {
            TextField::Title => limits.title_chars_max,
            TextField::Summary => limits.summary_chars_max,
        };
        Self { is_one_line: field == TextField::Title, chars_left, ..Self::default() }
    }

    pub fn push(&mut self, character: char, cleaned: &mut String) {
        if character.is_whitespace() {
            self.space(character);
        } else if is_shown(character) {
            self.shown(character, cleaned);
        }
    }

    fn space(&mut self, character: char) {
        let space = if self.is_one_line || character != '\n' { ' ' } else { '\n' };
        let is_enough = self.spaces.len() >= if self.is_one_line { 1 } else { SPACES_MAX };
        if self.has_begun && !is_enough && character != '\r' {
            self.spaces.push(space);
        }
    }

    fn shown(&mut self, character: char, cleaned: &mut String) {
        // Spaces are ASCII here, so their length is their number.
        let Some(chars_left) = self.chars_left.checked_sub(self.spaces.len() + 1) else {
            self.chars_left = 0;
            return;
        };
        self.chars_left = chars_left;
        self.has_begun = true;
        cleaned.push_str(&self.spaces);
        self.spaces.clear();
        cleaned.push(character);
    }
}

/// Whether a character may stand in a map. Overrides and isolates of direction could make a text read as another.
fn is_shown(character: char) -> bool {
    let is_direction = matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let is_noncharacter = matches!(character, '\u{FDD0}'..='\u{FDEF}') || u32::from(character) & 0xFFFE == 0xFFFE;
    !character.is_control() && !is_direction && !is_noncharacter && character != '\u{FEFF}'
}
