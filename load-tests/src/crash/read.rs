//! What a document has, element by element.

use std::collections::HashMap;

use anyhow::{Context as _, bail, ensure};
use hyper::{Method, StatusCode};
use synapti_protocol::{
    lib0::Reader,
    update::{self, ContentKind, DeleteRange, Struct, StructKind, UpdateView},
};

use super::history::{Change, ElementId, Found, History};
use crate::{client::Client, http, server::Server};

/// Reads a room with a client that brings nothing.
pub async fn room(server: &Server, room: &str) -> anyhow::Result<Vec<u8>> {
    let client = Client::join(&server.rooms_url(), room).await.with_context(|| format!("reading {room}"))?;
    let path = format!("/v1/graphs/{room}");
    let answer = http::request(Method::GET, server.authority(), &path).await?;
    ensure!(answer.status == StatusCode::OK, "GET {path} is answered with {}", answer.status);
    Ok(client.replica.snapshot())
}

/// The elements in a whole document.
pub fn elements(history: &History, snapshot: &[u8]) -> anyhow::Result<HashMap<ElementId, Found>> {
    let view = update::scan(snapshot)?;
    let mut found = HashMap::new();
    for_each_live(&view, |client, item| {
        ensure!(history.is_author(client), "there is an edit of client {client}, whom nobody knows");
        let mut covered = 0;
        for &id in history.within(client, item.clock..item.end()) {
            let is_whole = is_as_written(history, id, &item);
            found.insert(id, if is_whole { Found::Whole } else { Found::Changed });
            covered += history.element(id).span.len;
        }
        ensure!(covered == item.len, "there is a part of an element, or one that nobody has written: {item:?}");
        Ok(())
    })?;
    for DeleteRange { client, clock, len } in view.delete_set() {
        for id in history.within(client, clock..clock + len) {
            found.remove(id);
        }
    }
    Ok(found)
}

/// The changes in an update that somebody was shown.
pub fn changes(history: &History, update: &[u8]) -> anyhow::Result<Vec<Change>> {
    let view = update::scan(update)?;
    let mut changes = Vec::new();
    for_each_live(&view, |client, item| {
        changes.extend(history.within(client, item.clock..item.end()).iter().copied().map(Change::Insert));
        Ok(())
    })?;
    for DeleteRange { client, clock, len } in view.delete_set() {
        changes.extend(history.within(client, clock..clock + len).iter().copied().map(Change::Delete));
    }
    Ok(changes)
}

fn for_each_live<'a>(
    view: &UpdateView<'a>,
    mut take: impl FnMut(u64, Struct<'a>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for section in view.sections() {
        for item in section.structs() {
            match item.kind {
                StructKind::Item(ContentKind::Any | ContentKind::String) => take(section.client, item)?,
                StructKind::Gc | StructKind::Item(ContentKind::Deleted) => {}
                StructKind::Skip | StructKind::Item(_) => bail!("there is a struct that nobody has written: {item:?}"),
            }
        }
    }
    Ok(())
}

/// Whether an element has the text that it was given. Pieces of a text that follow each other are one struct.
fn is_as_written(history: &History, id: ElementId, item: &Struct<'_>) -> bool {
    let element = history.element(id);
    let text = history.text(id, element.bytes);
    let mut content = Reader::new(item.content);
    if item.kind == StructKind::Item(ContentKind::String) {
        let begin = (element.span.id.clock - item.clock) as usize;
        let end = begin + element.span.len as usize;
        return content.var_str().is_ok_and(|all| all.get(begin..end) == Some(&text));
    }
    // One value, and that a string.
    let is_one = content.var_uint().is_ok_and(|count| count == 1) && content.u8().is_ok();
    is_one && content.var_str().is_ok_and(|value| value == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::Author;

    #[test]
    fn elements_are_read_as_they_were_written_and_not_otherwise() {
        let mut history = History::new(1);
        let mut author = Author::new(5);
        let mut draft = author.draft();
        let (short, long) = (history.text(0, 0), history.text(1, 300));
        let span = draft.set("k0", &short, None);
        history.add(0, span, 0, Some("k0".to_owned()));
        let span = draft.append(&long);
        history.add(0, span, 300, None);
        let span = draft.set("k0", "something else", Some(history.element(0).span.id));
        history.add(0, span, 0, Some("k0".to_owned()));
        let update = draft.finish();
        let found = elements(&history, &update).unwrap();
        assert_eq!(found, HashMap::from([(1, Found::Whole), (2, Found::Changed)]));
        let all = [Change::Insert(0), Change::Insert(1), Change::Insert(2), Change::Delete(0)];
        assert_eq!(changes(&history, &update).unwrap(), all);
    }

    #[test]
    fn what_nobody_has_written_is_an_error() {
        let history = History::new(1);
        let mut author = Author::new(5);
        let mut draft = author.draft();
        draft.append("hello");
        assert!(elements(&history, &draft.finish()).is_err());
    }
}
