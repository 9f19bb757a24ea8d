//! Text as the database takes it.

use std::borrow::Cow;

/// `PostgreSQL` keeps any character in a text except U+0000. Here it is shown in listings only (the map has its own), so the
/// replacement character may stand for it; refusing the record would keep every map of its batch waiting for ever.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{FFFD}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_stored_is_replaced() {
        assert!(matches!(storable("Bees 🐝"), Cow::Borrowed("Bees 🐝")));
        assert_eq!(storable("a\0b"), "a\u{FFFD}b");
    }
}
