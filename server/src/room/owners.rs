//! Whose client ids are whose.
//!
//! Whoever writes under somebody else's client id takes the next clocks away from that person, whose own edits every other
//! replica then drops as known. So an id belongs to the principal whose session first announced it as its own, and what
//! others bring under it is left out. The owner is asked for it; whoever brought it is asked again once the owner has
//! brought it, or has been forgotten.

use std::collections::{BTreeSet, HashMap};

use synapti_crdt::{LeftOut, Sender};

use super::{Principal, SessionId, presence::PRESENCE_STATES_MAX};

/// How long an id still belongs to an owner who has left: a client that has lost its network comes back with it.
const OWNED_AFTER_LEAVING_MS: u64 = 600_000;

/// Ids that belong to somebody at most; those who left first lose theirs first.
const IDS_MAX: usize = 2 * PRESENCE_STATES_MAX;

/// Sessions that have left and whose edits may still be in the lane, at most; and how long they are remembered.
const DEPARTED_MAX: usize = 4_096;
const DEPARTED_KEPT_MS: u64 = 600_000;

/// Sessions that are remembered to have brought something of one owner.
const RELAYERS_MAX: usize = 16;

/// How long acknowledgements wait for an owner who was asked, and for one who is away.
const WAITS_FOR_PRESENT_MS: u64 = 10_000;
const WAITS_FOR_ABSENT_MS: u64 = 60_000;

/// Time between two questions to an owner.
const ASK_AGAIN_AFTER_MS: u64 = 5_000;

/// The owners of a room's client ids.
#[derive(Debug, Default)]
pub struct Owners {
    ids: HashMap<u64, Owner>,
    /// Only of ids that belong to somebody.
    left_out: HashMap<u64, Missing>,
    departed: HashMap<SessionId, Departed>,
}

#[derive(Debug)]
struct Owner {
    principal: Principal,
    /// Since when nobody shows it.
    gone_ms: Option<u64>,
}

#[derive(Debug)]
struct Departed {
    principal: Principal,
    at_ms: u64,
}

/// What is left out of one client's edits.
#[derive(Debug)]
struct Missing {
    end: u32,
    since_ms: u64,
    asked_ms: Option<u64>,
    /// Those who brought it are not kept waiting any longer.
    is_given_up: bool,
    relayers: BTreeSet<SessionId>,
}

impl Owners {
    /// Whether a principal may announce a client id, and write under it.
    pub fn may_use(&self, principal: Principal, client: u64) -> bool {
        self.ids.get(&client).is_none_or(|owner| owner.principal == principal)
    }

    /// Whose a client id is.
    pub fn principal_of(&self, client: u64) -> Option<Principal> {
        self.ids.get(&client).map(|owner| owner.principal)
    }

    /// A principal shows a client id as its own. True when it has come to belong to it by that.
    pub fn claim(&mut self, client: u64, principal: Principal) -> bool {
        if let Some(owner) = self.ids.get_mut(&client) {
            owner.gone_ms = None;
            return false;
        }
        if self.ids.len() >= IDS_MAX {
            self.forget_oldest();
        }
        self.ids.insert(client, Owner { principal, gone_ms: None });
        true
    }

    /// Who a session was that has left: its last edits may come after it.
    pub fn principal_of_departed(&self, session: SessionId) -> Principal {
        self.departed.get(&session).map(|departed| departed.principal).unwrap_or_default()
    }

    /// A session leaves.
    pub fn leave(&mut self, session: SessionId, principal: Principal, now_ms: u64) {
        for missing in self.left_out.values_mut() {
            missing.relayers.remove(&session);
        }
        // Whoever is not remembered is taken for everybody.
        if principal == Principal::default() {
            return;
        }
        if self.departed.len() >= DEPARTED_MAX
            && let Some(oldest) = self.departed.iter().min_by_key(|(_, departed)| departed.at_ms).map(|(&id, _)| id)
        {
            self.departed.remove(&oldest);
        }
        self.departed.insert(session, Departed { principal, at_ms: now_ms });
    }

    /// Something of a client was left out.
    pub fn note(&mut self, lost: LeftOut, now_ms: u64) {
        let LeftOut { from: Sender(session), client, end } = lost;
        if !self.ids.contains_key(&client) {
            return;
        }
        let new = Missing { end, since_ms: now_ms, asked_ms: None, is_given_up: false, relayers: BTreeSet::new() };
        let missing = self.left_out.entry(client).or_insert(new);
        if end > missing.end {
            (missing.end, missing.since_ms, missing.is_given_up) = (end, now_ms, false);
        }
        if missing.relayers.len() < RELAYERS_MAX {
            missing.relayers.insert(SessionId(session));
        }
    }

    /// Whether a session's acknowledgements wait: something that it sent is not in the map, and unless its owner brings it
    /// never will be. Nobody may be told that it is on disk.
    pub fn is_waiting(&self, session: SessionId) -> bool {
        self.left_out.values().any(|missing| missing.relayers.contains(&session))
    }

