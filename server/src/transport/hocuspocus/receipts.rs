//! When the provider is told that its edits are on disk.
//!
//! The provider has one number, `unsyncedChanges`. It becomes 1 when the provider sends `SyncStep1`, grows by one with each
//! `Update` that it sends then, and falls by one with each sync status 1; at 0 the provider says that everything is saved. It never falls
//! below 0, so what is said too often hides an edit that is on its way, and what is said too seldom is never made up for.
//!
//! So a status is owed for each `Update` after `SyncStep1`, and one for the provider's answer to the question that follows,
//! but not for answers to later questions, nor for updates that were made before `SyncStep1` and only sent
//! after it: those that the provider queued while it was offline. They show by elements that its `SyncStep1` names already. Where there are
//! no elements, in a deletion for instance, it cannot be told; those are answered when all is saved and the provider
//! has been quiet for a moment, since then its number has to be 0.

use std::{collections::VecDeque, time::Duration};

use synapti_protocol::update::{self, UpdateView};
use tokio::time::Instant;

/// Clients of a state vector that are kept until the first question is answered.
const CLOCKS_MAX: usize = 1 << 16;

/// For how long nothing was edited when doubtful edits are answered.
pub(super) const QUIET_FOR: Duration = Duration::from_secs(1);

/// What one session with a document is owed.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// Edits that are not on disk, in the order in which they came, in runs.
    edits: VecDeque<(Owed, u64)>,
    phase: Phase,
    /// On disk, and to be said in a quiet moment.
    late: u64,
    /// Refused since `SyncStep1`.
    refused: u64,
    edited_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    /// A status once it is on disk.
    AtOnce,
    /// The same, in a quiet moment.
    Late,
    /// Nothing.
    Nothing,
}

#[derive(Debug, Default)]
enum Phase {
    /// The provider has not sent `SyncStep1`.
    #[default]
    Before,
    /// It has, and has not answered the question that follows.
    Asking { clocks: Option<Clocks>, owed: Owed },
    /// It has answered.
    After,
}

impl Receipts {
    /// The provider has sent `SyncStep1`, and counts from 1.
    pub(super) fn asked(&mut self, state_vector: &[u8]) {
        let edits = self.edits.drain(..).map(|(_, count)| count).sum();
        if edits > 0 {
            self.edits.push_back((Owed::Nothing, edits));
        }
        (self.late, self.refused) = (0, 0);
        self.phase = Phase::Asking { clocks: Clocks::of(state_vector), owed: Owed::AtOnce };
    }

    /// So many updates came after `SyncStep1` and were dropped; the provider's answer brings them.
    pub(super) fn dropped(&mut self, updates: u64) {
        self.late += updates;
    }

    /// An `Update` was handed to the room.
    pub(super) fn update(&mut self, update: &[u8]) {
        let owed = match &self.phase {
            Phase::Before => Owed::Late,
            Phase::Asking { clocks, .. } => owed_while_asking(clocks.as_ref(), update),
            Phase::After => Owed::AtOnce,
        };
        self.push(owed);
    }

    /// An answer to a question (`SyncStep2`) was handed to the room.
    pub(super) fn answer(&mut self) {
        let owed = match self.phase {
            Phase::Asking { owed, .. } => {
                self.phase = Phase::After;
                owed
            }
            Phase::Before | Phase::After => Owed::Nothing,
        };
        self.push(owed);
    }

    /// The newest edit was refused.
    pub(super) fn refuse(&mut self) {
        let Some((owed, count)) = self.edits.back_mut() else { return };
        self.refused += u64::from(*owed != Owed::Nothing);
        *count -= 1;
        if *count == 0 {
            self.edits.pop_back();
        }
    }

    /// So many more are on disk; returns how many statuses to send.
    pub(super) fn durable(&mut self, mut edits: u64) -> u64 {
        let mut now = 0;
        while edits > 0 {
            let Some((owed, count)) = self.edits.front_mut() else { break };
            let taken = edits.min(*count);
            match owed {
                Owed::AtOnce => now += taken,
                Owed::Late => self.late += taken,
                Owed::Nothing => {}
            }
            *count -= taken;
            edits -= taken;
            if *count == 0 {
                self.edits.pop_front();
            }
        }
        now
    }

    /// Whether something waits for a quiet moment.
    pub(super) fn has_late(&self) -> bool {
        self.late > 0
    }

    /// What to send, if this is a quiet moment.
    pub(super) fn take_late(&mut self) -> u64 {
        let is_quiet = self.edited_at.is_none_or(|at| at.elapsed() >= QUIET_FOR);
        let is_settled = self.edits.is_empty() && !matches!(self.phase, Phase::Asking { .. });
        if is_quiet && is_settled { std::mem::take(&mut self.late) } else { 0 }
    }

    /// The document is joined anew, as somebody else or with another role, and the provider is asked again: its answer brings
    /// whatever has not been saved, or was refused.
    pub(super) fn start_over(&mut self) {
        let edits: u64 = self.edits.drain(..).map(|(owed, count)| if owed == Owed::Nothing { 0 } else { count }).sum();
        self.late += edits + std::mem::take(&mut self.refused);
        let owed = match self.phase {
            Phase::Asking { owed, .. } => owed,
            Phase::Before | Phase::After => Owed::Nothing,
        };
        self.phase = Phase::Asking { clocks: None, owed };
    }

