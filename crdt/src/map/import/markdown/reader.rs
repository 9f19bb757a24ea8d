//! Headings, lists and paragraphs as nodes.

use pulldown_cmark::{Event, HeadingLevel, Tag, TagEnd};

use super::{
    links::LinkReader,
    outline::{Draft, Outline, say},
};
use crate::map::export::{LINKS_MARK, OUTLINE_LEVELS_MAX, UNTITLED_MARK};

/// Why reading ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    TooDeep,
    TooMany,
}

/// Takes events in order.
pub(super) struct Reader {
    outline: Outline,
    nodes_max: usize,
    /// Open headings, from the outermost.
    headings: Vec<(u8, usize)>,
    /// Open list items, from the outermost, and whether each has its title.
    items: Vec<(usize, bool)>,
    /// Text that is being read.
    text: Option<Text>,
    /// Once the mark has come.
    links: Option<LinkReader>,
}

/// A run of text.
struct Text {
    is: Run,
    so_far: String,
    /// Where each open link begins, and where it leads.
    links: Vec<(usize, String)>,
    urls: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Heading,
    Words,
    /// Kept as it is, and never a title.
    Code,
    Html,
}

impl Reader {
    pub fn new(nodes_max: usize) -> Self {
        let (headings, items) = (Vec::new(), Vec::new());
        Self { outline: Outline::default(), nodes_max, headings, items, text: None, links: None }
    }

    pub fn read<'a>(mut self, events: impl Iterator<Item = Event<'a>>) -> Result<Outline, Stop> {
        for event in events {
            if let Some(links) = self.links.take_if(|_| matches!(event, Event::Start(Tag::Heading { .. }))) {
                self.outline.links.extend(links.read);
            }
            match &mut self.links {
                Some(links) => links.take(&event),
                None => self.take(event)?,
            }
        }
        self.flush();
        self.outline.links.extend(self.links.into_iter().flat_map(|links| links.read));
        Ok(self.outline)
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Stop> {
        match event {
            Event::Start(tag) => return self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) => self.words().so_far.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.line_break(),
            Event::Html(html) => self.words().so_far.push_str(&html),
            Event::InlineHtml(html) if html.starts_with("<br") => self.line_break(),
            // The space before a comment goes with it; what is between other tags stays.
            Event::InlineHtml(html) if html.starts_with("<!--") => {
                let text = &mut self.words().so_far;
                text.truncate(text.trim_end_matches(' ').len());
            }
            // Not asked for, or nothing that a reader would see.
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, tag: Tag<'_>) -> Result<(), Stop> {
        match tag {
            Tag::Heading { level, .. } if self.items.is_empty() => {
                self.flush();
                self.heading(level)?;
            }
            Tag::Item => {
                self.flush();
                let parent = self.place();
                let node = self.add(Draft { parent, ..Draft::default() })?;
                self.items.push((node, false));
            }
            Tag::CodeBlock(_) => self.begin(Run::Code),
            Tag::HtmlBlock => self.begin(Run::Html),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                let words = self.words();
                words.links.push((words.so_far.len(), dest_url.into_string()));
            }
            // These stand within words.
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Superscript | Tag::Subscript => {}
            _ => self.flush(),
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Item => {
                self.flush();
                self.items.pop();
            }
            TagEnd::Link | TagEnd::Image => self.end_of_link(),
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Superscript | TagEnd::Subscript => {}
            _ => self.flush(),
        }
    }

    fn heading(&mut self, level: HeadingLevel) -> Result<(), Stop> {
        let level = level as u8;
        while self.headings.pop_if(|(open, _)| *open >= level).is_some() {}
        let parent = self.headings.last().map(|(_, node)| *node);
        let node = self.add(Draft { parent, heading: Some(level), ..Draft::default() })?;
        self.headings.push((level, node));
        self.begin(Run::Heading);
        Ok(())
    }

    fn add(&mut self, draft: Draft) -> Result<usize, Stop> {
        let depth = draft.parent.map_or(0, |parent| self.outline.drafts[parent].depth + 1);
        if depth > OUTLINE_LEVELS_MAX {
            return Err(Stop::TooDeep);
        }
        if self.outline.drafts.len() == self.nodes_max {
            return Err(Stop::TooMany);
        }
        self.outline.drafts.push(Draft { depth, ..draft });
        Ok(self.outline.drafts.len() - 1)
    }

    /// The node that text belongs to here.
    fn place(&self) -> Option<usize> {
        let item = self.items.last().map(|(node, _)| *node);
        item.or_else(|| self.headings.last().map(|(_, node)| *node))
    }

    fn begin(&mut self, is: Run) {
        self.flush();
        self.text = Some(Text { is, so_far: String::new(), links: Vec::new(), urls: Vec::new() });
    }

    fn words(&mut self) -> &mut Text {
        let fresh = || Text { is: Run::Words, so_far: String::new(), links: Vec::new(), urls: Vec::new() };
        self.text.get_or_insert_with(fresh)
    }

    /// Titles have one line; summaries keep theirs.
    fn line_break(&mut self) {
        let is_title = self.is_title();
        self.words().so_far.push(if is_title { ' ' } else { '\n' });
    }

    /// Whether the text that is being read is a title.
    fn is_title(&self) -> bool {
        match self.text.as_ref().map_or(Run::Words, |text| text.is) {
            Run::Heading => true,
            Run::Words => self.items.last().is_some_and(|(_, has_title)| !has_title),
            Run::Code | Run::Html => false,
        }
    }

    /// What a link says stays; where it leads is kept as well, in the summary.
    fn end_of_link(&mut self) {
        let is_title = self.is_title();
        let words = self.words();
        let Some((from, url)) = words.links.pop() else { return };
        let is_address = url.contains("://") || url.starts_with("mailto:");
        let said = words.so_far.get(from..).unwrap_or_default();
        if !is_address || said == url || url.strip_prefix("mailto:") == Some(said) {
            return;
        }
        if is_title {
            words.urls.push(url);
        } else if said.is_empty() {
            words.so_far.push_str(&url);
        } else {
            words.so_far.extend([" (", &url, ")"]);
        }
    }

    /// The text is whole: it goes where it belongs.
    fn flush(&mut self) {
        let is_title = self.is_title();
        let Some(Text { is, so_far: text, urls, .. }) = self.text.take() else { return };
        if is == Run::Html {
            return self.html(text.trim());
        }
        let Some(place) = self.place() else {
            return say(&mut self.outline.preface, text.trim_end_matches('\n'));
        };
        let draft = &mut self.outline.drafts[place];
        if is_title {
            draft.title = text;
            for url in &urls {
                draft.say(url);
            }
            if let Some((_, has_title)) = self.items.last_mut() {
                *has_title = true;
            }
        } else if is == Run::Code {
            draft.say(text.trim_end_matches('\n'));
        } else {
            draft.say(&text);
        }
    }

    fn html(&mut self, html: &str) {
        let is_comment = html.starts_with("<!--") && html.ends_with("-->");
        if html == LINKS_MARK && self.items.is_empty() {
            self.links = Some(LinkReader::default());
        } else if html == UNTITLED_MARK && self.items.last().is_some_and(|(_, has_title)| !has_title) {
            self.items.last_mut().into_iter().for_each(|(_, has_title)| *has_title = true);
        } else if !is_comment {
            match self.place() {
                Some(place) => self.outline.drafts[place].say(html),
                None => say(&mut self.outline.preface, html),
            }
        }
    }
}
