//! Keys between strings that others wrote, which need not be keys of the scheme.

use super::{DIGITS, INTEGER_MIN, LAST, ZERO, integer_of};

/// A string above `lower` and below `upper`, made of digits as far as it is new.
///
/// A plain integer key is preferred, because from there on the scheme's own short keys are used.
pub(super) fn between(lower: &str, upper: Option<&str>) -> Option<String> {
    let fits = |key: &String| key.as_str() > lower && upper.is_none_or(|upper| key.as_str() < upper);
    // `lower` with zeros behind it would leave no room between the two.
    let leaves_room = |key: &String| {
        let rest = key.strip_prefix(lower).unwrap_or(key);
        lower.is_empty() || rest.bytes().any(|byte| byte != ZERO)
    };
    if let Some(rung) = rungs().find(|key| fits(key) && leaves_room(key)) {
        return Some(rung);
    }
    let made = match upper {
        Some(upper) => below(lower, upper)?,
        None => above(lower, 0),
    };
    fits(&made).then_some(made)
}

/// One integer key of each length: upwards from the first, then downwards.
fn rungs() -> impl Iterator<Item = String> {
    let up = (b'a'..=b'z').map(|head| integer_of(head, ZERO));
    let down = (b'A'..=b'Z').rev().map(|head| integer_of(head, LAST));
    up.chain(down).filter(|key| key != INTEGER_MIN)
}

/// The shortest prefix of `lower`, at least `from` bytes long, with a digit behind it that lifts it above `lower`.
fn above(lower: &str, from: usize) -> String {
    for (at, found) in lower[from..].char_indices() {
        if let Some(digit) = digit_between(Some(found), None) {
            return format!("{}{digit}", &lower[..from + at]);
        }
    }
    format!("{lower}{}", char::from(DIGITS[31]))
}

fn below(lower: &str, upper: &str) -> Option<String> {
    let shared: usize =
        lower.chars().zip(upper.chars()).take_while(|(low, high)| low == high).map(|(low, _)| low.len_utf8()).sum();
    let high = upper[shared..].chars().next()?;
    if let Some(low) = lower[shared..].chars().next() {
        let prefix = &lower[..shared];
        if let Some(digit) = digit_between(Some(low), Some(high)) {
            return Some(format!("{prefix}{digit}"));
        }
        return Some(above(lower, shared + low.len_utf8()));
    }
    // `lower` is the beginning of `upper`: go down along `upper` until a digit fits under one of its characters.
    for (at, high) in upper[shared..].char_indices() {
        let prefix = &upper[..shared + at];
        if let Some(digit) = digit_between(None, Some(high)) {
            return Some(format!("{prefix}{digit}"));
        }
        if high > char::from(ZERO) {
            return Some(format!("{prefix}{}{}", char::from(ZERO), char::from(DIGITS[31])));
        }
        if high < char::from(ZERO) {
            return None;
        }
    }
    None
}

/// A digit other than zero, strictly between two characters.
fn digit_between(low: Option<char>, high: Option<char>) -> Option<char> {
    let candidates: Vec<char> = DIGITS[1..]
        .iter()
        .map(|&byte| char::from(byte))
        .filter(|&digit| low.is_none_or(|low| digit > low) && high.is_none_or(|high| digit < high))
        .collect();
    candidates.get(candidates.len() / 2).copied()
}
