//! What a gate knows of its document: for each client, how much of its history the document has, and where each part of it
//! lies. From that it tells what a document must not become.

use std::{collections::HashMap, ops::Range};

use smallvec::SmallVec;
use synapti_protocol::{
    limits::SHARED_TYPE_NESTING_MAX,
    update::{ContentKind, Id, Section, Struct, StructKind},
};

use super::{
    Refused,
    places::{Place, Places},
};

/// Runs of places of deleted elements that are kept before they are looked for, if they are also half of all: a third of a
/// megabyte. The walk over the document holds everybody up, so it must have something to find.
const SWEEP_FROM: usize = 1 << 16;

/// Runs of places kept before a walk in any case, five megabytes: elements that were deleted before they came are not counted.
const SWEEP_ALWAYS_FROM: usize = 1 << 20;

/// Whose word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// A client's: what a document must not become is refused.
    Client,
    /// The store's: it is let in, or the map could not be read any more. See [`Clocks::take_unsafe`].
    Store,
}

/// What is known of one client.
#[derive(Debug, Default)]
struct Known {
    clock: u32,
    places: Places,
}

/// By client id. Absent = nothing.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    clients: HashMap<u64, Known>,
    /// Runs of places, of all clients.
    runs: usize,
    /// How many of them begin with an element that was deleted since the last sweep.
    gone: usize,
    /// How many the last sweep left.
    swept_to: usize,
    /// Of what the store has brought since it was last asked, structs that are not safe to integrate.
    not_safe: Vec<Id>,
}

impl Clocks {
    /// The number of clock ticks integrated.
    pub(super) fn get(&self, client: u64) -> u32 {
        self.clients.get(&client).map_or(0, |known| known.clock)
    }

    /// How many clients something is known of.
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    pub(super) fn raise(&mut self, client: u64, clock: u32) {
        if clock > 0 {
            let known = self.clients.entry(client).or_default();
            known.clock = known.clock.max(clock);
        }
    }

    /// Goes back to an earlier clock. Places beyond it are overwritten by what comes next.
    pub(super) fn set_back(&mut self, client: u64, clock: u32) {
        self.not_safe.retain(|id| id.client != client || id.clock < clock);
        if clock > 0 {
            self.clients.entry(client).or_default().clock = clock;
        } else {
            self.forget(client);
        }
    }

    /// Takes these clocks instead of its own.
    pub(super) fn set_all(&mut self, clocks: impl Iterator<Item = (u64, u32)>) {
        for known in self.clients.values_mut() {
            known.clock = 0;
        }
        for (client, clock) in clocks {
            self.raise(client, clock);
        }
        let gone = self.clients.iter().filter(|(_, known)| known.clock == 0).map(|(&client, _)| client);
        for client in gone.collect::<Vec<_>>() {
            self.forget(client);
        }
    }

    /// Lets a struct in that joins on: notes where it lies, and raises the client's clock. All that it refers to must be
    /// in already.
    pub(super) fn let_in(&mut self, client: u64, item: &Struct<'_>, trust: Trust) -> Result<(), Refused> {
        let is_in = self.with(client, |others, own| others.let_in_next(own, client, item, trust))?;
        debug_assert!(is_in, "the caller has seen that all it refers to is there");
        Ok(())
    }

