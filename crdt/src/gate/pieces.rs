//! The pieces that wait, and the books about them: what they weigh and who sent them.

use std::collections::{BTreeMap, HashMap};

use smallvec::{SmallVec, smallvec};
use synapti_protocol::update::{Id, Struct};

/// Whose update something came with: the session's number, or zero for the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender(pub u64);

/// Somebody sent it, and is owed word when it is dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) from: Sender,
    pub(super) since_ms: u64,
}

/// A struct, or a range of deletes, which has neither bytes nor dependencies.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) len: u32,
    pub(super) bytes: Box<[u8]>,
    pub(super) deps: SmallVec<[Id; 2]>,
    /// Everybody who sent it, at most once each.
    pub(super) claims: SmallVec<[Claim; 1]>,
}

/// By client and first clock.
pub(super) type Pieces = HashMap<u64, BTreeMap<u32, Held>>;

/// What one held piece costs besides its own bytes: map entries, dependencies, its first claim.
const PIECE_BYTES: usize = 128;
/// What each further claim costs.
const CLAIM_BYTES: usize = 32;

impl Held {
    pub(super) fn structure(item: &Struct<'_>, claim: Claim) -> Self {
        Self { len: item.len, bytes: item.bytes.into(), deps: item.dependencies().collect(), claims: smallvec![claim] }
    }

    pub(super) fn deletion(len: u32, claim: Claim) -> Self {
        Self { len, bytes: Box::default(), deps: SmallVec::new(), claims: smallvec![claim] }
    }

    fn weight(&self) -> usize {
        self.bytes.len() + PIECE_BYTES + (self.claims.len() - 1) * CLAIM_BYTES
    }
}

/// What all pieces weigh together, and how many each sender has a claim on.
#[derive(Debug, Default)]
pub(super) struct Books {
    claims: HashMap<Sender, usize>,
    bytes: usize,
}

impl Books {
    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn claims_of(&self, from: Sender) -> usize {
        self.claims.get(&from).copied().unwrap_or(0)
    }

    /// Adds a piece; false, and nothing changes, when all would weigh more than `bytes_max` then. Of two that begin at
    /// one clock the longer stays, for all who sent either: it says all that the other says.
    pub(super) fn insert(
        &mut self,
        pieces: &mut Pieces,
        (client, clock): (u64, u32),
        mut held: Held,
        bytes_max: usize,
    ) -> bool {
        let known = pieces.get_mut(&client).and_then(|of_client| of_client.get_mut(&clock));
        let weight_before = known.as_ref().map_or(0, |known| known.weight());
        if let Some(known) = &known {
            held.claims = merged_claims(&known.claims, &held.claims);
            if known.len >= held.len {
                (held.len, held.bytes, held.deps) = (known.len, known.bytes.clone(), known.deps.clone());
            }
        }
        if self.bytes - weight_before + held.weight() > bytes_max {
            return false;
        }
        self.count(&held);
        match known {
            Some(known) => self.discount(&std::mem::replace(known, held)),
            None => {
                pieces.entry(client).or_default().insert(clock, held);
            }
        }
        true
    }

    pub(super) fn count(&mut self, held: &Held) {
        self.bytes += held.weight();
        for claim in &held.claims {
            *self.claims.entry(claim.from).or_default() += 1;
        }
    }

    pub(super) fn discount(&mut self, held: &Held) {
        self.bytes -= held.weight();
        for claim in &held.claims {
            if let Some(count) = self.claims.get_mut(&claim.from) {
                *count -= 1;
                if *count == 0 {
                    self.claims.remove(&claim.from);
                }
            }
        }
    }
}

fn merged_claims(known: &[Claim], new: &[Claim]) -> SmallVec<[Claim; 1]> {
    let is_new = |claim: &&Claim| known.iter().all(|other| other.from != claim.from);
    known.iter().chain(new.iter().filter(is_new)).copied().collect()
}
