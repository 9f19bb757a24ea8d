//! Elements of one client that follow each other and are of one kind.

use synapti_protocol::{
    lib0::Reader,
    limits::NESTING_MAX,
    update::{ContentKind, Id, Struct, StructKind},
};

/// A run of elements, with what they hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    /// The first element.
    pub(super) id: Id,
    /// How many there are; of a text, in UTF-16 units.
    pub(super) len: u32,
    pub(super) kind: ContentKind,
    /// The characters of a text, the values of a row of values, otherwise the content as it is encoded.
    pub(super) content: &'a [u8],
    /// The piece of its shape that it is, or is a part of.
    pub(super) piece: u32,
    /// What a shared type holds.
    pub(super) branch: Option<u32>,
}

impl<'a> Run<'a> {
    /// All of a struct; what is only counted has no content.
    pub(super) fn of(client: u64, item: &Struct<'a>) -> Self {
        let kind = match item.kind {
            StructKind::Item(kind) => kind,
            StructKind::Gc | StructKind::Skip => ContentKind::Deleted,
        };
        let mut reader = Reader::new(item.content);
        // Nothing here can fail: the scanner has read the same bytes.
        let content = match kind {
            ContentKind::String => reader.var_bytes().unwrap_or_default(),
            ContentKind::Any => reader.var_u32().map_or(&[][..], |_| &item.content[reader.position()..]),
            ContentKind::Deleted => &[],
            _ => item.content,
        };
        Self { id: Id { client, clock: item.clock }, len: item.len, kind, content, piece: 0, branch: None }
    }

    /// The clock after the last element.
    pub(super) fn end(&self) -> u32 {
        self.id.clock + self.len
    }

    /// The last element.
    pub(super) fn last(&self) -> Id {
        Id { clock: self.end() - 1, ..self.id }
    }

    /// Whether it holds the same as another one, types apart, of which only the kind is looked at.
    pub(super) fn holds_same(&self, other: &Run<'_>) -> bool {
        self.kind == other.kind && self.content == other.content
    }

    /// The run in parts, cut at those of the sorted `cuts` that are inside.
    pub(super) fn cut(self, cuts: &[Id]) -> impl Iterator<Item = Self> {
        let from = cuts.partition_point(|cut| *cut <= self.id);
        let mut inside =
            cuts[from..].iter().take_while(move |cut| cut.client == self.id.client && cut.clock < self.end());
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let run = rest.take()?;
            let Some(cut) = inside.next() else { return Some(run) };
            let (first, second) = run.split(cut.clock - run.id.clock);
            rest = Some(second);
            Some(first)
        })
    }

    /// Its elements one by one: characters, values, or itself.
    pub(super) fn elements(self) -> impl Iterator<Item = Self> {
        let mut rest = Some(self).filter(|run| run.len > 0);
        std::iter::from_fn(move || {
            let run = rest.take()?;
            let len = match run.kind {
                ContentKind::String => wide_len(*run.content.first()?).min(run.len),
                ContentKind::Any => 1,
                _ => run.len,
            };
            if len == run.len {
                return Some(run);
            }
            let (first, second) = run.split(len);
            rest = Some(second);
            Some(first)
        })
    }

    fn split(self, len: u32) -> (Self, Self) {
        let bytes = match self.kind {
            ContentKind::String => text_prefix(self.content, len),
            ContentKind::Any => values_prefix(self.content, len),
            _ => 0,
        };
        let (first, second) = self.content.split_at(bytes);
        let clock = self.id.clock + len;
        let rest = Self { id: Id { clock, ..self.id }, len: self.len - len, content: second, ..self };
        (Self { len, content: first, ..self }, rest)
    }
}

/// UTF-16 units of a text.
pub(super) fn utf16_len(text: &[u8]) -> u32 {
    text.iter().filter(|&&byte| is_first(byte)).map(|&byte| wide_len(byte)).sum()
}

/// Bytes of a text's first `len` UTF-16 units. No edit gets here that cuts a character in half (see `pairs`).
fn text_prefix(text: &[u8], len: u32) -> usize {
    let mut units = 0;
    let is_behind = |&byte: &u8| {
        if is_first(byte) {
            units += wide_len(byte);
        }
        units > len
    };
    text.iter().position(is_behind).unwrap_or(text.len())
}

/// Whether a character begins with this byte.
fn is_first(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// UTF-16 units of the character that begins with this byte.
fn wide_len(first: u8) -> u32 {
    1 + u32::from(first >= 0xf0)
}

fn values_prefix(values: &[u8], len: u32) -> usize {
    let mut reader = Reader::new(values);
    // Cannot fail: the scanner has read the same bytes.
    (0..len).take_while(|_| reader.skip_any(NESTING_MAX).is_ok()).count();
    reader.position()
}
