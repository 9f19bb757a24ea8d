//! Text in Markdown that reads back as the text that it was.

use std::fmt::Write as _;

/// Appends a title, or anything else that stands in one line.
pub(super) fn line(text: &str, out: &mut String) {
    let mut before = None;
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        let after = rest.peek().map(|(_, after)| *after);
        let is_at_edge = before.is_none() || after.is_none();
        if needs_reference(character) || (is_at_edge && character.is_whitespace()) {
            reference(character, out);
        } else {
            if needs_backslash(character, before, after, &text[at..], &text[..at]) {
                out.push('\\');
            }
            out.push(character);
        }
        before = Some(character);
    }
}

/// Appends a summary, of which every line after the first begins with `indent`.
///
/// A line break is a line break, and a blank line a blank line. Where Markdown would swallow more of them, or those at
/// either end, they are written as character references.
pub(super) fn paragraphs(text: &str, indent: &str, out: &mut String) {
    let inner = text.trim_start_matches('\n');
    breaks(text.len() - inner.len(), out);
    let mut rest = inner;
    while let Some(end) = rest.find('\n') {
        line(&rest[..end], out);
        let next = rest[end..].trim_start_matches('\n');
        let count = rest.len() - end - next.len();
        if next.is_empty() {
            return breaks(count, out);
        }
        out.push_str(if count == 1 { "\n" } else { "\n\n" });
        out.push_str(indent);
        breaks(count.saturating_sub(2), out);
        rest = next;
    }
    line(rest, out);
}

fn breaks(count: usize, out: &mut String) {
    for _ in 0..count {
        reference('\n', out);
    }
}

fn reference(character: char, out: &mut String) {
    // Writing to a string does not fail.
    let _ = write!(out, "&#{};", u32::from(character));
}

/// What Markdown takes for the end of a line, or for a space at its edge.
fn needs_reference(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}')
}

/// Whether a character would be read as markup. `here` begins with it, `so_far` is what stands before it.
fn needs_backslash(character: char, before: Option<char>, after: Option<char>, here: &str, so_far: &str) -> bool {
    match character {
        '\\' | '`' | '*' | '[' | ']' | '<' | '~' => true,
        // Within a word it is a character like any other.
        '_' => !(before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric)),
        '&' => is_like_reference(here),
        '#' => before.is_none_or(|before| before == '#' || before.is_whitespace()),
        '>' | '-' | '+' | '=' => before.is_none(),
        '.' | ')' => !so_far.is_empty() && so_far.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

/// Whether text that begins with `&` reads like `&amp;` or `&#38;`.
fn is_like_reference(text: &str) -> bool {
    let name = text[1..].find(|character: char| !character.is_ascii_alphanumeric() && character != '#');
    name.is_some_and(|end| end > 0 && text[1 + end..].starts_with(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        line(text, &mut out);
        out
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in ["C++ & R&D: 50 % (a-b) = 1.5!", "snake_case", "Größe 🙂 שלום", "a  b", "C#", "x = y > z - 1. + 2)"]
        {
            assert_eq!(escaped(text), text);
        }
    }

    #[test]
    fn what_would_be_markup_is_escaped() {
        for (text, expected) in [
            ("1. one", r"1\. one"),
            ("1986) two", r"1986\) two"),
            ("- item", r"\- item"),
            ("# head #", r"\# head \#"),
            ("*a* `b` [c] <d>", r"\*a\* \`b\` \[c\] \<d>"),
            ("&amp; & &#38; &;", r"\&amp; & \&#38; &;"),
            ("_a_ a__b", r"\_a\_ a\_\_b"),
            (" x\ty ", "&#32;x&#9;y&#32;"),
            ("a\nb", "a&#10;b"),
            ("===", r"\==="),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn line_breaks_of_summaries_are_kept() {
        let summary = |text: &str| {
            let mut out = String::new();
            paragraphs(text, "  ", &mut out);
            out
        };
        assert_eq!(summary("a\nb\n\nc"), "a\n  b\n\n  c");
        assert_eq!(summary("\na\n\n\n\nb\n"), "&#10;a\n\n  &#10;&#10;b&#10;");
        assert_eq!(summary("\n\n"), "&#10;&#10;");
        assert_eq!(summary("a\n1. b\n- c"), "a\n  1\\. b\n  \\- c");
    }
}
