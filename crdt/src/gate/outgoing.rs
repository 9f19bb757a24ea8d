//! Builds the updates that leave the gate.

use std::collections::BTreeMap;

use synapti_protocol::update::{Struct, UpdateWriter};

use super::cut::part_from;

/// One client's structs without a gap.
#[derive(Debug, Default)]
struct Run {
    start: u32,
    end: u32,
    count: u32,
    bytes: Vec<u8>,
}

/// Collects structs and delete ranges, and encodes them as one update.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    runs: BTreeMap<u64, Run>,
    deletes: BTreeMap<u64, Vec<(u32, u32)>>,
}

impl Outgoing {
    /// Adds what a struct of `client` says beyond `known`.
    pub(super) fn push_from(&mut self, known: u32, client: u64, item: &Struct<'_>) {
        if item.clock < known {
            self.push(client, known, item.end() - known, &part_from(client, item, known));
        } else {
            self.push(client, item.clock, item.len, item.bytes);
        }
    }

    /// Adds a struct of `client` that follows on the one before.
    pub(crate) fn push(&mut self, client: u64, clock: u32, len: u32, bytes: &[u8]) {
        let run = self.runs.entry(client).or_insert_with(|| Run { start: clock, end: clock, ..Run::default() });
        debug_assert_eq!(run.end, clock, "what leaves the gate has no holes");
        run.end = clock + len;
        run.count += 1;
        run.bytes.extend_from_slice(bytes);
    }

    /// Adds a range that is deleted.
    pub(crate) fn delete(&mut self, client: u64, clock: u32, len: u32) {
        self.deletes.entry(client).or_default().push((clock, len));
    }

    /// The update, if there is anything in it.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        if self.runs.is_empty() && self.deletes.is_empty() {
            return None;
        }
        let mut writer = UpdateWriter::new();
        // Yjs writes the highest client first; others read any order.
        for (client, run) in self.runs.into_iter().rev() {
            writer.section(client, run.start, run.count, [run.bytes.as_slice()]);
        }
        for (client, mut ranges) in self.deletes.into_iter().rev() {
            ranges.sort_unstable();
            writer.delete(client, &joined(&ranges));
        }
        Some(writer.finish())
    }
}

/// Sorted ranges without those that touch or overlap.
fn joined(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for &(clock, len) in ranges {
        match joined.last_mut() {
            Some((start, known)) if clock <= *start + *known => *known = (*known).max(clock + len - *start),
            _ => joined.push((clock, len)),
        }
    }
    joined
}