    fn push(&mut self, owed: Owed) {
        self.edited_at = Some(Instant::now());
        match self.edits.back_mut() {
            Some((last, count)) if *last == owed => *count += 1,
            _ => self.edits.push_back((owed, 1)),
        }
    }
}

fn owed_while_asking(clocks: Option<&Clocks>, update: &[u8]) -> Owed {
    let (Some(clocks), Ok(update)) = (clocks, update::scan(update)) else { return Owed::Late };
    match update.struct_count() {
        0 => Owed::Late,
        _ if clocks.know_some_of(&update) => Owed::Nothing,
        _ => Owed::AtOnce,
    }
}

/// The state vector of a `SyncStep1`, by client.
#[derive(Debug)]
struct Clocks(Vec<(u64, u32)>);

impl Clocks {
    fn of(state_vector: &[u8]) -> Option<Self> {
        let view = update::scan_state_vector(state_vector).ok().filter(|view| view.len() <= CLOCKS_MAX)?;
        let mut clocks: Vec<_> = view.iter().collect();
        clocks.sort_unstable();
        Some(Self(clocks))
    }

    fn know_some_of(&self, update: &UpdateView<'_>) -> bool {
        update.sections().any(|section| {
            let at = self.0.binary_search_by_key(&section.client, |(client, _)| *client);
            at.is_ok_and(|at| self.0[at].1 > section.clock)
        })
    }
}

#[cfg(test)]
mod tests {
    use synapti_protocol::update::{EMPTY_UPDATE, encode_state_vector};

    use super::*;

    /// One item of client 1 at `clock`: a deleted text of one character in the root `t`.
    fn edit(clock: u8) -> [u8; 10] {
        [1, 1, 1, clock, 1, 1, 1, b't', 1, 0]
    }

    /// Deletes the first element of client 1.
    const DELETION: &[u8] = &[0, 1, 1, 1, 0, 1];

    /// Receipts of a provider that has asked and knows `clock` elements of client 1.
    fn asked(clock: u32) -> Receipts {
        let mut receipts = Receipts::default();
        receipts.asked(&encode_state_vector(&[(7, 9), (1, clock)]));
        receipts
    }

    async fn quiet() {
        tokio::time::advance(QUIET_FOR).await;
    }

    #[tokio::test(start_paused = true)]
    async fn each_update_and_the_first_answer_are_said_once_and_later_answers_never() {
        let mut receipts = asked(0);
        receipts.update(&edit(0));
        receipts.answer();
        receipts.update(&edit(1));
        assert_eq!(receipts.durable(1), 1);
        assert_eq!(receipts.durable(2), 2);
        receipts.answer();
        receipts.update(DELETION);
        assert_eq!((receipts.durable(1), receipts.durable(1)), (0, 1));
        quiet().await;
        assert_eq!((receipts.take_late(), receipts.durable(5)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_queued_while_offline_was_not_counted_and_is_not_said() {
        let mut receipts = asked(2);
        receipts.update(&edit(0));
        receipts.update(&edit(1));
        receipts.update(&edit(2));
        receipts.answer();
        assert_eq!(receipts.durable(2), 0);
        assert_eq!(receipts.durable(2), 2, "the edit that was made since, and the answer");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_told_is_said_when_all_is_saved_and_quiet() {
        let mut receipts = asked(2);
        receipts.update(DELETION);
        assert_eq!(receipts.durable(1), 0);
        quiet().await;
        assert_eq!(receipts.take_late(), 0, "the answer has not come");
        receipts.answer();
        quiet().await;
        assert_eq!(receipts.take_late(), 0, "the answer is not saved");
        assert_eq!(receipts.durable(1), 1);
        receipts.update(&edit(2));
        assert_eq!(receipts.durable(1), 1);
        assert_eq!(receipts.take_late(), 0, "an edit has just come");
        quiet().await;
        assert_eq!((receipts.take_late(), receipts.take_late()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_again_counts_again() {
        let mut receipts = asked(0);
        receipts.answer();
        assert_eq!(receipts.durable(1), 1);
        receipts.update(&edit(0));
        receipts.update(DELETION);
        receipts.asked(&encode_state_vector(&[(1, 1)]));
        receipts.update(&edit(1));
        receipts.answer();
        assert_eq!((receipts.durable(2), receipts.durable(2)), (0, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn refused_edits_are_not_said_before_the_client_may_edit() {
        let mut receipts = asked(0);
        receipts.answer();
        receipts.update(&edit(0));
        receipts.refuse();
        assert_eq!(receipts.durable(1), 1);
        receipts.start_over();
        quiet().await;
        assert_eq!(receipts.take_late(), 0);
        receipts.answer();
        assert_eq!(receipts.durable(1), 0);
        quiet().await;
        assert_eq!(receipts.take_late(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_asks_is_told_as_well() {
        let mut receipts = Receipts::default();
        receipts.update(&EMPTY_UPDATE);
        assert_eq!(receipts.durable(1), 0);
        quiet().await;
        assert_eq!(receipts.take_late(), 1);
        let mut receipts = asked(0);
        receipts.dropped(3);
        receipts.answer();
        assert_eq!(receipts.durable(1), 1);
        quiet().await;
        assert!(receipts.has_late());
        assert_eq!(receipts.take_late(), 3);
    }
}
