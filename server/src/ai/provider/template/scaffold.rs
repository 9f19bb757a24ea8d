//! Which scaffold fits a title.

use super::languages::{LANGUAGES, Language};

/// A kind of scaffold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    FiveWs,
    Swot,
    Causes,
    ProsCons,
    Steps,
    Aspects,
}

impl Kind {
    pub const ALL: [Self; 6] = [Self::FiveWs, Self::Swot, Self::Causes, Self::ProsCons, Self::Steps, Self::Aspects];

    /// The order in which scaffolds are tried when nothing speaks for one of them. Aspects fit anything and come last.
    const IN_DOUBT: [Self; 5] = [Self::FiveWs, Self::Causes, Self::ProsCons, Self::Steps, Self::Aspects];

    /// What kind of thing each of its nodes is.
    pub const fn categories(self) -> &'static [&'static str] {
        match self {
            Self::FiveWs => &["general", "concept", "general", "application", "theory", "method"],
            Self::Swot => &["tool", "general", "application", "theory"],
            Self::Causes => &["theory", "theory", "concept", "application", "method"],
            Self::ProsCons => &["application", "general", "method", "theory", "tool"],
            Self::Steps => &["concept", "tool", "method", "method", "application", "general"],
            Self::Aspects => &[
                "concept",
                "application",
                "concept",
                "theory",
                "general",
                "concept",
                "general",
                "tool",
                "theory",
                "general",
                "theory",
                "tool",
            ],
        }
    }
}

/// Where a title comes from, when it is one of a scaffold's: its kind and its place in it. Languages repeat each other's words,
/// so the request's own is looked at first.
pub(super) fn item_of(language: &Language, title: &str) -> Option<(Kind, usize)> {
    let title = title.trim();
    let languages = std::iter::once(language).chain(&LANGUAGES);
    languages.flat_map(|language| Kind::ALL.map(|kind| (kind, language.scaffold(kind)))).find_map(|(kind, scaffold)| {
        scaffold.items.iter().position(|(item, _)| *item == title).map(|place| (kind, place))
    })
}

/// Whether a title is one that templates give, numbered ones included: it says little without what it is about.
pub(super) fn is_ours(language: &Language, title: &str) -> bool {
    let is_number = |rest: &str| !rest.is_empty() && rest.chars().all(|character| character.is_ascii_digit());
    let is_further =
        |language: &Language| title.strip_prefix(language.further.0).is_some_and(|rest| is_number(rest.trim()));
    item_of(language, title).is_some() || LANGUAGES.iter().any(is_further)
}

/// The scaffold for a title that somebody wrote: what its words ask for, unless it is used above.
pub(super) fn kind_for_title(language: &Language, title: &str, used: &[Kind]) -> Kind {
    let title = title.to_lowercase();
    let english = &LANGUAGES[0];
    let words = language.words().into_iter().chain(english.words());
    let mut asked = words.filter(|(_, words)| words.iter().any(|word| has_word(&title, word))).map(|(kind, _)| kind);
    asked.find(|kind| !used.contains(kind)).unwrap_or_else(|| in_doubt(used))
}

/// The scaffold below a node of a scaffold.
pub(super) fn kind_below(item: (Kind, usize), used: &[Kind]) -> Kind {
    let fits = match item {
        (Kind::FiveWs, 4) | (Kind::Swot, 0 | 1 | 3) => Kind::Causes,
        (Kind::FiveWs, 2 | 5) | (Kind::Swot, 2) | (Kind::Causes, 4) => Kind::Steps,
        (Kind::FiveWs, _) => Kind::Aspects,
        (Kind::Causes, 2 | 3) | (Kind::ProsCons, 4) => Kind::ProsCons,
        _ => Kind::FiveWs,
    };
    if used.contains(&fits) { in_doubt(used) } else { fits }
}

fn in_doubt(used: &[Kind]) -> Kind {
    Kind::IN_DOUBT.into_iter().find(|kind| !used.contains(kind)).unwrap_or(Kind::Aspects)
}

/// Whether a text has a word, both in lower case. Chinese and Japanese do not put spaces around words.
fn has_word(text: &str, word: &str) -> bool {
    if word.chars().any(is_east_asian) {
        return text.contains(word);
    }
    let is_part = |character: Option<char>| character.is_some_and(|one| one.is_alphanumeric() && !is_east_asian(one));
    text.match_indices(word)
        .any(|(at, _)| !is_part(text[..at].chars().next_back()) && !is_part(text[at + word.len()..].chars().next()))
}

fn is_east_asian(character: char) -> bool {
    matches!(character, '\u{2E80}'..='\u{9FFF}')
}
