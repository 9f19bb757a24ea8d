//! Cross links at the end of an outline.

use std::collections::HashMap;

use pulldown_cmark::{Event, Tag, TagEnd};

use super::outline::{Draft, RawLink};
use crate::map::import::Problems;

/// Reads the list of cross links.
#[derive(Debug, Default)]
pub(super) struct LinkReader {
    pub read: Vec<Option<RawLink>>,
    is_open: bool,
    ends: Vec<(String, String)>,
    is_in_end: bool,
    rest: String,
    strength: Option<String>,
}

impl LinkReader {
    pub fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(Tag::Item) => {
                *self = Self { read: std::mem::take(&mut self.read), is_open: true, ..Self::default() }
            }
            Event::End(TagEnd::Item) if self.is_open => self.conclude(),
            Event::Start(Tag::Link { dest_url, .. }) if self.is_open => {
                self.ends.push((dest_url.to_string(), String::new()));
                self.is_in_end = true;
            }
            Event::End(TagEnd::Link) => self.is_in_end = false,
            Event::Text(text) => self.text(text),
            Event::SoftBreak | Event::HardBreak => self.text(" "),
            Event::Code(code) if self.ends.len() == 2 && !self.is_in_end => self.strength = Some(code.to_string()),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let has_both = self.ends.len() == 2;
        match self.ends.last_mut() {
            Some((_, title)) if self.is_in_end => title.push_str(text),
            _ if has_both => self.rest.push_str(text),
            _ => {}
        }
    }

    fn conclude(&mut self) {
        self.is_open = false;
        let ends: Result<[(String, String); 2], _> = std::mem::take(&mut self.ends).try_into();
        let rest = std::mem::take(&mut self.rest);
        let rest = rest.strip_prefix(':').unwrap_or(&rest);
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let strength = self.strength.take();
        let is_spaced = strength.is_some();
        let relationship = rest.strip_suffix(' ').filter(|_| is_spaced).unwrap_or(rest).to_owned();
        self.read.push(ends.ok().map(|ends| RawLink { ends, relationship, strength }));
    }
}

/// A cross link between nodes.
pub(super) struct Link {
    pub ends: [usize; 2],
    pub relationship: String,
    pub strength: f64,
}

/// Finds the nodes that links are between.
pub(super) fn resolve(
    links: Vec<Option<RawLink>>,
    drafts: &[Draft],
    root: usize,
    problems: &mut Problems,
) -> Vec<Link> {
    if links.is_empty() {
        return Vec::new();
    }
    let places = Places::new(drafts, root);
    let mut resolved = Vec::with_capacity(links.len());
    for (at, link) in links.into_iter().enumerate() {
        let field = format!("cross link {}", at + 1);
        let Some(RawLink { ends, relationship, strength }) = link else {
            problems.add(field, "must be written `- [From](#1.1) → [To](#1.2): what it says`");
            continue;
        };
        let found = ends.map(|(place, title)| {
            let found = places.find(&place, &title);
            if found.is_none() {
                problems.add(field.clone(), format!("there is no node, or more than one, that is called `{title}`"));
            }
            found
        });
        let strength = match strength.map(|text| text.trim().parse::<f64>()) {
            None => 1.0,
            Some(Ok(strength)) if (0.0..=1.0).contains(&strength) => strength,
            Some(_) => {
                problems.add(field, "the strength, in backticks, must be a number from 0 to 1");
                continue;
            }
        };
        if let [Some(source), Some(target)] = found {
            resolved.push(Link { ends: [source, target], relationship, strength });
        }
    }
    resolved
}

/// Nodes by place and by title.
struct Places<'a> {
    drafts: &'a [Draft],
    tops: Vec<usize>,
    children: Vec<Vec<usize>>,
    titles: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Places<'a> {
    fn new(drafts: &'a [Draft], root: usize) -> Self {
        let (mut tops, mut children) = (vec![root], vec![Vec::new(); drafts.len()]);
        let mut titles: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, draft) in drafts.iter().enumerate() {
            titles.entry(&draft.title).or_default().push(at);
            match draft.parent {
                Some(parent) => children[parent].push(at),
                None if at != root => tops.push(at),
                None => {}
            }
        }
        Self { drafts, tops, children, titles }
    }

    /// The node at a place, if it is called so; else, when the outline has changed since, the only one that is called so.
    fn find(&self, place: &str, title: &str) -> Option<usize> {
        let at_place = self.at(place).filter(|&at| self.drafts[at].title == title);
        at_place.or_else(|| match self.titles.get(title).map(Vec::as_slice) {
            Some([only]) => Some(*only),
            _ => None,
        })
    }

    fn at(&self, place: &str) -> Option<usize> {
        let mut steps = place.strip_prefix('#')?.split('.').map(|step| step.parse::<usize>().ok()?.checked_sub(1));
        let mut at = *self.tops.get(steps.next()??)?;
        for step in steps {
            at = *self.children[at].get(step?)?;
        }
        Some(at)
    }
}
