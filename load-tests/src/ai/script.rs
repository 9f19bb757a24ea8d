//! What a model answers: JSON in the shape that was asked for, token by token, every word of it one of [`super::words`].

use super::words::word;

/// Words of a title and of a summary: about what the prompt asks for.
const TITLE_WORDS: u32 = 5;
const SUMMARY_WORDS: u32 = 28;

/// Words of one element.
pub const ELEMENT_WORDS: u32 = TITLE_WORDS + SUMMARY_WORDS;

/// Tokens of one element: its words, and what stands around them.
pub const ELEMENT_TOKENS: u32 = ELEMENT_WORDS + 4;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The first nodes of a map.
    Nodes,
    /// Children of a node.
    SubConcepts,
}

/// A piece of an answer, a few characters long.
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    /// What is said.
    pub text: String,
    /// The word in it.
    pub word: Option<Word>,
}

/// A word that is recognised where it arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// Which.
    pub number: u32,
    /// Whether a title begins with it, and so a node.
    pub begins_node: bool,
}

/// The tokens of an answer of so many elements; its words are numbered from `first_word`.
pub fn script(shape: Shape, elements: u32, first_word: u32) -> Vec<Token> {
    let (list, rest) = match shape {
        Shape::Nodes => ("nodes", [r#"","category":"concept""#, r#","importance":0.5}"#]),
        Shape::SubConcepts => {
            ("sub_concepts", [r#"","expandable":true,"relationship":"part of""#, r#","strength":0.5}"#])
        }
    };
    let mut tokens = vec![plain(format!(r#"{{"{list}":["#))];
    for element in 0..elements {
        let begin = first_word + element * ELEMENT_WORDS;
        let comma = if element == 0 { "" } else { "," };
        tokens.push(plain(format!(r#"{comma}{{"title":""#)));
        tokens.extend(text(begin, TITLE_WORDS, true));
        tokens.push(plain(r#"","summary":""#.to_owned()));
        tokens.extend(text(begin + TITLE_WORDS, SUMMARY_WORDS, false));
        tokens.extend(rest.map(|rest| plain(rest.to_owned())));
    }
    tokens.push(plain("]}".to_owned()));
    tokens
}

fn plain(text: String) -> Token {
    Token { text, word: None }
}

/// As models divide text: the space belongs to the word behind it.
fn text(first: u32, words: u32, is_title: bool) -> impl Iterator<Item = Token> {
    (0..words).map(move |place| {
        let (number, space) = (first + place, if place == 0 { "" } else { " " });
        let word = Word { number, begins_node: is_title && place == 0 };
        Token { text: format!("{space}{}", self::word(number)), word: Some(word) }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_tokens_together_are_json_of_the_shape() {
        for (shape, list) in [(Shape::Nodes, "nodes"), (Shape::SubConcepts, "sub_concepts")] {
            let tokens = script(shape, 3, 100);
            assert_eq!(tokens.len() as u32, 3 * ELEMENT_TOKENS + 2);
            let whole: String = tokens.iter().map(|token| token.text.as_str()).collect();
            let answer: Value = serde_json::from_str(&whole).unwrap();
            let elements = answer[list].as_array().unwrap();
            assert_eq!(elements.len(), 3);
            assert!(elements[1]["title"].as_str().unwrap().starts_with(&format!("{} ", word(100 + ELEMENT_WORDS))));
            assert_eq!(elements[2]["summary"].as_str().unwrap().split(' ').count() as u32, SUMMARY_WORDS);
        }
    }

    #[test]
    fn every_word_comes_once_and_one_in_each_element_begins_a_node() {
        let words: Vec<Word> = script(Shape::SubConcepts, 4, 10).iter().filter_map(|token| token.word).collect();
        let numbers: Vec<u32> = words.iter().map(|word| word.number).collect();
        assert_eq!(numbers, (10..10 + 4 * ELEMENT_WORDS).collect::<Vec<_>>());
        let begins: Vec<u32> = words.iter().filter(|word| word.begins_node).map(|word| word.number).collect();
        assert_eq!(begins, [0, 1, 2, 3].map(|element| 10 + element * ELEMENT_WORDS));
    }
}
