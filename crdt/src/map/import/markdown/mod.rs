//! Outlines in Markdown: headings and list items are nodes, what stands below them is their summary.

mod front_matter;
mod links;
mod outline;
mod reader;

use pulldown_cmark::{Options, Parser};

use self::{
    outline::{Draft, Outline},
    reader::{Reader, Stop},
};
use super::{
    Import, ImportError, ImportLimits, Problems,
    siblings::{Placed, orders},
};
use crate::map::{ImportedMap, ImportedNode, NewEdge, NewNode, ParentRef, Source, export::OUTLINE_LEVELS_MAX};

/// Reads an outline.
pub(super) fn read(
    text: &str,
    limits: ImportLimits,
    fresh_id: &mut dyn FnMut() -> String,
) -> Result<Import, ImportError> {
    let nodes_max = if limits.nodes_max == 0 { usize::MAX } else { limits.nodes_max };
    let mut problems = Problems::default();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (front_title, text) = front_matter::split(&text);
    let events = Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS);
    let mut outline = match Reader::new(nodes_max).read(events) {
        Ok(outline) => outline,
        Err(Stop::TooMany) => return Err(ImportError::TooManyNodes(nodes_max)),
        Err(Stop::TooDeep) => {
            let message = format!("is nested more than {OUTLINE_LEVELS_MAX} levels deep: make it flatter");
            problems.add("outline", message);
            return problems.none().map(|()| Import::default());
        }
    };
    let Some(root) = outline.settle(front_title.as_deref()) else {
        if front_title.is_none() {
            problems.add("outline", "is empty: it needs a heading, a list or a line of text");
        }
        let topic = front_title.unwrap_or_default();
        return problems.none().map(|()| Import { map: ImportedMap { topic, ..ImportedMap::default() }, id: None });
    };
    build(outline, root, front_title, problems, fresh_id)
}

fn build(
    outline: Outline,
    root: usize,
    front_title: Option<String>,
    mut problems: Problems,
    fresh_id: &mut dyn FnMut() -> String,
) -> Result<Import, ImportError> {
    let Outline { drafts, links, .. } = outline;
    let links = links::resolve(links, &drafts, root, &mut problems);
    problems.none()?;

    let ids: Vec<String> = drafts.iter().map(|_| fresh_id()).collect();
    let edge = |link: links::Link| NewEdge {
        id: fresh_id(),
        source: ids[link.ends[0]].clone(),
        target: ids[link.ends[1]].clone(),
        relationship: link.relationship,
        strength: link.strength,
    };
    let edges = links.into_iter().map(edge).collect();
    let topic = front_title.unwrap_or_else(|| drafts[root].title.clone());
    let nodes = nodes(drafts, &ids, root);
    let root = Some(ids[root].clone());
    let map = ImportedMap { topic, root, nodes, edges, ..ImportedMap::default() };
    Ok(Import { map, id: None })
}

fn nodes(drafts: Vec<Draft>, ids: &[String], root: usize) -> Vec<ImportedNode> {
    let placed: Vec<Placed<'_>> =
        drafts.iter().zip(ids).map(|(draft, id)| Placed { id, parent: draft.parent, order: None }).collect();
    let orders = orders(&placed, Some(root));
    let nodes = drafts.into_iter().zip(ids).zip(orders).map(|((draft, id), order)| {
        let parent = draft.parent.map_or(ParentRef::Topic, |parent| ParentRef::Under(ids[parent].clone()));
        let Draft { title, summary, .. } = draft;
        let node = NewNode { summary, parent, source: Source::Import, ..NewNode::new(id.as_str(), title) };
        ImportedNode { node, order }
    });
    nodes.collect()
}
