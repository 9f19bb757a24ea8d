//! Puts an update together from pieces of others.

use crate::lib0::{var_uint_len, write_var_uint};

/// Builds an update from structs that are already encoded. The caller names each client at most once in the
/// sections and once in the deletions, highest client first as Yjs does.
#[derive(Debug, Default)]
pub struct UpdateWriter {
    sections: Vec<u8>,
    section_count: u64,
    deletions: Vec<u8>,
    deletion_count: u64,
}

impl UpdateWriter {
    /// An update without content.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `struct_count` structs of `client`, the first of them at `clock`: their encodings one after the other,
    /// in as many pieces as is convenient.
    pub fn section<'a>(
        &mut self,
        client: u64,
        clock: u32,
        struct_count: u32,
        structs: impl IntoIterator<Item = &'a [u8]>,
    ) {
        self.section_count += 1;
        write_var_uint(&mut self.sections, struct_count.into());
        write_var_uint(&mut self.sections, client);
        write_var_uint(&mut self.sections, clock.into());
        for piece in structs {
            self.sections.extend_from_slice(piece);
        }
    }

    /// Deletes ranges of `client`, given as (first clock, length), sorted and not touching each other.
    pub fn delete(&mut self, client: u64, ranges: &[(u32, u32)]) {
        self.deletion_count += 1;
        write_var_uint(&mut self.deletions, client);
        write_var_uint(&mut self.deletions, ranges.len() as u64);
        for (clock, len) in ranges {
            write_var_uint(&mut self.deletions, (*clock).into());
            write_var_uint(&mut self.deletions, (*len).into());
        }
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.section_count == 0 && self.deletion_count == 0
    }

    /// The encoded update; [`super::EMPTY_UPDATE`] when nothing has been added.
    pub fn finish(self) -> Vec<u8> {
        let len = var_uint_len(self.section_count)
            + self.sections.len()
            + var_uint_len(self.deletion_count)
            + self.deletions.len();
        let mut out = Vec::with_capacity(len);
        write_var_uint(&mut out, self.section_count);
        out.extend_from_slice(&self.sections);
        write_var_uint(&mut out, self.deletion_count);
        out.extend_from_slice(&self.deletions);
        out
    }
}
