//! Checks that several fields share.

#![expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::ref_option,
    reason = "validators are called with references to fields"
)]

use super::{COORDINATE_MAX, ELEMENT_ID_BYTES_MAX, SIZE_MAX};

/// Bytes of a language tag: RFC 5646 says that 35 are enough for all that are in use.
const LANGUAGE_BYTES_MAX: usize = 35;

pub(super) fn element_id(id: &str, (): &()) -> garde::Result {
    if !(1..=ELEMENT_ID_BYTES_MAX).contains(&id.len()) {
        return Err(garde::Error::new(format!("must have 1 to {ELEMENT_ID_BYTES_MAX} bytes")));
    }
    if id.chars().any(char::is_control) {
        return Err(garde::Error::new("must not have control characters"));
    }
    Ok(())
}

/// A name that people can see.
pub(super) fn visible(name: &str, (): &()) -> garde::Result {
    if name.chars().any(char::is_control) {
        return Err(garde::Error::new("must not have control characters"));
    }
    if name.trim().is_empty() { Err(garde::Error::new("must not be blank")) } else { Ok(()) }
}

/// A language tag (BCP 47), as far as its form tells.
pub(super) fn language(tag: &str, (): &()) -> garde::Result {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let first = tag.split('-').next().unwrap_or_default();
    let is_language = (2..=8).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    if tag.len() <= LANGUAGE_BYTES_MAX && is_language && tag.split('-').all(is_part) {
        Ok(())
    } else {
        Err(garde::Error::new("must be a language tag such as en or pt-BR"))
    }
}

pub(super) fn color(color: &str, (): &()) -> garde::Result {
    let is_hex = |digits: &str| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if color.strip_prefix('#').is_some_and(is_hex) { Ok(()) } else { Err(garde::Error::new("must be #RRGGBB")) }
}

pub(super) fn size(size: &f64, (): &()) -> garde::Result {
    if *size > 0.0 && *size <= SIZE_MAX {
        Ok(())
    } else {
        Err(garde::Error::new(format!("must be above 0 and at most {SIZE_MAX}")))
    }
}

pub(super) fn coordinate(coordinate: &f64, (): &()) -> garde::Result {
    if coordinate.abs() <= COORDINATE_MAX {
        Ok(())
    } else {
        Err(garde::Error::new(format!("must be from -{COORDINATE_MAX} to {COORDINATE_MAX}")))
    }
}

/// `before` and `after` name one place between them.
pub(super) fn not_with(other: &Option<String>) -> impl FnOnce(&Option<String>, &()) -> garde::Result + '_ {
    move |this, ()| match (this, other) {
        (Some(_), Some(_)) => Err(garde::Error::new("cannot be given together with `after`")),
        _ => Ok(()),
    }
}