    /// Clients whose owners are to be asked now, each with the owner; `is_here` says whether there is somebody to ask.
    pub fn due_questions(&mut self, now_ms: u64, is_here: impl Fn(u64, Principal) -> bool) -> Vec<(u64, Principal)> {
        let mut due = Vec::new();
        for (&client, missing) in &mut self.left_out {
            let Some(owner) = self.ids.get(&client) else { continue };
            let is_due = missing.asked_ms.is_none_or(|asked_ms| now_ms >= asked_ms + ASK_AGAIN_AFTER_MS);
            if is_due && !missing.is_given_up && is_here(client, owner.principal) {
                missing.asked_ms = Some(now_ms);
                due.push((client, owner.principal));
            }
        }
        due.sort_unstable();
        due
    }

    /// Forgets what has been brought meanwhile, as `clock` says; answers who is to be asked for the rest of what they had.
    pub fn settle(&mut self, clock: impl Fn(u64) -> u32) -> BTreeSet<SessionId> {
        let mut to_ask = BTreeSet::new();
        self.left_out.retain(|&client, missing| {
            let is_missing = clock(client) < missing.end;
            if !is_missing {
                to_ask.append(&mut missing.relayers);
            }
            is_missing
        });
        to_ask
    }

    /// Time has passed. `is_shown` says whether somebody shows a client id. Answers who brought something of an owner that
    /// is forgotten now: they may bring it again.
    pub fn tick(&mut self, now_ms: u64, is_shown: impl Fn(u64) -> bool) -> BTreeSet<SessionId> {
        self.departed.retain(|_, departed| departed.at_ms + DEPARTED_KEPT_MS > now_ms);
        for (&client, owner) in &mut self.ids {
            owner.gone_ms = if is_shown(client) { None } else { owner.gone_ms.or(Some(now_ms)) };
        }
        for missing in self.left_out.values_mut() {
            let waited_ms = now_ms.saturating_sub(missing.since_ms);
            let within = if missing.asked_ms.is_some() { WAITS_FOR_PRESENT_MS } else { WAITS_FOR_ABSENT_MS };
            missing.is_given_up |= waited_ms >= within;
        }
        self.ids.retain(|_, owner| owner.gone_ms.is_none_or(|gone_ms| gone_ms + OWNED_AFTER_LEAVING_MS > now_ms));
        let mut to_ask = BTreeSet::new();
        self.left_out.retain(|client, missing| {
            let is_owned = self.ids.contains_key(client);
            if !is_owned {
                to_ask.append(&mut missing.relayers);
            }
            is_owned
        });
        to_ask
    }

    /// Whether nothing is left out.
    pub fn is_settled(&self) -> bool {
        self.left_out.is_empty()
    }

    fn forget_oldest(&mut self) {
        let gone = |owner: &Owner| owner.gone_ms.unwrap_or(u64::MAX);
        if let Some(oldest) = self.ids.iter().min_by_key(|(_, owner)| gone(owner)).map(|(&client, _)| client) {
            self.ids.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Principal = Principal(1);
    const BOB: Principal = Principal(2);

    #[test]
    fn an_id_stays_with_its_owner_for_ten_minutes_after_it_was_last_shown() {
        let mut owners = Owners::default();
        assert!(owners.may_use(BOB, 10) && owners.claim(10, ANN) && !owners.claim(10, ANN));
        owners.tick(5_000, |_| true);
        assert!(owners.may_use(ANN, 10) && !owners.may_use(BOB, 10));
        owners.tick(10_000, |_| false);
        owners.tick(10_000 + OWNED_AFTER_LEAVING_MS - 1, |_| false);
        assert!(!owners.may_use(BOB, 10));
        owners.tick(10_000 + OWNED_AFTER_LEAVING_MS, |_| false);
        assert!(owners.may_use(BOB, 10));
    }

    #[test]
    fn so_many_ids_are_owned_at_most_and_who_left_first_loses_first() {
        let mut owners = Owners::default();
        for client in 0..IDS_MAX as u64 {
            owners.claim(client, ANN);
        }
        owners.tick(1, |client| client != 7);
        owners.tick(2, |client| client != 7 && client != 3);
        owners.claim(1_000_000, BOB);
        assert!(owners.may_use(BOB, 7) && !owners.may_use(BOB, 3));
        owners.claim(1_000_001, BOB);
        assert!(owners.may_use(BOB, 3) && owners.ids.len() == IDS_MAX);
    }

    #[test]
    fn who_leaves_is_remembered_for_the_edits_that_come_after_within_bounds() {
        let mut owners = Owners::default();
        for session in 0..=DEPARTED_MAX as u64 {
            owners.leave(SessionId(session), ANN, session);
        }
        owners.leave(SessionId(1_000_000), Principal::default(), 9_999);
        assert_eq!(owners.departed.len(), DEPARTED_MAX);
        assert_eq!(owners.principal_of_departed(SessionId(0)), Principal::default());
        assert_eq!(owners.principal_of_departed(SessionId(1)), ANN);
        owners.tick(DEPARTED_KEPT_MS * 2, |_| false);
        assert!(owners.departed.is_empty());
    }
}
