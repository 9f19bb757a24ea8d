//! What edits cost: a session whose edits take too long to integrate is sent away, because everybody in the room waits for them.

use std::{collections::HashMap, time::Duration};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

use super::TICK_EVERY;
use crate::room::{Principal, SessionId, batch::Edit};

/// Time that a session's edits may take beside [`SHARE`] of all time.
const COST_MAX: Duration = Duration::from_secs(5);

/// The part of all time that a session's edits may take.
const SHARE: f64 = 0.2;

/// With so many bytes, of the batch or of the map, integrating may take long: even a small edit may have to be placed among
/// very many others. The other tasks of this thread go on elsewhere meanwhile.
const LONG_FROM_BYTES: usize = 32 << 10;

/// Time that everybody's edits have taken lately.
#[derive(Debug, Default)]
pub(super) struct Costs(HashMap<Payer, Duration>);

/// Whose time it is: that of a user in all of their sessions, one after the other too; people without a name are not told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Payer {
    User(Principal),
    Session(SessionId),
}

impl Payer {
    fn of(session: SessionId, principal: Principal) -> Self {
        if principal == Principal::default() { Self::Session(session) } else { Self::User(principal) }
    }
}

impl Costs {
    /// Shares the cost of a batch among its edits, by their size; answers who has come to cost too much.
    pub(super) fn note(
        &mut self,
        edits: &[Edit],
        took: Duration,
        principal_of: impl Fn(SessionId) -> Principal,
    ) -> Vec<SessionId> {
        let all: usize = edits.iter().map(Edit::bytes).sum();
        let mut over = Vec::new();
        for edit in edits {
            let Edit::Update { session, .. } = edit else { continue };
            let cost = self.0.entry(Payer::of(*session, principal_of(*session))).or_default();
            let was_over = *cost > COST_MAX;
            *cost += took.mul_f64(edit.bytes() as f64 / all.max(1) as f64);
            if *cost > COST_MAX && !was_over {
                over.push(*session);
            }
        }
        over
    }

    /// Whether somebody has cost too much, so that nothing more of them is taken.
    pub(super) fn is_over(&self, session: SessionId, principal: Principal) -> bool {
        self.0.get(&Payer::of(session, principal)).is_some_and(|cost| *cost > COST_MAX)
    }

    /// Some time has passed.
    pub(super) fn tick(&mut self) {
        self.0.retain(|payer, cost| {
            // A session that has cost too much goes; a user comes back.
            if *cost <= COST_MAX || matches!(payer, Payer::User(_)) {
                *cost = cost.saturating_sub(TICK_EVERY.mul_f64(SHARE));
            }
            !cost.is_zero()
        });
    }

    pub(super) fn forget(&mut self, session: SessionId) {
        self.0.remove(&Payer::Session(session));
    }
}

/// Does what may take long without keeping this thread's other tasks waiting.
pub(super) fn perhaps_long<T>(map_bytes: usize, edits: &[Edit], work: impl FnOnce() -> T) -> T {
    perhaps_long_for(map_bytes + edits.iter().map(Edit::bytes).sum::<usize>(), work)
}

/// As [`perhaps_long`], for so many bytes of map and edits.
pub(super) fn perhaps_long_for<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes >= LONG_FROM_BYTES && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        block_in_place(work)
    } else {
        work()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn nobody(_: SessionId) -> Principal {
        Principal::default()
    }

    fn edit(session: u64, bytes: usize) -> Edit {
        Edit::Update { session: SessionId(session), update: Bytes::from(vec![0; bytes]) }
    }

    #[test]
    fn who_costs_too_much_is_told_once_and_who_shared_a_batch_is_not() {
        let mut costs = Costs::default();
        let batch = [edit(1, 9_900), edit(2, 100)];
        let took = Duration::from_secs(4);
        let is_over = |costs: &Costs, session| costs.is_over(SessionId(session), Principal::default());
        assert!(costs.note(&batch, took, nobody).is_empty());
        assert_eq!(costs.note(&batch, took, nobody), [SessionId(1)]);
        assert!(costs.note(&batch, took, nobody).is_empty());
        assert!(is_over(&costs, 1) && !is_over(&costs, 2));
        costs.tick();
        assert!(is_over(&costs, 1), "until it has gone");
        costs.forget(SessionId(1));
        costs.tick();
        assert!(costs.0.is_empty());
    }

    #[test]
    fn a_user_pays_for_all_of_their_sessions_and_is_welcome_again_later() {
        let mut costs = Costs::default();
        let ann = Principal(5);
        assert!(costs.note(&[edit(1, 100)], Duration::from_secs(3), |_| ann).is_empty());
        costs.forget(SessionId(1));
        assert_eq!(costs.note(&[edit(2, 100)], Duration::from_secs(3), |_| ann), [SessionId(2)]);
        assert!(costs.is_over(SessionId(3), ann) && !costs.is_over(SessionId(3), Principal(6)));
        for _ in 0..(Duration::from_secs(6).as_secs_f64() / TICK_EVERY.mul_f64(SHARE).as_secs_f64()) as usize {
            costs.tick();
        }
        assert!(!costs.is_over(SessionId(3), ann));
    }

    #[test]
    fn what_takes_little_at_a_time_is_never_too_much() {
        let mut costs = Costs::default();
        for _ in 0..1_000 {
            assert!(costs.note(&[edit(1, 100)], TICK_EVERY.mul_f64(SHARE), nobody).is_empty());
            costs.tick();
        }
    }
}
