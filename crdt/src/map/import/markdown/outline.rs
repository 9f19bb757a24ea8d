//! What an outline says, before it is one map with one root.

/// A node to be.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub title: String,
    pub summary: String,
    pub parent: Option<usize>,
    /// 1 to 6 for a heading.
    pub heading: Option<u8>,
    /// Steps below its top.
    pub depth: usize,
}

impl Draft {
    /// Adds a paragraph to the summary.
    pub fn say(&mut self, paragraph: &str) {
        say(&mut self.summary, paragraph);
    }
}

/// A cross link as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawLink {
    /// Place and title of either end.
    pub ends: [(String, String); 2],
    pub relationship: String,
    pub strength: Option<String>,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// Each after its parent, siblings in order.
    pub drafts: Vec<Draft>,
    /// Text before the first heading or item.
    pub preface: String,
    /// `None` where one is not written as links are.
    pub links: Vec<Option<RawLink>>,
}

impl Outline {
    /// Makes one tree of what was read, beside which topics may float; answers its root, unless there is nothing.
    ///
    /// The root is the first heading of the first level; without one, what the front matter calls the map; else the first
    /// heading, or the only item. Headings beside the root float, anything else beside it hangs under it.
    pub fn settle(&mut self, front_title: Option<&str>) -> Option<usize> {
        let is_top = |draft: &&mut Draft| draft.parent.is_none();
        let tops = || self.drafts.iter().enumerate().filter(|(_, draft)| draft.parent.is_none());
        let first_level = tops().find(|(_, draft)| draft.heading == Some(1)).map(|(at, _)| at);
        let first_heading = tops().find(|(_, draft)| draft.heading.is_some()).map(|(at, _)| at);
        let mut only = tops().map(|(at, _)| at);
        let only = only.next().filter(|_| only.next().is_none());
        let has_nothing = self.drafts.is_empty() && self.preface.is_empty();
        if has_nothing {
            return None;
        }
        let found = first_level.or(if front_title.is_some() { None } else { first_heading.or(only) });
        let (root, floats_from) = match found {
            Some(root) => (root, if first_level.is_some() { Some(1) } else { Some(6) }),
            None => (self.add_root(front_title), None),
        };
        for (at, draft) in self.drafts.iter_mut().enumerate() {
            let floats = draft.heading.zip(floats_from).is_some_and(|(level, from)| level <= from);
            if is_top(&&mut *draft) && at != root && !floats {
                draft.parent = Some(root);
            }
        }
        let preface = std::mem::take(&mut self.preface);
        if !preface.is_empty() {
            let said = std::mem::replace(&mut self.drafts[root].summary, preface);
            self.drafts[root].say(&said);
        }
        Some(root)
    }

    /// A root that no line of the text stands for.
    fn add_root(&mut self, front_title: Option<&str>) -> usize {
        const UNNAMED: &str = "Imported outline";
        let title = match front_title {
            Some(title) => title.to_owned(),
            None if self.drafts.is_empty() => {
                // Nothing but text: its first paragraph is what it is about.
                let preface = std::mem::take(&mut self.preface);
                let (first, rest) = preface.split_once("\n\n").unwrap_or((&preface, ""));
                rest.clone_into(&mut self.preface);
                first.replace('\n', " ")
            }
            None => UNNAMED.to_owned(),
        };
        self.drafts.push(Draft { title, ..Draft::default() });
        self.drafts.len() - 1
    }
}

/// Adds a paragraph to a text.
pub(super) fn say(text: &mut String, paragraph: &str) {
    if !text.is_empty() && !paragraph.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(paragraph);
}
