//! Makes one state show what another one shows.

use synapti_protocol::update::{ContentKind, Id};

use super::{
    align::{Part, align},
    alike::{counterparts, is_same},
    marks::read_alike,
    run::Run,
    shape::{Holder, Shape},
    write::{EditWriter, Spot},
};
use crate::replica::ApplyError;

/// The edit under way from the live state to the older one.
pub(super) struct Reconciliation<'a> {
    live: &'a Shape,
    older: &'a Shape,
    edit: EditWriter,
    tasks: Vec<Task>,
}

/// A shared type that is still to be dealt with.
enum Task {
    /// The live one becomes what the older one shows.
    Reconcile { live: u32, older: u32 },
    /// The live one loses what it shows.
    Empty { live: u32 },
    /// A new one is filled with what the older one shows.
    Fill { holder: Holder, older: u32 },
}

impl<'a> Reconciliation<'a> {
    /// The edit's elements have ids from `next` on.
    pub(super) fn new(live: &'a Shape, older: &'a Shape, next: Id) -> Self {
        let gone = live.roots.iter().filter(|(name, _)| !older.roots.contains_key(*name));
        let mut tasks: Vec<Task> = gone.map(|(_, &live)| Task::Empty { live }).collect();
        tasks.extend(older.roots.iter().map(|(name, &older)| match live.roots.get(name) {
            Some(&live) => Task::Reconcile { live, older },
            None => Task::Fill { holder: Holder::Root(name.clone()), older },
        }));
        Self { live, older, edit: EditWriter::new(next), tasks }
    }

    /// The edit as an update, or `None` when there is nothing to do.
    pub(super) fn run(mut self) -> Result<Option<Vec<u8>>, ApplyError> {
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Reconcile { live, older } => {
                    self.reconcile_entries(live, older);
                    self.reconcile_lists(live, older);
                }
                Task::Empty { live } => {
                    self.live.entries(live).for_each(|(_, value)| self.edit.delete(&value));
                    if self.live.list(live).next().is_some() {
                        let list = self.live.list(live).chain(self.live.idle_marks(live));
                        list.for_each(|run| self.edit.delete(&run));
                    }
                }
                Task::Fill { holder, older } => self.fill(&holder, older),
            }
        }
        self.edit.finish()
    }

    fn reconcile_entries(&mut self, live: u32, older: u32) {
        for (key, value) in self.live.entries(live) {
            if self.older.entry(older, key).is_none() {
                self.edit.delete(&value);
            }
        }
        let holder = &self.live.branch(live).holder;
        for (key, value) in self.older.entries(older) {
            match self.live.entry(live, key) {
                Some(current) if current.holds_same(&value) => self.pair_up(&current, &value),
                _ => {
                    let left = self.live.last_under(live, key);
                    self.insert(Spot { holder, key: Some(key), left, right: None }, &[value]);
                }
            }
        }
    }

    fn reconcile_lists(&mut self, live: u32, older: u32) {
        let live_runs: Vec<_> = self.live.list(live).collect();
        let older_runs: Vec<_> = self.older.list(older).collect();
        if let Some(pairs) = read_alike(&live_runs, &older_runs) {
            self.tasks.extend(pairs.into_iter().map(|(live, older)| Task::Reconcile { live, older }));
            return;
        }
        let mut before = None;
        let parts = align(&live_runs, &older_runs);
        if parts.iter().any(|part| matches!(part, Part::Either { .. })) {
            // Among other elements they might have an effect.
            self.live.idle_marks(live).for_each(|mark| self.edit.delete(&mark));
        }
        for part in parts {
            match part {
                Part::Both(run, older_run) => {
                    self.pair_up(&run, &older_run);
                    before = Some(run);
                }
                Part::Either { live: runs, older } => self.replace(live, before, &runs, &older),
            }
        }
    }

    /// Makes a part of a live list, which begins behind `before`, hold what a part of the older one holds.
    fn replace(&mut self, branch: u32, before: Option<Run<'a>>, live: &[Run<'a>], older: &[Run<'a>]) {
        // Element by element only where there is something to compare.
        let elements = |runs: &[Run<'a>]| -> Vec<_> { runs.iter().flat_map(|run| run.elements()).collect() };
        let is_one_sided = live.is_empty() || older.is_empty();
        let (live, older) =
            if is_one_sided { (live.to_vec(), older.to_vec()) } else { (elements(live), elements(older)) };
        let same = |(live, older): &(&Run<'_>, &Run<'_>)| is_same((self.live, live), (self.older, older));
        let prefix = live.iter().zip(&older).take_while(same).count();
        let suffix = live[prefix..].iter().rev().zip(older[prefix..].iter().rev()).take_while(same).count();
        for element in &live[prefix..live.len() - suffix] {
            self.edit.delete(element);
        }
        let before = prefix.checked_sub(1).map(|last| live[last]).or(before);
        let left = before.map(|run| run.last());
        let right = before.map_or_else(|| self.live.first(branch), |run| self.live.behind(&run));
        let holder = &self.live.branch(branch).holder;
        self.insert(Spot { holder, key: None, left, right }, &older[prefix..older.len() - suffix]);
    }

    fn fill(&mut self, holder: &Holder, older: u32) {
        let (left, right) = (None, None);
        for (key, value) in self.older.entries(older) {
            self.insert(Spot { holder, key: Some(key), left, right }, &[value]);
        }
        let list: Vec<_> = self.older.list(older).collect();
        self.insert(Spot { holder, key: None, left, right }, &list);
    }

    /// Writes elements of the older state, one behind the other. What is in shared types follows later.
    fn insert(&mut self, mut spot: Spot<'_>, elements: &[Run<'_>]) {
        let joins = |kind| matches!(kind, ContentKind::String | ContentKind::Any);
        for group in elements.chunk_by(|one, next| one.kind == next.kind && joins(one.kind)) {
            let (first, last) = self.edit.insert(spot, group);
            spot.left = Some(last);
            if let [Run { branch: Some(older), .. }] = group {
                self.tasks.push(Task::Fill { holder: Holder::Nested(first), older: *older });
            }
        }
    }

    fn pair_up(&mut self, live: &Run<'_>, older: &Run<'_>) {
        let pair = counterparts(live, older);
        self.tasks.extend(pair.map(|(live, older)| Task::Reconcile { live, older }));
    }
}
