//! Edits on their way through the gate into the document.

use std::{
    borrow::Cow,
    cell::LazyCell,
    collections::{BTreeSet, HashSet},
    mem,
};

use synapti_protocol::{
    limits::{DOCUMENT_CLIENTS_MAX, SAME_PLACE_MAX, UPDATE_CLIENTS_MAX, UPDATE_PARTS_MAX},
    update::{self, Id, UpdateView},
};
use yrs::{
    ReadTxn, StateVector, TransactionMut, Update, WriteTxn as _, block::ClientID, error::UpdateError,
    updates::decoder::Decode as _,
};

use crate::{
    gate::{Admitted, Gate, LeftOut, MayWrite, Refused, Sender, is_contended},
    map::{
        Grown, IdRange, MapEdit, MapRoots, RunEdit, RunOutcome, Settled, Settlement, Verdict, apply_edit, grow, settle,
    },
    pairs::{self, Pairs},
    replica::{ApplyError, Op},
    restore::{Restorable, nodes_written_within},
    rewrite::{bury_misplaced, deleted},
    verbatim::Verbatim,
};

/// A list of edits that is being worked off, over more than one transaction if need be.
pub(crate) struct Work<'a> {
    /// Whether each edit is a transaction of its own.
    is_apart: bool,
    ops: std::vec::IntoIter<Op<'a>>,
    under_way: Option<UnderWay<'a>>,
    pub(crate) results: Vec<Result<(), ApplyError>>,
    /// What came of the edits of runs.
    pub(crate) outcomes: Vec<RunOutcome>,
    /// What became of earlier edits at the gate.
    pub(crate) refused: Vec<(Sender, ApplyError)>,
    pub(crate) left_out: Vec<LeftOut>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(ops: impl IntoIterator<Item = Op<'a>>) -> Self {
        let ops: Vec<_> = ops.into_iter().collect();
        let results = Vec::with_capacity(ops.len());
        Self {
            is_apart: false,
            results,
            outcomes: Vec::new(),
            ops: ops.into_iter(),
            under_way: None,
            refused: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// The same edits, but each in a transaction of its own.
    pub(crate) fn apart(self) -> Self {
        Self { is_apart: true, ..self }
    }

    /// The updates that are still to be integrated, as far as they read as such.
    pub(crate) fn updates_ahead(&self) -> impl Iterator<Item = UpdateView<'_>> + Clone {
        let under_way = self.under_way.iter().filter_map(|under_way| under_way.update.as_deref());
        let later = self.ops.as_slice().iter().filter_map(|op| match op {
            Op::Update { update, .. } => Some(*update),
            Op::Edit(_) | Op::Run(_) | Op::Restore(_) => None,
        });
        under_way.chain(later).filter_map(|update| update::scan(update).ok())
    }
}

/// What the gate has let in of one edit and is still to be integrated, and what became of the edit so far.
struct UnderWay<'a> {
    update: Option<Cow<'a, [u8]>>,
    is_released: bool,
    result: Result<(), ApplyError>,
}

impl<'a> UnderWay<'a> {
    fn new<'b>(admitted: Admitted<'b>, keep: impl Fn(Cow<'b, [u8]>) -> Cow<'a, [u8]>) -> Self {
        let Admitted { update, overflow, .. } = admitted;
        let result = if overflow { Err(ApplyError::AsideFull) } else { Ok(()) };
        Self { update: update.map(keep), is_released: false, result }
    }
}

/// Why a list of edits has to go on in another transaction.
pub(crate) enum Pause {
    /// The next update cuts pairs that have to be replaced in the document before.
    Cut(BTreeSet<Id>),
    /// Updates follow on the server's own edits, whose pairs are known only when they are encoded.
    Edited,
    /// The next edit has to be in a transaction of its own.
    Apart,
}

/// Edits under way on a [`Replica`](crate::Replica).
pub(crate) struct Transaction<'a> {
    txn: TransactionMut<'a>,
    gate: &'a mut Gate,
    pairs: &'a mut Pairs,
    verbatim: &'a mut Verbatim,
    roots: &'a MapRoots,
    verdicts: Verdicts<'a>,
    has_own_edits: bool,
}

