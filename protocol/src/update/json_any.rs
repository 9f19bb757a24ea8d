//! From JSON to lib0's tagged values.

use crate::lib0::{write_var_int, write_var_str, write_var_uint};

/// Writes the JSON value `text` as Yjs would write what `JSON.parse` makes of it. The text has been validated, so
/// its nesting is bounded and every branch below meets what it expects.
pub(super) fn write_json_as_any(out: &mut Vec<u8>, text: &str) {
    Converter { text, at: 0 }.value(out);
}

struct Converter<'a> {
    text: &'a str,
    at: usize,
}

impl Converter<'_> {
    fn value(&mut self, out: &mut Vec<u8>) {
        match self.next_token() {
            b'{' => self.members(out, 118, b'}'),
            b'[' => self.members(out, 117, b']'),
            b'"' => {
                out.push(119);
                self.string(out);
            }
            b't' => self.literal(out, "true", 120),
            b'f' => self.literal(out, "false", 121),
            b'n' => self.literal(out, "null", 126),
            _ => self.number(out),
        }
    }

    /// An object or an array. Its count comes first but is known last.
    fn members(&mut self, out: &mut Vec<u8>, tag: u8, end: u8) {
        out.push(tag);
        let count_at = out.len();
        let mut count = 0;
        self.at += 1;
        while self.at < self.text.len() && self.next_token() != end {
            if self.next_token() == b',' {
                self.at += 1;
                self.next_token();
            }
            if end == b'}' {
                self.string(out);
                self.next_token();
                self.at += ":".len();
            }
            self.value(out);
            count += 1;
        }
        self.at += 1;
        let mut encoded = Vec::new();
        write_var_uint(&mut encoded, count);
        out.splice(count_at..count_at, encoded);
    }

    fn literal(&mut self, out: &mut Vec<u8>, literal: &str, tag: u8) {
        self.at += literal.len();
        out.push(tag);
    }

    fn string(&mut self, out: &mut Vec<u8>) {
        self.at += 1;
        let mut unescaped = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(['"', '\\']).unwrap_or(rest.len());
            unescaped.push_str(&rest[..plain]);
            self.at += plain + 1;
            if !rest[plain..].starts_with('\\') {
                break;
            }
            unescaped.push(self.escape());
        }
        write_var_str(out, &unescaped);
    }

    /// What follows a backslash. Half a surrogate pair becomes U+FFFD, as when a browser encodes it.
    fn escape(&mut self) -> char {
        let letter = self.peek();
        self.at += 1;
        match letter {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4();
                if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
                    let before_second = self.at;
                    self.at += 2;
                    let second = self.hex4();
                    let pair = char::decode_utf16([first, second]).next();
                    if let Some(Ok(character)) = pair {
                        return character;
                    }
                    self.at = before_second;
                }
                char::from_u32(first.into()).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => char::from(other),
        }
    }

    fn hex4(&mut self) -> u16 {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        self.at += 4;
        u16::from_str_radix(digits, 16).unwrap_or_default()
    }

    /// Integers of 32 bits as such, other numbers as the shorter float that holds them.
    fn number(&mut self, out: &mut Vec<u8>) {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|character: char| !matches!(character, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        self.at += end.max(1);
        let value: f64 = rest[..end].parse().unwrap_or_default();
        let is_negative_zero = value == 0.0 && value.is_sign_negative();
        if value.fract() == 0.0 && value.abs() <= f64::from(i32::MAX) && !is_negative_zero {
            out.push(125);
            write_var_int(out, value as i64);
        } else if f64::from(value as f32).to_bits() == value.to_bits() {
            out.push(124);
            out.extend_from_slice(&(value as f32).to_be_bytes());
        } else {
            out.push(123);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }

    /// Steps over white space to the next byte.
    fn next_token(&mut self) -> u8 {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }
}
