//! Edits on their way through the gate into the document.

use std::{borrow::Cow, cell::LazyCell, collections::BTreeSet};

use smallvec::SmallVec;
use synapti_protocol::update::{self, Id, UpdateView};
use yrs::{ReadTxn, TransactionMut, Update, WriteTxn as _, block::ClientID, updates::decoder::Decode as _};

use crate::{
    gate::{Admitted, Gate, Sender},
    map::{MapEdit, MapRoots, apply_edit},
    pairs::{self, Pairs},
    replica::{ApplyError, Op},
    verbatim::Verbatim,
};

/// A list of edits that is being worked off, over more than one transaction if need be.
pub(crate) struct Work<'a, I> {
    ops: I,
    under_way: Option<UnderWay<'a>>,
    pub(crate) results: Vec<Result<(), ApplyError>>,
}

impl<I> Work<'_, I> {
    pub(crate) fn new(ops: I) -> Self {
        Self { ops, under_way: None, results: Vec::new() }
    }
}

/// What the gate has let in of one edit and is still to be integrated, last one first.
struct UnderWay<'a> {
    updates: SmallVec<[Cow<'a, [u8]>; 1]>,
    overflow: bool,
}

impl<'a> UnderWay<'a> {
    fn new<'b>(admitted: Admitted<'b>, keep: impl Fn(Cow<'b, [u8]>) -> Cow<'a, [u8]>) -> Self {
        let Admitted { updates, overflow } = admitted;
        Self { updates: updates.into_iter().rev().map(keep).collect(), overflow }
    }
}

/// Edits under way on a [`Replica`].
pub(crate) struct Transaction<'a> {
    pub(crate) txn: TransactionMut<'a>,
    pub(crate) gate: &'a mut Gate,
    pub(crate) pairs: &'a mut Pairs,
    pub(crate) verbatim: &'a mut Verbatim,
    pub(crate) roots: &'a MapRoots,
}

impl Transaction<'_> {
    /// Performs edits until all are done, or until one cuts pairs that have to be replaced in the document before.
    pub(crate) fn perform<'a>(
        &mut self,
        work: &mut Work<'a, impl Iterator<Item = Op<'a>>>,
        now_ms: u64,
    ) -> Option<BTreeSet<Id>> {
        loop {
            let result = match work.under_way.take() {
                Some(mut under_way) => match self.integrate_all(&mut under_way) {
                    Ok(result) => result,
                    Err(cut) => {
                        work.under_way = Some(under_way);
                        return Some(cut);
                    }
                },
                None => match work.ops.next()? {
                    Op::Edit(edit) => self.edit(edit),
                    Op::Update { update, from } => match self.admit(update, from, now_ms) {
                        Ok(under_way) => {
                            work.under_way = Some(under_way);
                            continue;
                        }
                        Err(error) => Err(error),
                    },
                },
            };
            work.results.push(result);
        }
    }

    /// Takes from the gate what of `update` joins on to the document, and whatever that frees; the rest waits there.
    fn admit<'a>(&mut self, update: &'a [u8], from: Sender, now_ms: u64) -> Result<UnderWay<'a>, ApplyError> {
        let view = update::scan(update)?;
        if view.needs_modernizing() {
            let modern = update::modernize(&view);
            let admitted = self.gate.admit(&update::scan(&modern)?, from, now_ms);
            return Ok(UnderWay::new(admitted, |update| Cow::Owned(update.into_owned())));
        }
        Ok(UnderWay::new(self.gate.admit(&view, from, now_ms), |update| update))
    }

    /// Integrates what the gate let in; an error names the pairs that must be replaced in the document first.
    fn integrate_all(&mut self, under_way: &mut UnderWay<'_>) -> Result<Result<(), ApplyError>, BTreeSet<Id>> {
        let mut integrated = Ok(());
        while let (Some(update), Ok(())) = (under_way.updates.last(), &integrated) {
            integrated = match update::scan(update) {
                Ok(view) => {
                    let replaced = self.replace_pairs(&view)?;
                    self.keep_verbatim(&view);
                    integrate(&mut self.txn, replaced.as_deref().unwrap_or(update))
                }
                Err(error) => Err(error.into()),
            };
            under_way.updates.pop();
        }
        if integrated.is_err() || self.txn.prune_pending().is_some() {
            // The gate took more for granted than the document could integrate.
            let state = self.txn.state_vector();
            self.gate.set_clocks(state.iter().map(|(client, &clock)| (client.get(), clock)));
            return Ok(Err(integrated.err().unwrap_or(ApplyError::Circular)));
        }
        Ok(if under_way.overflow { Err(ApplyError::AsideFull) } else { Ok(()) })
    }

    /// The update without those of its own pairs that it cuts, if there are any. An error names the ones that it cuts
    /// in the document.
    fn replace_pairs(&mut self, update: &UpdateView<'_>) -> Result<Option<Vec<u8>>, BTreeSet<Id>> {
        let has_own = self.pairs.note(update);
        let mut cut = self.pairs.cut_by(update);
        if !has_own && cut.is_empty() {
            return Ok(None);
        }
        let state = self.txn.state_vector();
        let known = |client| state.get(&ClientID::new(client));
        cut.append(&mut self.pairs.cut_at_end(update, known));
        let (inside, own): (BTreeSet<Id>, BTreeSet<Id>) = cut.into_iter().partition(|id| id.clock < known(id.client));
        if !inside.is_empty() {
            return Err(inside);
        }
        self.pairs.forget(&own);
        Ok(pairs::replace(update, &own))
    }

    /// Keeps the values of the update that yrs would alter.
    fn keep_verbatim(&mut self, update: &UpdateView<'_>) {
        let state = LazyCell::new(|| self.txn.state_vector());
        self.verbatim.note(update, |client| state.get(&ClientID::new(client)));
    }

    /// Edits the map as the server's own client.
    fn edit(&mut self, edit: &MapEdit) -> Result<(), ApplyError> {
        let edited = apply_edit(&mut self.txn, self.roots, edit);
        let own = self.txn.doc().client_id();
        self.gate.advance(own.get(), ReadTxn::store(&self.txn).get_local_state());
        edited.map_err(ApplyError::Edit)
    }

    /// Ends the transaction; answers what it integrated.
    pub(crate) fn commit(self) -> Option<Vec<u8>> {
        let Self { mut txn, pairs, .. } = self;
        txn.commit();
        let integrated = !txn.insert_set().is_empty() || !txn.delete_set().is_empty();
        let update = integrated.then(|| txn.encode_update_v1())?;
        // The server's own edits came in by no update.
        if let Ok(view) = update::scan(&update) {
            pairs.note(&view);
        }
        Some(update)
    }
}

/// Hands an update that the gate let in to yrs.
pub(crate) fn integrate(txn: &mut TransactionMut<'_>, update: &[u8]) -> Result<(), ApplyError> {
    let update = Update::decode_v1(update).map_err(|error| ApplyError::Rejected(error.to_string()))?;
    txn.apply_update(update).map_err(|error| ApplyError::Rejected(error.to_string()))
}
