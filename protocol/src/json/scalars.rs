//! Strings and numbers.

use super::validator::Validator;
use super::{JsonError, JsonFault};

impl Validator<'_> {
    pub(super) fn string(&mut self) -> Result<(), JsonError> {
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

    pub(super) fn number(&mut self) -> Result<(), JsonError> {
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
}

/// Doubles beyond this may round to infinity in readers that scale by powers of ten in steps, as `serde_json` does.
const PORTABLE_MAX: f64 = 1.797e308;

fn is_portable(number: &[u8], is_integer: bool) -> bool {
    let Ok(text) = str::from_utf8(number) else {
        return false;
    };
    if is_integer && text.parse::<u64>().is_ok_and(|value| value > i64::MAX as u64) {
        return false;
    }
    text.parse::<f64>().is_ok_and(|value| value.abs() < PORTABLE_MAX)
}
