//! The way of one update through the gate, when not all of it can pass.

use std::{collections::HashMap, iter::Peekable};

use synapti_protocol::update::{Id, Struct, StructKind, Structs, UpdateView};

use super::{
    Refused,
    clocks::{Clocks, Trust},
};

/// The sections of an update, each read up to the first struct that cannot pass.
pub(super) struct Passage<'a> {
    sections: Vec<SectionRest<'a>>,
    by_client: HashMap<u64, usize>,
}

struct SectionRest<'a> {
    client: u64,
    structs: Peekable<Structs<'a>>,
    /// It is being read, or it has come to something that nothing in this update can bring.
    is_closed: bool,
}

/// Why the next struct of a section does not pass.
enum Stop {
    /// There is none.
    End,
    /// A hole before it.
    Hole,
    /// It refers to this.
    Missing(Id),
}

impl<'a> Passage<'a> {
    pub(super) fn new(update: &UpdateView<'a>) -> Self {
        Self::without(update, |_| false)
    }

    /// As if an update had no sections of some clients.
    pub(super) fn without(update: &UpdateView<'a>, is_left_out: impl Fn(u64) -> bool) -> Self {
        let sections: Vec<_> = update
            .sections()
            .filter(|section| !is_left_out(section.client))
            .map(|section| SectionRest {
                client: section.client,
                structs: section.structs().peekable(),
                is_closed: false,
            })
            .collect();
        let by_client = sections.iter().enumerate().map(|(at, section)| (section.client, at)).collect();
        Self { sections, by_client }
    }

    /// Lets in to `clocks` what joins on, and hands it to `pass` with the clock before. A section that lacks something of
    /// another one gives way to that one, as in Yjs, so every struct is looked at a bounded number of times.
    pub(super) fn run(
        &mut self,
        clocks: &mut Clocks,
        trust: Trust,
        mut pass: impl FnMut(u32, u64, &Struct<'a>),
    ) -> Result<(), Refused> {
        let mut stack = Vec::new();
        for first in 0..self.sections.len() {
            stack.push((first, u32::MAX));
            while let Some(&(at, needed)) = stack.last() {
                let section = &mut self.sections[at];
                section.is_closed = true;
                let stop = section.pass(needed, clocks, trust, &mut pass)?;
                if let Some(Stop::Missing(id)) = &stop
                    && let Some(&other) = self.by_client.get(&id.client)
                    && !self.sections[other].is_closed
                {
                    stack.push((other, id.clock + 1));
                    continue;
                }
                // It stays closed when it has stopped: what it lacks is not in this update, or waits for it.
                self.sections[at].is_closed = stop.is_some();
                stack.pop();
            }
        }
        Ok(())
    }

    /// What could not pass, and does not say what is known anyway.
    pub(super) fn rest(self, clocks: &Clocks) -> impl Iterator<Item = (u64, Struct<'a>)> {
        self.sections.into_iter().flat_map(move |section| {
            let (client, known) = (section.client, clocks.get(section.client));
            let lacking = move |item: &Struct<'_>| item.kind != StructKind::Skip && item.end() > known && item.len > 0;
            section.structs.filter(lacking).map(move |item| (client, item))
        })
    }
}

impl<'a> SectionRest<'a> {
    /// Lets structs pass until the client's clock is `needed`; says why not when it does not come to that.
    fn pass(
        &mut self,
        needed: u32,
        clocks: &mut Clocks,
        trust: Trust,
        pass: &mut impl FnMut(u32, u64, &Struct<'a>),
    ) -> Result<Option<Stop>, Refused> {
        loop {
            let known = clocks.get(self.client);
            if known >= needed {
                return Ok(None);
            }
            let Some(item) = self.structs.peek() else { return Ok(Some(Stop::End)) };
            if item.end() > known {
                if item.clock > known || item.kind == StructKind::Skip {
                    return Ok(Some(Stop::Hole));
                }
                if let Some(missing) = item.dependencies().find(|id| id.clock >= clocks.get(id.client)) {
                    return Ok(Some(Stop::Missing(missing)));
                }
                clocks.let_in(self.client, item, trust)?;
                pass(known, self.client, item);
            }
            self.structs.next();
        }
    }
}
