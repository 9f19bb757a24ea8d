//! Text of strangers on somebody's terminal.

/// The text without what would steer a terminal or turn the direction of what follows: such characters are written as `\u{…}`.
/// Line breaks and tabs become spaces.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => shown.push(' '),
            _ if character.is_control() || turns(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

/// Embeddings, overrides and isolates: an end that is missing would reach into our own words.
const fn turns(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_steered() {
        assert_eq!(plain("Ünï 🐝 עברית"), "Ünï 🐝 עברית");
        assert_eq!(plain("a\u{1b}]0;x\u{7}\r\nb\u{202e}c\u{9b}"), "a\\u{1b}]0;x\\u{7}  b\\u{202e}c\\u{9b}");
    }
}
