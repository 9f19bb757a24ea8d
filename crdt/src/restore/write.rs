//! Writes an edit as an update.

use synapti_protocol::{
    lib0::{write_var_bytes, write_var_str, write_var_uint},
    limits::CLOCK_MAX,
    update::{ContentKind, Id},
};

use super::{
    run::{Run, utf16_len},
    shape::Holder,
};
use crate::{gate::Outgoing, replica::ApplyError};

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_KEY: u8 = 0x20;

/// Where new elements go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'a> {
    pub(super) holder: &'a Holder,
    pub(super) key: Option<&'a str>,
    pub(super) left: Option<Id>,
    pub(super) right: Option<Id>,
}

/// An edit that is being written.
pub(super) struct EditWriter {
    out: Outgoing,
    next: Id,
}

impl EditWriter {
    /// An edit whose elements have ids from `next` on.
    pub(super) fn new(next: Id) -> Self {
        Self { out: Outgoing::default(), next }
    }

    pub(super) fn delete(&mut self, run: &Run<'_>) {
        self.out.delete(run.id.client, run.id.clock, run.len);
    }

    /// Writes elements of one kind as one struct, and answers the first and the last of the new ones.
    pub(super) fn insert(&mut self, spot: Spot<'_>, elements: &[Run<'_>]) -> (Id, Id) {
        let Some(kind) = elements.first().map(|element| element.kind) else { return (self.next, self.next) };
        let mut bytes = spot.encode(kind);
        let len = write_content(&mut bytes, kind, elements);
        let first = self.next;
        self.out.push(first.client, first.clock, len, &bytes);
        self.next.clock = first.clock.saturating_add(len);
        (first, Id { clock: self.next.clock - 1, ..first })
    }

    /// The update, if anything was written.
    pub(super) fn finish(self) -> Result<Option<Vec<u8>>, ApplyError> {
        if self.next.clock > CLOCK_MAX {
            return Err(ApplyError::Rejected("one client would have more edits than a document can hold".into()));
        }
        Ok(self.out.finish())
    }
}

impl Spot<'_> {
    /// The beginning of a struct, up to its content.
    fn encode(&self, kind: ContentKind) -> Vec<u8> {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let mut bytes = vec![
            kind as u8
                | flag(self.left.is_some(), HAS_ORIGIN)
                | flag(self.right.is_some(), HAS_RIGHT_ORIGIN)
                | flag(self.key.is_some(), HAS_KEY),
        ];
        for id in [self.left, self.right].into_iter().flatten() {
            write_id(&mut bytes, id);
        }
        if self.left.is_none() && self.right.is_none() {
            match self.holder {
                Holder::Root(name) => {
                    bytes.push(1);
                    write_var_str(&mut bytes, name);
                }
                Holder::Nested(id) => {
                    bytes.push(0);
                    write_id(&mut bytes, *id);
                }
            }
            if let Some(key) = self.key {
                write_var_str(&mut bytes, key);
            }
        }
        bytes
    }
}

/// Writes what elements of one kind hold; answers how many they are.
fn write_content(out: &mut Vec<u8>, kind: ContentKind, elements: &[Run<'_>]) -> u32 {
    let contents = || elements.iter().map(|element| element.content);
    match kind {
        ContentKind::String => {
            let text: Vec<u8> = contents().flatten().copied().collect();
            write_var_bytes(out, &text);
            utf16_len(&text)
        }
        ContentKind::Any => {
            let len = elements.iter().map(|element| element.len).sum();
            write_var_uint(out, u64::from(len));
            contents().for_each(|values| out.extend_from_slice(values));
            len
        }
        _ => {
            contents().for_each(|content| out.extend_from_slice(content));
            elements.iter().map(|element| element.len).sum()
        }
    }
}

fn write_id(out: &mut Vec<u8>, id: Id) {
    write_var_uint(out, id.client);
    write_var_uint(out, id.clock.into());
}
