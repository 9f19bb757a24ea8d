//! Cuts a large update into small ones that can be applied one after the other.

use std::{collections::HashMap, iter::Peekable};

use super::{ContentKind, Section, Struct, StructKind, Structs, UpdateView};
use crate::lib0::write_var_uint;

/// What a section adds to its structs at most: their number, the client and the first clock.
const SECTION_OVERHEAD_BYTES: usize = 5 + 8 + 5;

/// What an update adds to its sections at most: their number, and an empty delete set.
const UPDATE_OVERHEAD_BYTES: usize = 5 + 1;

/// The delete set that deletes nothing.
const NO_DELETIONS: &[u8] = &[0];

/// Cuts an update into updates of at most `bytes_max` bytes that together say the same: each joins on to what its
/// receiver has after those before, so that no reader has to keep structs for later. The last one carries the delete
/// set. Only one that holds a single struct, or the last one, may be larger.
///
/// Text attributes, and all that comes after the first of them, are in the last slice: a Yjs client that is sent one
/// deletes those that have no effect, for everybody, and before all the text and all deletions are there it is wrong
/// about which these are.
///
/// The receiver is taken to have whatever the update builds on but does not hold. An update with holes, with parts that
/// say nothing, or with structs that wait for each other in a circle cannot be cut: it comes back as one.
pub fn slices(update: &UpdateView<'_>, bytes_max: usize) -> Vec<Vec<u8>> {
    let is_small = update.bytes().len() <= bytes_max;
    if is_small || update.has_skips() || update.has_empty_parts() {
        return vec![update.bytes().to_vec()];
    }
    let mut slicer = Slicer::new(update, bytes_max);
    match slicer.run() {
        Ok(()) => slicer.finish(update.delete_set_bytes()),
        Err(Circular) => vec![update.bytes().to_vec()],
    }
}

/// Structs that depend on each other: none of them can come first.
struct Circular;

struct Slicer<'a> {
    sections: Vec<SectionRest<'a>>,
    by_client: HashMap<u64, usize>,
    /// Sections with structs in the slice that is being filled.
    filled: Vec<usize>,
    /// Bytes of that slice, at most.
    bytes: usize,
    bytes_max: usize,
    /// There is a text attribute in that slice, so that it is the last.
    is_last: bool,
    slices: Vec<Vec<u8>>,
}

/// A section, of which a part has been sliced.
struct SectionRest<'a> {
    section: Section<'a>,
    structs: Peekable<Structs<'a>>,
    /// The clock after the last struct that was taken.
    clock: u32,
    /// Where in the section's bytes that struct ends.
    taken_bytes: usize,
    /// It is being read, up to a struct that needs another section first.
    is_waiting: bool,
    run: Run,
}

/// The part of a section that is in the slice that is being filled.
#[derive(Default)]
struct Run {
    clock: u32,
    count: u32,
    start: usize,
}

impl<'a> Slicer<'a> {
    fn new(update: &UpdateView<'a>, bytes_max: usize) -> Self {
        let sections: Vec<_> = update.sections().map(SectionRest::new).collect();
        let by_client = sections.iter().enumerate().map(|(at, rest)| (rest.section.client, at)).collect();
        let (filled, bytes, slices) = (Vec::new(), UPDATE_OVERHEAD_BYTES, Vec::new());
        Self { sections, by_client, filled, bytes, bytes_max, is_last: false, slices }
    }

    /// Takes all structs in an order in which they can be integrated. A section that lacks something of another one
    /// gives way to that one, as in Yjs, so every struct is looked at a bounded number of times.
    fn run(&mut self) -> Result<(), Circular> {
        let mut stack = Vec::new();
        for first in 0..self.sections.len() {
            stack.push((first, self.sections[first].section.end));
            while let Some(&(at, needed)) = stack.last() {
                let missing = self.take_until(at, needed);
                self.sections[at].is_waiting = missing.is_some();
                match missing {
                    Some((other, _)) if self.sections[other].is_waiting => return Err(Circular),
                    Some(missing) => stack.push(missing),
                    None => drop(stack.pop()),
                }
            }
        }
        Ok(())
    }

    /// Takes structs until the section's clock is `needed`, or until one needs another section to come to some clock.
    fn take_until(&mut self, at: usize, needed: u32) -> Option<(usize, u32)> {
        while self.sections[at].clock < needed {
            let next = *self.sections[at].structs.peek()?;
            let missing = next.dependencies().find_map(|id| {
                let other = *self.by_client.get(&id.client)?;
                let SectionRest { section, clock, .. } = &self.sections[other];
                (*clock..section.end).contains(&id.clock).then_some((other, id.clock + 1))
            });
            if missing.is_some() {
                return missing;
            }
            self.take(at, &next);
        }
        None
    }

    fn take(&mut self, at: usize, next: &Struct<'_>) {
        let bytes = next.bytes.len() + SECTION_OVERHEAD_BYTES;
        if self.is_full(bytes) {
            self.cut(NO_DELETIONS);
        }
        self.is_last |= next.kind == StructKind::Item(ContentKind::Format);
        if self.sections[at].run.count == 0 {
            self.filled.push(at);
            self.bytes += SECTION_OVERHEAD_BYTES;
        }
        self.bytes += next.bytes.len();
        self.sections[at].take(next);
    }

    /// Whether so many bytes belong in the next slice.
    fn is_full(&self, bytes: usize) -> bool {
        !self.is_last && !self.filled.is_empty() && self.bytes + bytes > self.bytes_max
    }

    /// Ends the slice that is being filled.
    fn cut(&mut self, delete_set: &[u8]) {
        let mut filled = std::mem::take(&mut self.filled);
        // Yjs writes the highest client first; others read any order.
        filled.sort_unstable_by_key(|&at| std::cmp::Reverse(self.sections[at].section.client));
        let mut out = Vec::with_capacity(self.bytes + delete_set.len());
        write_var_uint(&mut out, filled.len() as u64);
        for at in filled {
            self.sections[at].write_run(&mut out);
        }
        out.extend_from_slice(delete_set);
        self.slices.push(out);
        self.bytes = UPDATE_OVERHEAD_BYTES;
    }

    fn finish(mut self, delete_set: &[u8]) -> Vec<Vec<u8>> {
        if delete_set != NO_DELETIONS && self.is_full(delete_set.len()) {
            self.cut(NO_DELETIONS);
        }
        self.cut(delete_set);
        self.slices
    }
}

impl<'a> SectionRest<'a> {
    fn new(section: Section<'a>) -> Self {
        let structs = section.structs().peekable();
        Self { section, structs, clock: section.clock, taken_bytes: 0, is_waiting: false, run: Run::default() }
    }

    /// Adds the next struct to the run.
    fn take(&mut self, next: &Struct<'_>) {
        if self.run.count == 0 {
            self.run = Run { clock: next.clock, count: 0, start: self.taken_bytes };
        }
        self.run.count += 1;
        self.taken_bytes += next.bytes.len();
        self.clock = next.end();
        self.structs.next();
    }

    fn write_run(&mut self, out: &mut Vec<u8>) {
        let Run { clock, count, start } = std::mem::take(&mut self.run);
        write_var_uint(out, count.into());
        write_var_uint(out, self.section.client);
        write_var_uint(out, clock.into());
        out.extend_from_slice(&self.section.bytes[start..self.taken_bytes]);
    }
}
