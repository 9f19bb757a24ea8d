//! Builds the updates that leave the gate.

use std::collections::BTreeMap;

use synapti_protocol::update::UpdateWriter;

/// One client's structs without a gap.
#[derive(Debug, Default)]
struct Run {
    start: u32,
    end: u32,
    count: u32,
    bytes: Vec<u8>,
}

/// Collects structs and delete ranges, and encodes them as updates that are to be integrated in order.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    runs: BTreeMap<u64, Run>,
    deletes: BTreeMap<u64, Vec<(u32, u32)>>,
    finished: Vec<Vec<u8>>,
}

impl Outgoing {
    /// Adds a struct of `client` that covers `clock..clock + len`.
    pub(super) fn push(&mut self, client: u64, clock: u32, len: u32, bytes: &[u8]) {
        // A struct that begins inside the one before it cannot stand in the same section: clocks are implied there.
        if self.runs.get(&client).is_some_and(|run| run.end != clock) {
            self.flush();
        }
        let run = self.runs.entry(client).or_insert_with(|| Run { start: clock, end: clock, ..Run::default() });
        run.end = clock + len;
        run.count += 1;
        run.bytes.extend_from_slice(bytes);
    }

    /// Adds a range that is deleted.
    pub(super) fn delete(&mut self, client: u64, clock: u32, len: u32) {
        self.deletes.entry(client).or_default().push((clock, len));
    }

    /// The updates, in the order in which they must be integrated.
    pub(super) fn finish(mut self) -> Vec<Vec<u8>> {
        self.flush();
        self.finished
    }

    fn flush(&mut self) {
        if self.runs.is_empty() && self.deletes.is_empty() {
            return;
        }
        let mut writer = UpdateWriter::new();
        // Yjs writes the highest client first; others read any order.
        for (client, run) in std::mem::take(&mut self.runs).into_iter().rev() {
            writer.section(client, run.start, run.count, [run.bytes.as_slice()]);
        }
        for (client, mut ranges) in std::mem::take(&mut self.deletes).into_iter().rev() {
            ranges.sort_unstable();
            writer.delete(client, &ranges);
        }
        self.finished.push(writer.finish());
    }
}
