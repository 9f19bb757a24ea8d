//! What waits for something that the document lacks.
//!
//! Structs are kept in short runs, by client and clock, so that a history which arrives in any order costs a
//! logarithm per run. A run whose next dependency is missing is looked at again only when the client that
//! it waits for has moved on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use synapti_protocol::update::{Id, Structs};

use super::{
    LeftOut, Refused,
    clocks::{Clocks, Trust},
    outgoing::Outgoing,
    pieces::{Books, Claim, Held, Pieces, Run, Sender},
};

/// Bounds of what one document sets aside.
#[derive(Clone, Copy, Debug)]
pub struct AsideLimits {
    /// Encoded bytes, bookkeeping included. At the bound, whoever has most waiting loses it, rather than whoever comes last.
    pub bytes_max: usize,
}

impl Default for AsideLimits {
    fn default() -> Self {
        // The largest message that a client may send can have its first struct missing, and then weighs up to three times as
        // much here: each client in it, and each of its delete ranges, is a piece of its own.
        Self { bytes_max: 3 * synapti_protocol::limits::SYNC_BYTES_MAX }
    }
}

#[derive(Debug)]
pub(super) struct Aside {
    structs: Pieces,
    deletes: Pieces,
    /// Client that is waited for → (clock needed, client that waits).
    waiting: HashMap<u64, BTreeSet<(u32, u64)>>,
    books: Books,
    evicted: Vec<Sender>,
    limits: AsideLimits,
}

