//! Fractional indices: strings between which there is always room for another one.
//!
//! The keys are those of the well-known `fractional-indexing` scheme in base 62, so that other programs which use it
//! can read and continue them. A key is an integer part, whose first letter says how long it is (`a0` … `az`,
//! `b00` …), and a fraction that never ends in the lowest digit. Keys compare bytewise.
//!
//! Documents also hold what others wrote. A bound that is no such key is still honoured as the string that it is.

mod foreign;

/// The digits, ascending bytewise.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ZERO: u8 = DIGITS[0];
const LAST: u8 = DIGITS[61];
/// The lowest integer part. It is no key by itself, so that there is room below every key.
const INTEGER_MIN: &str = "A00000000000000000000000000";
/// The key of a first sibling.
const FIRST: &str = "a0";

/// A key above `lower` and below `upper`; a missing bound is no bound.
///
/// There is none when the bounds are equal or the wrong way round, nor between some foreign strings (such as `x` and
/// `x0`). Then the answer is a key above `lower`: the newcomer comes after `lower`, if not before `upper`.
pub fn between(lower: Option<&str>, upper: Option<&str>) -> String {
    try_between(lower, upper).or_else(|| try_between(lower, None)).unwrap_or_else(|| FIRST.to_owned())
}

/// `count` ascending keys between the bounds. Where [`between`] has to fall back, they are above `lower`.
pub fn n_between(lower: Option<&str>, upper: Option<&str>, count: usize) -> Vec<String> {
    try_n_between(lower, upper, count).or_else(|| try_n_between(lower, None, count)).unwrap_or_default()
}

/// A key strictly between the bounds, when there is one.
pub fn try_between(lower: Option<&str>, upper: Option<&str>) -> Option<String> {
    let lower = lower.filter(|key| !key.is_empty());
    if matches!((lower, upper), (Some(lower), Some(upper)) if lower >= upper) {
        return None;
    }
    let ours = lower.is_none_or(is_key) && upper.is_none_or(is_key);
    if ours { key_between(lower, upper) } else { foreign::between(lower.unwrap_or_default(), upper) }
}

/// `count` ascending keys strictly between the bounds, when there is room. They are spread so that none is long.
pub fn try_n_between(lower: Option<&str>, upper: Option<&str>, count: usize) -> Option<Vec<String>> {
    let mut keys = Vec::with_capacity(count);
    match (lower, upper) {
        (_, None) => {
            for _ in 0..count {
                let below = keys.last().map_or(lower, |key: &String| Some(key.as_str()));
                keys.push(try_between(below, None)?);
            }
        }
        (None, Some(_)) => {
            for _ in 0..count {
                let above = keys.last().map_or(upper, |key: &String| Some(key.as_str()));
                keys.push(try_between(None, above)?);
            }
            keys.reverse();
        }
        (Some(_), Some(_)) => spread(lower, upper, count, &mut keys)?,
    }
    Some(keys)
}

/// Halves the room again and again; the recursion is as deep as `count` has bits.
fn spread(lower: Option<&str>, upper: Option<&str>, count: usize, keys: &mut Vec<String>) -> Option<()> {
    if count == 0 {
        return Some(());
    }
    let middle = try_between(lower, upper)?;
    let before = count / 2;
    spread(lower, Some(&middle), before, keys)?;
    keys.push(middle.clone());
    spread(Some(&middle), upper, count - before - 1, keys)
}

/// Whether `key` is a well-formed key of the scheme.
fn is_key(key: &str) -> bool {
    let well_formed = key.bytes().all(|byte| digit(byte).is_some());
    let Some(length) = key.bytes().next().and_then(integer_len) else {
        return false;
    };
    let fraction_ends_in_zero = key.len() > length && key.ends_with(char::from(ZERO));
    well_formed && key.len() >= length && !fraction_ends_in_zero && key != INTEGER_MIN
}

/// How long the integer part is that starts with `head`, itself included.
fn integer_len(head: u8) -> Option<usize> {
    match head {
        b'a'..=b'z' => Some(usize::from(head - b'a') + 2),
        b'A'..=b'Z' => Some(usize::from(b'Z' - head) + 2),
        _ => None,
    }
}

fn digit(byte: u8) -> Option<usize> {
    DIGITS.binary_search(&byte).ok()
}

