//! What waits for something that the document lacks.
//!
//! Structs are kept one by one, by client and clock, so that a history which arrives in any order costs a
//! logarithm per struct. A struct whose next dependency is missing is looked at again only when the client that
//! it waits for has moved on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use smallvec::SmallVec;
use synapti_protocol::update::{Id, Struct};

use super::{clocks::Clocks, outgoing::Outgoing};

/// Whose update something came with: the session's number, or zero for the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender(pub u64);

/// Bounds of what one document sets aside.
#[derive(Clone, Copy, Debug)]
pub struct AsideLimits {
    /// Encoded bytes, bookkeeping included.
    pub bytes_max: usize,
}

impl Default for AsideLimits {
    fn default() -> Self {
        // The largest message that a client may send can have its first struct missing.
        Self { bytes_max: synapti_protocol::limits::SYNC_BYTES_MAX }
    }
}

/// What one held piece costs besides its own bytes: map entries, dependencies, sender.
const PIECE_BYTES: usize = 128;

#[derive(Debug)]
struct Held {
    len: u32,
    bytes: Box<[u8]>,
    deps: SmallVec<[Id; 2]>,
    from: Sender,
    since_ms: u64,
}

#[derive(Debug)]
struct HeldDelete {
    len: u32,
    from: Sender,
    since_ms: u64,
}

#[derive(Debug)]
pub(super) struct Aside {
    structs: HashMap<u64, BTreeMap<u32, Held>>,
    /// Client that is waited for → (clock needed, client that waits).
    waiting: HashMap<u64, BTreeSet<(u32, u64)>>,
    deletes: HashMap<u64, BTreeMap<u32, HeldDelete>>,
    pieces: HashMap<Sender, usize>,
    bytes: usize,
    limits: AsideLimits,
}

impl Aside {
    pub(super) fn new(limits: AsideLimits) -> Self {
        Self {
            structs: HashMap::new(),
            waiting: HashMap::new(),
            deletes: HashMap::new(),
            pieces: HashMap::new(),
            bytes: 0,
            limits,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn held_from(&self, from: Sender) -> usize {
        self.pieces.get(&from).copied().unwrap_or(0)
    }

    /// Keeps a struct. Of two that begin at one clock the longer stays: it says all that the other says.
    pub(super) fn hold(
        &mut self,
        client: u64,
        item: &Struct<'_>,
        deps: SmallVec<[Id; 2]>,
        from: Sender,
        since_ms: u64,
    ) {
        let of_client = self.structs.entry(client).or_default();
        if of_client.get(&item.clock).is_some_and(|known| known.len >= item.len) {
            return;
        }
        let held = Held { len: item.len, bytes: item.bytes.into(), deps, from, since_ms };
        let replaced = of_client.insert(item.clock, held);
        self.count(from, item.bytes.len());
        if let Some(old) = replaced {
            self.discount(old.from, old.bytes.len());
        }
    }

    /// Keeps a range of deletes for structs that have not come yet.
    pub(super) fn hold_delete(&mut self, client: u64, clock: u32, len: u32, from: Sender, since_ms: u64) {
        let of_client = self.deletes.entry(client).or_default();
        if of_client.get(&clock).is_some_and(|known| known.len >= len) {
            return;
        }
        let replaced = of_client.insert(clock, HeldDelete { len, from, since_ms });
        self.count(from, 0);
        if let Some(old) = replaced {
            self.discount(old.from, 0);
        }
    }

    /// Moves everything to `out` that `clocks` now allows, starting from the clients that have moved or gained
    /// something, and raises `clocks` accordingly.
    pub(super) fn drain(&mut self, clocks: &mut Clocks, moved: impl Iterator<Item = u64>, out: &mut Outgoing) {
        let mut to_visit: Vec<u64> = moved.collect();
        while let Some(client) = to_visit.pop() {
            self.drain_structs(client, clocks, out);
            self.drain_deletes(client, clocks.get(client), out);
            self.wake(client, clocks.get(client), &mut to_visit);
        }
    }

    /// Drops everything of `from` if more is held than may be; answers whether it did.
    pub(super) fn enforce(&mut self, from: Sender) -> bool {
        if self.bytes <= self.limits.bytes_max {
            return false;
        }
        self.retain(|sender, _| sender != from);
        true
    }

    /// Drops what has waited since before `deadline_ms`; answers whose it was.
    pub(super) fn expire(&mut self, deadline_ms: u64) -> BTreeSet<Sender> {
        let mut expired = BTreeSet::new();
        self.retain(|sender, since_ms| {
            let keep = since_ms >= deadline_ms;
            if !keep {
                expired.insert(sender);
            }
            keep
        });
        expired
    }

    fn drain_structs(&mut self, client: u64, clocks: &mut Clocks, out: &mut Outgoing) {
        while let Some(mut head) = self.structs.get_mut(&client).and_then(BTreeMap::first_entry) {
            let (clock, known) = (*head.key(), clocks.get(client));
            let end = clock + head.get().len;
            if clock > known {
                return;
            }
            if end > known {
                if let Some(missing) = head.get().deps.iter().find(|dep| dep.clock >= clocks.get(dep.client)) {
                    self.waiting.entry(missing.client).or_default().insert((missing.clock, client));
                    return;
                }
                out.push(client, clock, head.get().len, &head.get_mut().bytes);
                clocks.raise(client, end);
            }
            let held = head.remove();
            self.discount(held.from, held.bytes.len());
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
            out.delete(client, clock, held.len.min(known - clock));
            let rest = (clock + held.len).saturating_sub(known);
            if rest > 0 {
                self.hold_delete(client, known, rest, held.from, held.since_ms);
            }
            self.discount(held.from, 0);
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

    fn retain(&mut self, mut keep: impl FnMut(Sender, u64) -> bool) {
        let (mut bytes, mut pieces) = (0, HashMap::<Sender, usize>::new());
        let mut weigh = |from: Sender, since_ms: u64, len: usize| {
            let kept = keep(from, since_ms);
            if kept {
                bytes += len + PIECE_BYTES;
                *pieces.entry(from).or_default() += 1;
            }
            kept
        };
        self.structs.retain(|_, of_client| {
            of_client.retain(|_, held| weigh(held.from, held.since_ms, held.bytes.len()));
            !of_client.is_empty()
        });
        self.deletes.retain(|_, of_client| {
            of_client.retain(|_, held| weigh(held.from, held.since_ms, 0));
            !of_client.is_empty()
        });
        (self.bytes, self.pieces) = (bytes, pieces);
        let structs = &self.structs;
        self.waiting.retain(|_, waiters| {
            waiters.retain(|(_, waiter)| structs.contains_key(waiter));
            !waiters.is_empty()
        });
    }

    fn count(&mut self, from: Sender, len: usize) {
        self.bytes += len + PIECE_BYTES;
        *self.pieces.entry(from).or_default() += 1;
    }

    fn discount(&mut self, from: Sender, len: usize) {
        self.bytes -= len + PIECE_BYTES;
        if let Some(pieces) = self.pieces.get_mut(&from) {
            *pieces -= 1;
            if *pieces == 0 {
                self.pieces.remove(&from);
            }
        }
    }
}