/// Who may write what, and what became of what did not pass.
pub(crate) struct Verdicts<'a> {
    pub(crate) may_write: MayWrite<'a>,
    pub(crate) refused: &'a mut Vec<(Sender, ApplyError)>,
    pub(crate) left_out: &'a mut Vec<LeftOut>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(
        txn: TransactionMut<'a>,
        gate: &'a mut Gate,
        (pairs, verbatim): (&'a mut Pairs, &'a mut Verbatim),
        roots: &'a MapRoots,
        verdicts: Verdicts<'a>,
    ) -> Self {
        Self { txn, gate, pairs, verbatim, roots, verdicts, has_own_edits: false }
    }

    /// Performs edits until all are done, or until they have to go on in another transaction.
    pub(crate) fn perform(&mut self, work: &mut Work<'_>, now_ms: u64) -> Option<Pause> {
        loop {
            if let Some(under_way) = &mut work.under_way {
                if let Err(cut) = self.integrate_all(under_way) {
                    return Some(Pause::Cut(cut));
                }
                work.results.extend(work.under_way.take().map(|under_way| under_way.result));
                if work.is_apart {
                    return Some(Pause::Apart);
                }
            }
            match *work.ops.as_slice().first()? {
                Op::Update { .. } | Op::Restore(_) | Op::Run(RunEdit::Settle(_)) if self.has_own_edits => {
                    return Some(Pause::Edited);
                }
                Op::Update { update, from } => match self.admit(update, from, now_ms) {
                    Ok(under_way) => work.under_way = Some(under_way),
                    Err(error) => work.results.push(Err(error)),
                },
                Op::Edit(edit) => {
                    let edited = self.edit(edit);
                    work.results.push(edited);
                }
                Op::Run(edit) => {
                    let outcome = self.run(edit);
                    work.results.push(outcome.map(|outcome| work.outcomes.push(outcome)));
                }
                Op::Restore(older) => {
                    let restored = self.restore(older);
                    work.results.push(restored);
                }
            }
            work.ops.next();
        }
    }

    /// Ends the transaction; answers what it integrated, unless that is not `wanted`.
    pub(crate) fn commit(self, wanted: bool) -> Option<Vec<u8>> {
        let Self { mut txn, gate, pairs, has_own_edits, .. } = self;
        txn.commit();
        let store = ReadTxn::store(&txn);
        debug_assert!(
            store.pending_update().is_none() && store.pending_ds().is_none(),
            "the gate lets nothing wait here"
        );
        for (client, ranges) in txn.delete_set().iter() {
            for clocks in ranges.iter() {
                gate.note_deleted(client.get(), clocks.clone());
            }
        }
        let integrated = !txn.insert_set().is_empty() || !txn.delete_set().is_empty();
        let update = (integrated && (wanted || has_own_edits)).then(|| txn.encode_update_v1())?;
        if has_own_edits {
            let view = update::scan(&update).expect("the scanner reads what yrs writes");
            // Whatever came before in the same transaction has been noted, or cut.
            let own = txn.doc().client_id().get();
            pairs.note(&view, |client| if client == own { 0 } else { u32::MAX });
            gate.note_own(&view, own);
        }
        Some(update)
    }

    /// Takes from the gate what of `update` joins on to the document; the rest waits there.
    fn admit<'b>(&mut self, update: &'b [u8], from: Sender, now_ms: u64) -> Result<UnderWay<'b>, ApplyError> {
        let view = update::scan(update)?;
        if from != Sender::default() {
            check_counts(&view)?;
        }
        if view.needs_modernizing() {
            let modern = update::modernize(&view);
            let admitted = self.let_in(&update::scan(&modern)?, from, now_ms)?;
            return Ok(UnderWay::new(admitted, |update| Cow::Owned(update.into_owned())));
        }
        Ok(UnderWay::new(self.let_in(&view, from, now_ms)?, |update| update))
    }

    fn let_in<'b>(&mut self, update: &UpdateView<'b>, from: Sender, now_ms: u64) -> Result<Admitted<'b>, ApplyError> {
        let mut admitted = self.gate.admit(update, from, self.verdicts.may_write, now_ms)?;
        self.verdicts.refused.extend(admitted.evicted.iter().map(|&from| (from, ApplyError::AsideFull)));
        self.verdicts.left_out.append(&mut admitted.left_out);
        Ok(admitted)
    }

    /// Integrates what the gate let in, and then what waited for it. An error names pairs that must be replaced in the
    /// document first.
    fn integrate_all(&mut self, under_way: &mut UnderWay<'_>) -> Result<(), BTreeSet<Id>> {
        loop {
            let not_safe = self.gate.take_unsafe();
            if let Some(update) = under_way.update.as_mut().filter(|_| !not_safe.is_empty()) {
                let view = update::scan(update).expect("the gate has read it");
                *update = Cow::Owned(deleted(&view, &not_safe));
            }
            if let Some(update) = under_way.update.as_deref() {
                let view = update::scan(update).expect("the gate has read it");
                let replaced = self.replace_pairs(&view)?;
                self.keep_verbatim(&view);
                if let Err(error) = self.integrate(replaced.as_deref().unwrap_or(update)) {
                    // The gate took more for granted than the document could integrate.
                    let state = self.txn.state_vector();
                    self.gate.set_clocks(state.iter().map(|(client, &clock)| (client.get(), clock)));
                    under_way.result = Err(error);
                }
                under_way.update = None;
            }
            if mem::replace(&mut under_way.is_released, true) {
                return Ok(());
            }
            let released = self.gate.release();
            self.verdicts.refused.extend(released.refused.into_iter().map(|(from, why)| (from, why.into())));
            under_way.update = released.update.map(Cow::Owned);
        }
    }

    /// The update without those of its own pairs that are cut, if there are any. An error names the ones that it cuts
    /// in the document.
    fn replace_pairs(&mut self, update: &UpdateView<'_>) -> Result<Option<Vec<u8>>, BTreeSet<Id>> {
        if !self.pairs.concern(update) {
            return Ok(None);
        }
        let state = self.txn.state_vector();
        let known = |client| state.get(&ClientID::new(client));
        self.pairs.note(update, known);
        let cuts = self.pairs.cut_by(update, known);
        if !cuts.in_document.is_empty() {
            return Err(cuts.in_document);
        }
        self.pairs.forget(&cuts.own);
        Ok(pairs::replace(update, &cuts.own))
    }

    /// Keeps the values of the update that yrs would alter.
    fn keep_verbatim(&mut self, update: &UpdateView<'_>) {
        let state = LazyCell::new(|| self.txn.state_vector());
        self.verbatim.note(update, |client| state.get(&ClientID::new(client)));
    }

    fn integrate(&mut self, update: &[u8]) -> Result<(), ApplyError> {
        let integrated = match integrate(&mut self.txn, update) {
            Err(IntegrateError::Update(UpdateError::InvalidParent(..))) => {
                let view = update::scan(update)?;
                let buried = bury_misplaced(&view, &self.txn);
                integrate(&mut self.txn, &buried)
            }
            integrated => integrated,
        };
        // Whatever became of it, nothing may stay that would be integrated with somebody else's edits.
        let pending = self.txn.prune_pending();
        integrated.map_err(|error| ApplyError::Rejected(error.to_string()))?;
        // All that it refers to is there, or within it.
        if pending.is_some() { Err(ApplyError::Circular) } else { Ok(()) }
    }

    /// Edits the map as the server's own client.
    fn edit(&mut self, edit: &MapEdit) -> Result<(), ApplyError> {
        self.has_own_edits = true;
        let edited = apply_edit(&mut self.txn, self.roots, edit);
        let own = self.txn.doc().client_id();
        self.gate.advance(own.get(), ReadTxn::store(&self.txn).get_local_state());
        edited.map_err(ApplyError::Edit)
    }

    /// Edits the map for a run of the AI, as the server's own client.
    fn run(&mut self, edit: &RunEdit) -> Result<RunOutcome, ApplyError> {
        let client = self.txn.doc().client_id().get();
        let from = ReadTxn::store(&self.txn).get_local_state();
        let outcome = match edit {
            RunEdit::Grow(growth) => {
                self.has_own_edits = true;
                let fates = grow(&mut self.txn, self.roots, growth);
                let to = ReadTxn::store(&self.txn).get_local_state();
                RunOutcome::Grown(Grown { fates, wrote: IdRange { client, from, to } })
            }
            RunEdit::Settle(settlement) => {
                let untouched = self.untouched(settlement)?;
                self.has_own_edits = true;
                let wrote = self.known_of(&settlement.wrote);
                let settled = settle(&mut self.txn, self.roots, settlement, &untouched);
                RunOutcome::Settled(Settled { wrote, ..settled })
            }
        };
        self.gate.advance(client, ReadTxn::store(&self.txn).get_local_state());
        Ok(outcome)
    }

    /// Of ranges of elements those that the document has.
    fn known_of(&self, ranges: &[IdRange]) -> Vec<IdRange> {
        let state = self.txn.state_vector();
        let known = |range: &IdRange| IdRange { to: range.to.min(state.get(&ClientID::new(range.client))), ..*range };
        ranges.iter().map(known).filter(|range| !range.is_empty()).collect()
    }

    /// The nodes that show nothing but what a run has written, as far as that matters.
    fn untouched(&self, settlement: &Settlement) -> Result<HashSet<String>, ApplyError> {
        if settlement.what == Verdict::Accept {
            return Ok(HashSet::new());
        }
        nodes_written_within(&self.txn.encode_diff_v1(&StateVector::default()), &settlement.wrote)
    }

    /// Makes the document show what an older state shows, as the server's own client.
    fn restore(&mut self, older: &Restorable) -> Result<(), ApplyError> {
        let own = self.txn.doc().client_id();
        let next = Id { client: own.get(), clock: ReadTxn::store(&self.txn).get_local_state() };
        let live = self.verbatim.restore(self.txn.encode_diff_v1(&StateVector::default()));
        let Some(edit) = older.edit_of(&live, next)? else { return Ok(()) };
        let view = update::scan(&edit)?;
        self.pairs.note(&view, |client| if client == own.get() { next.clock } else { u32::MAX });
        self.gate.note_own(&view, own.get());
        self.keep_verbatim(&view);
        let restored = self.integrate(&edit);
        self.gate.advance(own.get(), ReadTxn::store(&self.txn).get_local_state());
        restored
    }
}