/// Splits a key into its integer part and its fraction.
fn split(key: &str) -> (&str, &str) {
    let length = key.bytes().next().and_then(integer_len).unwrap_or(0);
    key.split_at(length.min(key.len()))
}

/// A key between two keys, the lower of which is below the upper.
fn key_between(lower: Option<&str>, upper: Option<&str>) -> Option<String> {
    match (lower, upper) {
        (None, None) => Some(FIRST.to_owned()),
        (None, Some(upper)) => {
            let (integer, fraction) = split(upper);
            if integer == INTEGER_MIN {
                return Some(format!("{integer}{}", midpoint("", Some(fraction))));
            }
            if !fraction.is_empty() {
                return Some(integer.to_owned());
            }
            let below = decrement(integer)?;
            // The lowest integer is no key: below the one above it, the fraction has to make the difference.
            Some(if below == INTEGER_MIN { format!("{below}{}", midpoint("", None)) } else { below })
        }
        (Some(lower), None) => {
            let (integer, fraction) = split(lower);
            Some(increment(integer).unwrap_or_else(|| format!("{integer}{}", midpoint(fraction, None))))
        }
        (Some(lower), Some(upper)) => {
            let (integer, fraction) = split(lower);
            let (upper_integer, upper_fraction) = split(upper);
            if integer == upper_integer {
                let middle = midpoint(fraction, Some(upper_fraction));
                return Some(format!("{integer}{middle}"));
            }
            let next = increment(integer)?;
            Some(if next.as_str() < upper { next } else { format!("{integer}{}", midpoint(fraction, None)) })
        }
    }
}

/// A fraction between two fractions that do not end in zero; no upper fraction means one.
fn midpoint(lower: &str, upper: Option<&str>) -> String {
    let mut lower = lower.as_bytes();
    let mut upper = upper.map(str::as_bytes);
    let mut middle = String::new();
    loop {
        let low = lower.first().and_then(|&byte| digit(byte)).unwrap_or(0);
        let high = upper.and_then(|upper| upper.first()).and_then(|&byte| digit(byte)).unwrap_or(DIGITS.len());
        let rest = lower.get(1..).unwrap_or_default();
        if high > low + 1 {
            middle.push(char::from(DIGITS[(low + high).div_ceil(2)]));
            return middle;
        }
        if high == low + 1 {
            // The digits are neighbours: the upper one alone will do if more follows it, else go on below it.
            if let Some([first, _, ..]) = upper {
                middle.push(char::from(*first));
                return middle;
            }
            upper = None;
        } else {
            upper = upper.map(|upper| upper.get(1..).unwrap_or_default());
        }
        middle.push(char::from(DIGITS[low]));
        lower = rest;
    }
}

/// The next integer part; `None` above the highest.
fn increment(integer: &str) -> Option<String> {
    let mut bytes = integer.as_bytes().to_vec();
    for byte in bytes.iter_mut().skip(1).rev() {
        match digit(*byte) {
            Some(value) if value + 1 < DIGITS.len() => {
                *byte = DIGITS[value + 1];
                return String::from_utf8(bytes).ok();
            }
            _ => *byte = ZERO,
        }
    }
    match *bytes.first()? {
        b'z' => None,
        b'Z' => Some(FIRST.to_owned()),
        head => Some(integer_of(head + 1, ZERO)),
    }
}

/// The integer part before; `None` below the lowest.
fn decrement(integer: &str) -> Option<String> {
    let mut bytes = integer.as_bytes().to_vec();
    for byte in bytes.iter_mut().skip(1).rev() {
        match digit(*byte) {
            Some(value) if value > 0 => {
                *byte = DIGITS[value - 1];
                return String::from_utf8(bytes).ok();
            }
            _ => *byte = LAST,
        }
    }
    match *bytes.first()? {
        b'A' => None,
        b'a' => Some(integer_of(b'Z', LAST)),
        head => Some(integer_of(head - 1, LAST)),
    }
}

/// The integer part that starts with `head` and otherwise repeats one digit.
fn integer_of(head: u8, fill: u8) -> String {
    let length = integer_len(head).unwrap_or(1);
    let mut integer = String::from(char::from(head));
    integer.extend(std::iter::repeat_n(char::from(fill), length - 1));
    integer
}

#[cfg(test)]
mod tests;
