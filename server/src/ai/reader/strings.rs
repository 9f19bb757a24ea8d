//! Characters of a JSON string, one by one.

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Takes what follows a string's opening quote, and gives its characters. Halves of surrogate pairs that stand alone and
/// escapes that are none become U+FFFD or the character itself: no string is lost for them.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
    /// The first half of a pair whose second half may follow.
    high: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Plain,
    Escape,
    Hex {
        digits: u8,
        value: u32,
    },
}

impl Decoder {
    /// Takes a character; whether it ended the string.
    pub fn push(&mut self, character: char, sink: &mut impl FnMut(char)) -> bool {
        match self.state {
            State::Plain => self.plain(character, sink),
            State::Escape => {
                self.escape(character, sink);
                false
            }
            State::Hex { digits, value } => {
                if let Some(digit) = character.to_digit(16) {
                    self.digit(digits + 1, value * 16 + digit, sink);
                    return false;
                }
                self.state = State::Plain;
                self.emit(REPLACEMENT, sink);
                self.plain(character, sink)
            }
        }
    }

    fn plain(&mut self, character: char, sink: &mut impl FnMut(char)) -> bool {
        match character {
            '\\' => self.state = State::Escape,
            '"' => {
                self.settle(sink);
                return true;
            }
            _ => self.emit(character, sink),
        }
        false
    }

    fn escape(&mut self, character: char, sink: &mut impl FnMut(char)) {
        self.state = State::Plain;
        match character {
            'u' => self.state = State::Hex { digits: 0, value: 0 },
            'n' => self.emit('\n', sink),
            't' => self.emit('\t', sink),
            'r' => self.emit('\r', sink),
            'b' => self.emit('\u{8}', sink),
            'f' => self.emit('\u{c}', sink),
            itself => self.emit(itself, sink),
        }
    }

    fn digit(&mut self, digits: u8, value: u32, sink: &mut impl FnMut(char)) {
        if digits < 4 {
            self.state = State::Hex { digits, value };
            return;
        }
        self.state = State::Plain;
        match (self.high.take(), value) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let whole = 0x1_0000 + ((high - 0xD800) << 10) + (value - 0xDC00);
                sink(char::from_u32(whole).unwrap_or(REPLACEMENT));
            }
            (before, value) => {
                self.high = before;
                self.settle(sink);
                match value {
                    0xD800..=0xDBFF => self.high = Some(value),
                    _ => sink(char::from_u32(value).unwrap_or(REPLACEMENT)),
                }
            }
        }
    }

    fn emit(&mut self, character: char, sink: &mut impl FnMut(char)) {
        self.settle(sink);
        sink(character);
    }

    /// A first half whose second half did not come.
    fn settle(&mut self, sink: &mut impl FnMut(char)) {
        if self.high.take().is_some() {
            sink(REPLACEMENT);
        }
    }
}
