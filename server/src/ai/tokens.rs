//! How many tokens a text has, about.
//!
//! Every model counts in its own way, and none of their tables is worth carrying: a budget needs to be kept roughly, and on the
//! safe side. A longer text never counts for less than its beginning.

/// Parts that a token is counted in.
const PARTS: usize = 12;

/// Tokens of a text, about: four characters each of English, two of other alphabets, less than one of Chinese or Japanese.
pub fn estimate(text: &str) -> usize {
    text.chars().map(parts).sum::<usize>().div_ceil(PARTS)
}

fn parts(character: char) -> usize {
    match u32::from(character) {
        0..=0x7F => PARTS / 4,
        // Latin with accents, Greek, Cyrillic.
        0x80..=0x52F => PARTS / 2,
        // Han, kana and hangul.
        0x2E80..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0xFF00..=0xFFEF | 0x2_0000..=0x3_FFFF => PARTS * 5 / 4,
        0x1_0000.. => PARTS * 2,
        _ => PARTS * 3 / 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_count_about_what_models_count() {
        let counted = |text: &str, least: usize, most: usize| {
            let tokens = estimate(text);
            assert!((least..=most).contains(&tokens), "{text}: {tokens}");
        };
        counted("", 0, 0);
        counted("The planets move around the sun.", 7, 10);
        counted("Die Größe der Umlaufbahn überrascht.", 8, 13);
        counted("行星围绕太阳运行", 8, 12);
        counted("惑星は太陽の周りを回る", 11, 17);
        counted("😀", 1, 3);
    }

    #[test]
    fn a_longer_text_never_counts_for_less() {
        let text = "a é д 中 か 한 ع ह 😀 \u{10FFFF}\n".repeat(9);
        let counts: Vec<_> = text.char_indices().map(|(at, _)| estimate(&text[..at])).collect();
        assert!(counts.is_sorted());
        assert!(estimate(&text) > 100);
    }
}