impl Aside {
    pub(super) fn new(limits: AsideLimits) -> Self {
        Self {
            structs: HashMap::new(),
            deletes: HashMap::new(),
            waiting: HashMap::new(),
            books: Books::default(),
            evicted: Vec::new(),
            limits,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.books.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.books.bytes()
    }

    pub(super) fn held_from(&self, from: Sender) -> usize {
        self.books.claims_of(from)
    }

    /// Keeps structs; false when that makes its sender the one who has too much waiting.
    pub(super) fn hold(&mut self, run: Run, from: Sender, since_ms: u64) -> bool {
        let (place, held) = run.hold(Claim { from, since_ms });
        self.books.insert(&mut self.structs, place, held);
        self.make_room(from)
    }

    /// Keeps a range of deletes for structs that have not come yet; false as for [`hold`](Self::hold).
    pub(super) fn hold_delete(&mut self, client: u64, clock: u32, len: u32, from: Sender, since_ms: u64) -> bool {
        self.books.insert(&mut self.deletes, (client, clock), Held::deletion(len, Claim { from, since_ms }));
        self.make_room(from)
    }

    /// Who has lost what they had waiting to others since the last call.
    pub(super) fn take_evicted(&mut self) -> Vec<Sender> {
        std::mem::take(&mut self.evicted)
    }

    /// Drops what the heaviest senders have waiting, until the rest fits; false when `from` is one of them.
    fn make_room(&mut self, from: Sender) -> bool {
        while self.books.bytes() > self.limits.bytes_max {
            let Some(heaviest) = self.books.heaviest() else { return true };
            self.drop_from(heaviest);
            if heaviest == from {
                return false;
            }
            self.evicted.push(heaviest);
        }
        true
    }

    /// Moves everything to `out` that `clocks` now allows, starting from the clients that have moved or gained
    /// something, and raises `clocks` accordingly. Answers who has sent something that may not be integrated: nothing of
    /// theirs waits any more.
    pub(super) fn drain(
        &mut self,
        clocks: &mut Clocks,
        moved: impl Iterator<Item = u64>,
        out: &mut Outgoing,
    ) -> BTreeMap<Sender, Refused> {
        let mut refused = BTreeMap::new();
        let mut to_visit: Vec<u64> = moved.collect();
        while let Some(client) = to_visit.pop() {
            self.drain_structs(client, clocks, out, &mut refused);
            self.drain_deletes(client, clocks.get(client), out);
            self.wake(client, clocks.get(client), &mut to_visit);
        }
        for &from in refused.keys() {
            self.drop_from(from);
        }
        refused
    }

    /// Drops what nobody but `from` has sent.
    pub(super) fn drop_from(&mut self, from: Sender) {
        self.retain(|claim| claim.from != from);
    }

    /// Drops the structs of a client that foreigners have sent, whoever else has: of two who said different things, it may
    /// be theirs that was kept. Answers what everybody has lost.
    pub(super) fn drop_foreign(&mut self, client: u64, is_foreign: impl Fn(Sender) -> bool) -> Vec<LeftOut> {
        let Some(mut of_client) = self.structs.remove(&client) else { return Vec::new() };
        let mut left_out = Vec::new();
        of_client.retain(|clock, held| {
            let stays = !held.claims.iter().any(|claim| is_foreign(claim.from));
            if !stays {
                self.books.discount(held);
                let end = clock + held.len;
                left_out.extend(held.claims.iter().map(|claim| LeftOut { from: claim.from, client, end }));
            }
            stays
        });
        if !of_client.is_empty() {
            self.structs.insert(client, of_client);
        }
        left_out
    }

    /// Forgets claims from before `deadline_ms` and drops what has no other; answers whose they were.
    pub(super) fn expire(&mut self, deadline_ms: u64) -> BTreeSet<Sender> {
        let mut expired = BTreeSet::new();
        self.retain(|claim| {
            // What the store holds has no sender who could send it again.
            let keep = claim.since_ms >= deadline_ms || claim.from == Sender::default();
            if !keep {
                expired.insert(claim.from);
            }
            keep
        });
        expired
    }

    fn drain_structs(
        &mut self,
        client: u64,
        clocks: &mut Clocks,
        out: &mut Outgoing,
        refused: &mut BTreeMap<Sender, Refused>,
    ) {
        while let Some(head) = self.structs.get_mut(&client).and_then(BTreeMap::first_entry) {
            let (clock, held) = (*head.key(), head.get());
            if clock > clocks.get(client) {
                return;
            }
            match pass(client, held.structs(client, clock), trust(held), clocks, out) {
                Ok(None) => {}
                Ok(Some(missing)) => {
                    self.waiting.entry(missing.client).or_default().insert((missing.clock, client));
                    return;
                }
                Err(why) => refused.extend(held.claims.iter().map(|claim| (claim.from, why))),
            }
            self.books.discount(&head.remove());
        }
        self.structs.remove(&client);
    }

    fn drain_deletes(&mut self, client: u64, known: u32, out: &mut Outgoing) {
        while let Some(head) = self.deletes.get_mut(&client).and_then(BTreeMap::first_entry) {
            let clock = *head.key();
            if clock >= known {
                return;
            }
            let held = head.remove();
            self.books.discount(&held);
            out.delete(client, clock, held.len.min(known - clock));
            let end = clock + held.len;
            if end > known {
                let rest = Held { len: end - known, ..held };
                self.books.insert(&mut self.deletes, (client, known), rest);
            }
        }
        self.deletes.remove(&client);
    }

    /// Lists the clients that waited for a struct of `client` which is there now.
    fn wake(&mut self, client: u64, known: u32, to_visit: &mut Vec<u64>) {
        let Some(waiting) = self.waiting.get_mut(&client) else { return };
        while let Some(&(needed, waiter)) = waiting.first() {
            if needed >= known {
                return;
            }
            waiting.pop_first();
            to_visit.push(waiter);
        }
        self.waiting.remove(&client);
    }

    fn retain(&mut self, mut keep: impl FnMut(&Claim) -> bool) {
        self.books = Books::default();
        for pieces in [&mut self.structs, &mut self.deletes] {
            pieces.retain(|_, of_client| {
                of_client.retain(|_, held| {
                    held.claims.retain(|claim| keep(claim));
                    !held.claims.is_empty()
                });
                for held in of_client.values() {
                    self.books.count(held);
                }
                !of_client.is_empty()
            });
        }
        let structs = &self.structs;
        self.waiting.retain(|_, waiters| {
            waiters.retain(|(_, waiter)| structs.contains_key(waiter));
            !waiters.is_empty()
        });
    }
}

/// Lets structs of one client pass; answers what the next one lacks, if not all of them do.
fn pass(
    client: u64,
    structs: Structs<'_>,
    trust: Trust,
    clocks: &mut Clocks,
    out: &mut Outgoing,
) -> Result<Option<Id>, Refused> {
    for item in structs {
        let known = clocks.get(client);
        if item.end() <= known {
            continue;
        }
        if let Some(missing) = item.dependencies().find(|dep| dep.clock >= clocks.get(dep.client)) {
            return Ok(Some(missing));
        }
        clocks.let_in(client, &item, trust)?;
        out.push_from(known, client, &item);
    }
    Ok(None)
}

/// Whose word a piece is. That of the store or of another node counts, whoever else has sent it.
fn trust(held: &Held) -> Trust {
    if held.claims.iter().any(|claim| claim.from.is_trusted()) { Trust::Store } else { Trust::Client }
}