    /// Lets in what is new in a section, up to a hole, a struct that is known in part, or one that refers to something
    /// missing; false then. Looks its client up once, since most structs refer to others of their own client.
    pub(super) fn let_in_section(&mut self, section: &Section<'_>, trust: Trust) -> Result<bool, Refused> {
        self.with(section.client, |others, own| {
            let known = own.clock;
            for item in section.structs().filter(|item| item.end() > known) {
                let joins = item.clock == own.clock && item.kind != StructKind::Skip;
                if !joins || !others.let_in_next(own, section.client, &item, trust)? {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Lets in the next struct of `client`, of which `own` is what is known; false when it refers to something missing.
    fn let_in_next(&mut self, own: &mut Known, client: u64, item: &Struct<'_>, trust: Trust) -> Result<bool, Refused> {
        let Some(place) = self.place_of(own, client, item) else { return Ok(false) };
        let start = own.clock.max(item.clock);
        let many_at_key = place.is_at_key() && item.len > 1 && is_live(item);
        match trust {
            Trust::Client if place.depth() > SHARED_TYPE_NESTING_MAX => return Err(Refused::TooDeep),
            Trust::Client if many_at_key => return Err(Refused::ManyAtKey),
            Trust::Store if many_at_key => self.not_safe.push(Id { client, clock: start }),
            Trust::Client | Trust::Store => {}
        }
        self.runs = self.runs.saturating_add_signed(own.places.note(start, place));
        own.clock = own.clock.max(item.end());
        Ok(true)
    }

    /// Works on what is known of one client and of all others.
    fn with<T>(&mut self, client: u64, work: impl FnOnce(&mut Self, &mut Known) -> T) -> T {
        let mut own = self.clients.remove(&client).unwrap_or_default();
        let done = work(self, &mut own);
        if own.clock > 0 {
            self.clients.insert(client, own);
        }
        done
    }

    /// Structs by their first element that the store has brought, and that must be integrated as deleted only: several
    /// elements at a key, of which yrs forgets all but the last once they are split, and refers to them after they are freed.
    pub(super) fn take_unsafe(&mut self) -> Vec<Id> {
        std::mem::take(&mut self.not_safe)
    }

    /// Notes where structs lie that the document has.
    pub(super) fn note(&mut self, section: &Section<'_>) {
        self.with(section.client, |others, own| {
            for item in section.structs() {
                let place = others.place_of(own, section.client, &item).unwrap_or(Place::ROOT);
                others.runs = others.runs.saturating_add_signed(own.places.note(item.clock, place));
            }
        });
    }

    #[cfg(test)]
    pub(super) fn runs(&self) -> usize {
        self.runs
    }

    /// Notes that elements were deleted.
    pub(super) fn note_deleted(&mut self, client: u64, clocks: Range<u32>) {
        if let Some(known) = self.clients.get(&client) {
            self.gone += known.places.runs_from(clocks);
        }
    }

    /// Whether there may be so many runs of deleted elements that a walk over the document is worth it.
    pub(super) fn is_overgrown(&self) -> bool {
        self.gone > SWEEP_FROM.max(self.runs / 2) || self.runs > SWEEP_ALWAYS_FROM.max(2 * self.swept_to)
    }

    /// Takes the places that others have found in the document as it is now: of what was deleted nothing is left there.
    pub(super) fn sweep(&mut self, found: Self) {
        for known in self.clients.values_mut() {
            known.places = Places::default();
        }
        for (client, found) in found.clients {
            self.clients.entry(client).or_default().places = found.places;
        }
        (self.runs, self.swept_to, self.gone) = (found.runs, found.runs, 0);
    }

    fn forget(&mut self, client: u64) {
        if let Some(known) = self.clients.remove(&client) {
            self.runs -= known.places.runs();
        }
    }

    /// Where a struct's elements lie, as far as they are new; `None` when it refers to something missing.
    fn place_of(&self, own: &Known, client: u64, item: &Struct<'_>) -> Option<Place> {
        if item.kind == StructKind::Gc {
            return Some(Place::ROOT);
        }
        let place = |id: Id| {
            let known = if id.client == client { own } else { self.clients.get(&id.client)? };
            (id.clock < known.clock).then(|| known.places.at(id.clock))
        };
        // The rest of a struct continues what the document has before.
        let rest_of = own.clock.checked_sub(1).filter(|&last| item.clock <= last && last < item.end() - 1);
        let left = rest_of.map(|clock| Id { client, clock }).or(item.origin);
        match (left, item.right_origin) {
            (Some(left), Some(right)) => Some(place(left)?.or(place(right)?)),
            (Some(id), None) | (None, Some(id)) => place(id),
            (None, None) => {
                let holder = item.parent.map_or(Some(Place::ROOT), |parent| place(parent).map(Place::within))?;
                Some(holder.with_key(item.key.is_some()))
            }
        }
    }
}

/// Whether there is content. Yjs joins deleted values of a map, so that several of these may lie at a key.
fn is_live(item: &Struct<'_>) -> bool {
    !matches!(item.kind, StructKind::Gc | StructKind::Skip | StructKind::Item(ContentKind::Deleted))
}

/// Clocks as they would be after an update, for the clients that it names. Small updates stay on the stack.
#[derive(Debug, Default)]
pub(super) struct Ends(SmallVec<[(u64, u32); 4]>);

impl Ends {
    pub(super) fn push(&mut self, client: u64, end: u32) {
        self.0.push((client, end));
    }

    /// Call once after the last `push` and before the first `get`.
    pub(super) fn seal(&mut self) {
        self.0.sort_unstable();
    }

    pub(super) fn get(&self, base: &Clocks, client: u64) -> u32 {
        match self.0.binary_search_by_key(&client, |&(known, _)| known) {
            Ok(at) => self.0[at].1,
            Err(_) => base.get(client),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.0.iter().copied()
    }
}
