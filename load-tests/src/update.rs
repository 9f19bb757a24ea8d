//! Yjs updates made without a document: keys of one root map and pieces of one root text, written by their author in
//! sequence.
//!
//! A document would cost more than what is measured, and would have to be thrown away with every crash.

use synapti_protocol::{
    lib0::{write_var_bytes, write_var_uint},
    update::{Id, UpdateWriter},
};

/// The root map.
const MAP: &str = "set";

/// The root text.
const TEXT: &str = "text";

/// How Yjs marks what an item has, and what it holds.
const HAS_ORIGIN: u8 = 0x80;
const HAS_KEY: u8 = 0x20;
const CONTENT_STRING: u8 = 4;
const CONTENT_ANY: u8 = 8;
const PARENT_IS_ROOT: u64 = 1;
const ANY_STRING: u8 = 119;

/// Consecutive elements of one author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first.
    pub id: Id,
    /// How many.
    pub len: u32,
}

/// Somebody who writes, under an id that nobody else has.
pub struct Author {
    client: u64,
    clock: u32,
    /// The end of what it wrote into the text.
    text_end: Option<Id>,
}

/// An update that is being written.
pub struct Draft<'a> {
    author: &'a mut Author,
    begin: u32,
    count: u32,
    structs: Vec<u8>,
    deleted: Vec<Span>,
}

impl Author {
    /// Somebody who has written nothing.
    pub fn new(client: u64) -> Self {
        Self { client, clock: 0, text_end: None }
    }

    /// Begins an update.
    pub fn draft(&mut self) -> Draft<'_> {
        let begin = self.clock;
        Draft { author: self, begin, count: 0, structs: Vec::new(), deleted: Vec::new() }
    }
}

impl Draft<'_> {
    /// Sets a key of the map, in place of the value `over` if there is one.
    pub fn set(&mut self, key: &str, value: &str, over: Option<Id>) -> Span {
        self.place(CONTENT_ANY | HAS_KEY, over, MAP, Some(key));
        write_var_uint(&mut self.structs, 1);
        self.structs.push(ANY_STRING);
        write_var_bytes(&mut self.structs, value.as_bytes());
        if let Some(id) = over {
            self.delete(Span { id, len: 1 });
        }
        self.advance(1)
    }

    /// Puts a piece behind the author's last one in the text. It has to be ASCII.
    pub fn append(&mut self, piece: &str) -> Span {
        debug_assert!(piece.is_ascii(), "its length is counted in bytes");
        self.place(CONTENT_STRING, self.author.text_end, TEXT, None);
        write_var_bytes(&mut self.structs, piece.as_bytes());
        let span = self.advance(piece.len() as u32);
        self.author.text_end = Some(Id { client: span.id.client, clock: span.id.clock + span.len - 1 });
        span
    }

    /// Deletes what somebody has written.
    pub fn delete(&mut self, span: Span) {
        self.deleted.push(span);
    }

    /// The encoded update.
    pub fn finish(mut self) -> Vec<u8> {
        let mut writer = UpdateWriter::new();
        if self.count > 0 {
            writer.section(self.author.client, self.begin, self.count, [self.structs.as_slice()]);
        }
        self.deleted.sort_unstable();
        for of_client in self.deleted.chunk_by(|a, b| a.id.client == b.id.client).rev() {
            let mut ranges: Vec<(u32, u32)> = Vec::new();
            for Span { id, len } in of_client {
                match ranges.last_mut() {
                    Some((clock, before)) if *clock + *before == id.clock => *before += len,
                    _ => ranges.push((id.clock, *len)),
                }
            }
            writer.delete(of_client[0].id.client, &ranges);
        }
        writer.finish()
    }

    /// Info byte, neighbour, and, where there is no neighbour that has them, parent and key.
    fn place(&mut self, info: u8, left: Option<Id>, root: &str, key: Option<&str>) {
        if let Some(Id { client, clock }) = left {
            self.structs.push(info | HAS_ORIGIN);
            write_var_uint(&mut self.structs, client);
            write_var_uint(&mut self.structs, clock.into());
            return;
        }
        self.structs.push(info);
        write_var_uint(&mut self.structs, PARENT_IS_ROOT);
        write_var_bytes(&mut self.structs, root.as_bytes());
        if let Some(key) = key {
            write_var_bytes(&mut self.structs, key.as_bytes());
        }
    }

    fn advance(&mut self, len: u32) -> Span {
        let id = Id { client: self.author.client, clock: self.author.clock };
        self.author.clock += len;
        self.count += 1;
        Span { id, len }
    }
}

#[cfg(test)]
mod tests {
    use synapti_crdt::{AsideLimits, Op, Replica, Sender};
    use synapti_protocol::update::{self, ContentKind, StructKind};

    use super::*;

    fn live(replica: &Replica) -> Vec<(u64, u32, Vec<u8>)> {
        let snapshot = replica.snapshot();
        let view = update::scan(&snapshot).unwrap();
        let structs = view.sections().flat_map(|section| section.structs().map(move |item| (section.client, item)));
        let live =
            structs.filter(|(_, item)| matches!(item.kind, StructKind::Item(ContentKind::Any | ContentKind::String)));
        live.map(|(client, item)| (client, item.clock, item.content.to_vec())).collect()
    }

    #[test]
    fn a_document_takes_what_is_written_by_hand() {
        let (mut ada, mut bob) = (Author::new(7), Author::new(9));
        let mut replica = Replica::new(1, AsideLimits::default());
        let mut apply = |update: Vec<u8>| {
            let applied = replica.apply([Op::Update { update: &update, from: Sender::default() }], 0);
            applied.results.into_iter().collect::<Result<(), _>>().unwrap();
            assert_eq!(replica.held_bytes(), 0);
            live(&replica)
        };
        let mut draft = ada.draft();
        let (first, second) = (draft.set("a", "one", None), draft.set("b", "two", None));
        let piece = draft.append("hello");
        assert_eq!(apply(draft.finish()).len(), 3);
        let mut draft = bob.draft();
        let over = draft.set("a", "uno", Some(first.id));
        assert_eq!(over.id, Id { client: 9, clock: 0 });
        let found = apply(draft.finish());
        assert!(found.iter().any(|(client, _, content)| *client == 9 && content.ends_with(b"uno")));
        assert!(!found.iter().any(|(_, _, content)| content.ends_with(b"one")));
        let mut draft = ada.draft();
        draft.append(" world");
        assert!(apply(draft.finish()).iter().any(|(_, _, content)| content.ends_with(b"hello world")));
        let mut draft = bob.draft();
        draft.delete(piece);
        draft.delete(second);
        draft.delete(over);
        let found = apply(draft.finish());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].2.ends_with(b" world"));
    }
}
