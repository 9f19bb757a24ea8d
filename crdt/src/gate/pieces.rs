//! The pieces that wait, and the books about them: what they weigh and who sent them.

use std::collections::{BTreeMap, HashMap};

use smallvec::{SmallVec, smallvec};
use synapti_protocol::update::{Section, Struct, Structs};

/// Whose update something came with: the session's number, zero for the store, or another node's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender(pub u64);

/// No session has a number this large.
const PEER: u64 = 1 << 63;

impl Sender {
    /// Another node that has the same map.
    pub const fn peer(node: u64) -> Self {
        Self(node | PEER)
    }

    /// The number of the node, if it is one.
    pub const fn as_peer(self) -> Option<u64> {
        if self.0 & PEER == 0 { None } else { Some(self.0 & !PEER) }
    }

    /// Whether it is the store, which could not send it again.
    pub(super) fn is_store(self) -> bool {
        self == Self::default()
    }

    /// Whether its word counts whatever the limits say: what it brings has passed a gate.
    pub(super) fn is_trusted(self) -> bool {
        self.is_store() || self.as_peer().is_some()
    }
}

/// Somebody sent it, and is owed word when it is dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) from: Sender,
    pub(super) since_ms: u64,
}

/// Structs that follow on each other, or a range of deletes, which has no bytes.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) len: u32,
    pub(super) struct_count: u32,
    pub(super) bytes: Box<[u8]>,
    /// Everybody who sent it, at most once each.
    pub(super) claims: SmallVec<[Claim; 1]>,
}

/// By client and first clock.
pub(super) type Pieces = HashMap<u64, BTreeMap<u32, Held>>;

/// What one held piece costs besides its own bytes: map entries, its first claim.
const PIECE_BYTES: usize = 96;
/// What each further claim costs.
const CLAIM_BYTES: usize = 32;

/// Bytes of structs in one piece at most, unless a single one is larger. One by one they would cost far more than they
/// weigh; in a long piece those that wait for others would be read again and again.
const RUN_BYTES_MAX: usize = 1 << 10;

impl Held {
    pub(super) fn deletion(len: u32, claim: Claim) -> Self {
        Self { len, struct_count: 0, bytes: Box::default(), claims: smallvec![claim] }
    }

    /// The structs of a piece that was found at these places.
    pub(super) fn structs(&self, client: u64, clock: u32) -> Structs<'_> {
        let end = clock + self.len;
        Section { client, clock, end, struct_count: self.struct_count, bytes: &self.bytes }.structs()
    }

    fn weight(&self) -> usize {
        self.bytes.len() + PIECE_BYTES + (self.claims.len() - 1) * CLAIM_BYTES
    }
}

/// Structs on their way into a piece.
#[derive(Debug)]
pub(super) struct Run {
    client: u64,
    clock: u32,
    end: u32,
    struct_count: u32,
    bytes: Vec<u8>,
}

impl Run {
    /// Joins structs, each with its client, to runs of those that follow on each other.
    pub(super) fn join<'a>(structs: impl Iterator<Item = (u64, Struct<'a>)>) -> impl Iterator<Item = Self> {
        let mut structs = structs.peekable();
        std::iter::from_fn(move || {
            let (client, first) = structs.next()?;
            let mut run = Self { client, clock: first.clock, end: first.clock, struct_count: 0, bytes: Vec::new() };
            run.push(&first);
            while let Some((_, next)) = structs.next_if(|(client, next)| run.takes(*client, next)) {
                run.push(&next);
            }
            Some(run)
        })
    }

    /// As a piece, and where it belongs.
    pub(super) fn hold(self, claim: Claim) -> ((u64, u32), Held) {
        let Self { client, clock, end, struct_count, bytes } = self;
        let held = Held { len: end - clock, struct_count, bytes: bytes.into(), claims: smallvec![claim] };
        ((client, clock), held)
    }

    fn takes(&self, client: u64, next: &Struct<'_>) -> bool {
        client == self.client && next.clock == self.end && self.bytes.len() + next.bytes.len() <= RUN_BYTES_MAX
    }

    fn push(&mut self, item: &Struct<'_>) {
        self.end = item.end();
        self.struct_count += 1;
        self.bytes.extend_from_slice(item.bytes);
    }
}

/// What one sender has a claim on. What several have sent weighs on each.
#[derive(Debug, Default)]
struct Account {
    pieces: usize,
    bytes: usize,
}

/// What all pieces weigh together, and whose they are.
#[derive(Debug, Default)]
pub(super) struct Books {
    accounts: HashMap<Sender, Account>,
    bytes: usize,
}

impl Books {
    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn claims_of(&self, from: Sender) -> usize {
        self.accounts.get(&from).map_or(0, |account| account.pieces)
    }

    /// Who has most waiting, besides the store, which could not send it again.
    pub(super) fn heaviest(&self) -> Option<Sender> {
        let senders = self.accounts.iter().filter(|(from, _)| !from.is_store());
        senders.max_by_key(|(from, account)| (account.bytes, **from)).map(|(&from, _)| from)
    }

    /// Adds a piece. Of two that begin at one clock the longer stays, for all who sent either: it says all that the other
    /// says.
    pub(super) fn insert(&mut self, pieces: &mut Pieces, (client, clock): (u64, u32), mut held: Held) {
        let of_client = pieces.entry(client).or_default();
        if let Some(known) = of_client.remove(&clock) {
            self.discount(&known);
            let claims = merged_claims(&known.claims, &held.claims);
            if known.len >= held.len {
                held = known;
            }
            held.claims = claims;
        }
        self.count(&held);
        of_client.insert(clock, held);
    }

    pub(super) fn count(&mut self, held: &Held) {
        let weight = held.weight();
        self.bytes += weight;
        for claim in &held.claims {
            let account = self.accounts.entry(claim.from).or_default();
            account.pieces += 1;
            account.bytes += weight;
        }
    }

    pub(super) fn discount(&mut self, held: &Held) {
        let weight = held.weight();
        self.bytes -= weight;
        for claim in &held.claims {
            if let Some(account) = self.accounts.get_mut(&claim.from) {
                account.pieces -= 1;
                account.bytes -= weight;
                if account.pieces == 0 {
                    self.accounts.remove(&claim.from);
                }
            }
        }
    }
}

fn merged_claims(known: &[Claim], new: &[Claim]) -> SmallVec<[Claim; 1]> {
    let is_new = |claim: &&Claim| known.iter().all(|other| other.from != claim.from);
    known.iter().chain(new.iter().filter(is_new)).copied().collect()
}
