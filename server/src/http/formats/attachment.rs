//! Names for files that people save.

use axum::http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use synapti_crdt::map::Format;
use synapti_protocol::graph_id::GraphId;

/// Characters of a name, without its ending: more than fits into one line of a dialog.
const NAME_CHARS_MAX: usize = 80;

/// `Content-Disposition` (RFC 6266) with a name made of the map's topic, or of its id when the topic makes none.
pub(super) fn named(topic: &str, id: &GraphId, format: Format) -> HeaderValue {
    let extension = format.extension();
    let name = safe(topic).unwrap_or_else(|| id.to_string());
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let says_something = plain.chars().any(|c| c.is_ascii_alphanumeric());
    let plain = if says_something { plain } else { id.to_string() };
    let mut value = format!("attachment; filename=\"{plain}.{extension}\"");
    if !name.is_ascii() {
        // RFC 8187.
        const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
        value.push_str("; filename*=UTF-8''");
        value.extend(utf8_percent_encode(&name, ESCAPED));
        value.extend([".", extension]);
    }
    HeaderValue::from_str(&value).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

/// A topic as a file's name on any system, if anything is left of it.
fn safe(topic: &str) -> Option<String> {
    let is_forbidden = |c: char| c.is_control() || r#"/\:*?"<>|%"#.contains(c) || is_direction(c);
    let name: String = topic.chars().take(NAME_CHARS_MAX).map(|c| if is_forbidden(c) { ' ' } else { c }).collect();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = name.trim_matches(|c: char| c == '.' || c.is_whitespace());
    (!name.is_empty()).then(|| name.to_owned())
}

/// Characters that turn around what follows, so that a name would look like another.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_on_every_system_and_whole_where_they_can_be() {
        let id = GraphId::try_from("m-1").unwrap();
        let named = |topic: &str| named(topic, &id, Format::Markdown).to_str().unwrap().to_owned();
        assert_eq!(named("The solar system"), "attachment; filename=\"The solar system.md\"");
        assert_eq!(named("a/b\\c: \"d\"\r\nX-Evil: 1"), "attachment; filename=\"a b c d X-Evil 1.md\"");
        assert_eq!(named("../.."), "attachment; filename=\"m-1.md\"");
        assert_eq!(named(""), "attachment; filename=\"m-1.md\"");
        assert_eq!(named("Größe"), "attachment; filename=\"Gr__e.md\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.md");
        assert_eq!(named("שלום"), "attachment; filename=\"m-1.md\"; filename*=UTF-8''%D7%A9%D7%9C%D7%95%D7%9D.md");
        assert_eq!(named("a\u{202e}gpj.exe"), "attachment; filename=\"a gpj.exe.md\"");
        assert!(named(&"x".repeat(500)).len() < 120);
    }
}