/// Whether an update of a client is of a size that clients may send, whatever its bytes.
fn check_counts(update: &UpdateView<'_>) -> Result<(), ApplyError> {
    let parts = update.struct_count() + update.delete_range_count();
    let clients = update.client_count().max(update.delete_client_count());
    if parts > UPDATE_PARTS_MAX {
        Err(ApplyError::TooMany { what: "structs in one update", count_max: UPDATE_PARTS_MAX })
    } else if clients > UPDATE_CLIENTS_MAX {
        Err(ApplyError::TooMany { what: "clients in one update", count_max: UPDATE_CLIENTS_MAX })
    } else if is_contended(update) {
        Err(ApplyError::TooMany { what: "elements of one update in one place", count_max: SAME_PLACE_MAX })
    } else {
        Ok(())
    }
}

impl From<Refused> for ApplyError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooDeep => Self::TooDeep,
            Refused::ManyAtKey => Self::ManyAtKey,
            Refused::ManyClients => Self::TooMany { what: "clients in one map", count_max: DOCUMENT_CLIENTS_MAX },
        }
    }
}

/// Why yrs did not take an update.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntegrateError {
    #[error(transparent)]
    Decode(#[from] yrs::encoding::read::Error),
    #[error(transparent)]
    Update(#[from] UpdateError),
}

/// Hands an update that the gate let in to yrs.
pub(crate) fn integrate(txn: &mut TransactionMut<'_>, update: &[u8]) -> Result<(), IntegrateError> {
    Ok(txn.apply_update(Update::decode_v1(update)?)?)
}
