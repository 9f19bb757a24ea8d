//! The scaffolds' words in every language that has them.

mod de;
mod en;
mod es;
mod fr;
mod it;
mod ja;
mod nl;
mod pt;
mod zh;

use super::scaffold::Kind;

/// Every language there is; the first one stands in for all others.
pub(super) static LANGUAGES: [Language; 9] = [en::EN, de::DE, fr::FR, es::ES, it::IT, pt::PT, nl::NL, zh::ZH, ja::JA];

/// Words in one language. In prompts `{x}` stands for what the node is about, and `{f}` for an aspect that somebody asked for.
#[derive(Debug)]
pub(super) struct Language {
    /// Its primary subtag.
    pub tag: &'static str,
    /// Begins every summary, so that nobody takes a scaffold for knowledge.
    pub label: &'static str,
    pub five_ws: Scaffold,
    pub swot: Scaffold,
    pub causes: Scaffold,
    pub pros_cons: Scaffold,
    pub steps: Scaffold,
    pub aspects: Scaffold,
    /// How a node relates that somebody asked for, and its prompt.
    pub focus: (&'static str, &'static str),
    /// Title, without its number, and prompt of nodes beyond all scaffolds.
    pub further: (&'static str, &'static str),
    pub words_for_steps: &'static [&'static str],
    pub words_for_pros_cons: &'static [&'static str],
    pub words_for_causes: &'static [&'static str],
    pub words_for_swot: &'static [&'static str],
    pub check: Check,
}

/// One scaffold: its name, and title and prompt of each node.
#[derive(Debug)]
pub(super) struct Scaffold {
    pub name: &'static str,
    pub items: &'static [(&'static str, &'static str)],
}

/// What a look at a map's shape can tell. `{n}` stands for a number, `{x}` for a title.
#[derive(Debug)]
pub(super) struct Check {
    /// Begins every sentence, so that nobody takes it for a judgement of the content.
    pub label: &'static str,
    pub balanced: &'static str,
    pub layered: &'static str,
    pub distinct: &'static str,
    pub described: &'static str,
    pub small: &'static str,
    pub uneven: &'static str,
    pub flat: &'static str,
    pub wide: &'static str,
    pub twice: &'static str,
    pub undescribed: &'static str,
    pub untitled: &'static str,
    pub note: &'static str,
}

impl Language {
    /// The language of a BCP 47 tag, whatever its region and script.
    pub fn of(tag: &str) -> &'static Self {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        LANGUAGES.iter().find(|language| language.tag.eq_ignore_ascii_case(primary)).unwrap_or(&LANGUAGES[0])
    }

    pub fn scaffold(&self, kind: Kind) -> &Scaffold {
        match kind {
            Kind::FiveWs => &self.five_ws,
            Kind::Swot => &self.swot,
            Kind::Causes => &self.causes,
            Kind::ProsCons => &self.pros_cons,
            Kind::Steps => &self.steps,
            Kind::Aspects => &self.aspects,
        }
    }

    /// Words in a title that ask for a scaffold, in the order in which they are looked for.
    pub fn words(&self) -> [(Kind, &'static [&'static str]); 4] {
        [
            (Kind::ProsCons, self.words_for_pros_cons),
            (Kind::Causes, self.words_for_causes),
            (Kind::Steps, self.words_for_steps),
            (Kind::Swot, self.words_for_swot),
        ]
    }
}
