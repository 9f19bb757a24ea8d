//! One document, as a room holds it.

use std::fmt;

use synapti_protocol::{DecodeError, update};
use yrs::{
    Doc, OffsetKind, Options, ReadTxn, StateVector, Transact as _, TransactionMut, Update, WriteTxn as _,
    block::ClientID,
    updates::{decoder::Decode as _, encoder::Encode as _},
};

use crate::{
    Digest,
    gate::{Admitted, AsideLimits, Gate, Sender},
    map::{EditError, MapEdit, MapRoots, MapState, apply_edit, read_map, read_topic},
};

/// A Yjs document behind its gate.
///
/// All bytes in and out are Yjs update format v1.
pub struct Replica {
    doc: Doc,
    roots: MapRoots,
    gate: Gate,
}

/// One edit, from a client or of the server's own.
#[derive(Clone, Copy, Debug)]
pub enum Op<'a> {
    /// A Yjs update (v1) as a client sent it, or as the store kept it.
    Update {
        /// The encoded update.
        update: &'a [u8],
        /// Whose it is.
        from: Sender,
    },
    /// An edit of the map, written under the replica's own client id.
    Edit(&'a MapEdit),
}

/// What became of a list of edits.
#[derive(Debug)]
pub struct Applied {
    /// One result for each, in order. An update that waits at the gate counts as `Ok`.
    pub results: Vec<Result<(), ApplyError>>,
    /// Exactly what was integrated, as one update: the only thing that may be journaled or sent on.
    pub update: Option<Vec<u8>>,
}

/// Why an edit was refused. What of it was integrated before the error stays, and is part of the applied update.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The bytes are not an update.
    #[error("malformed update: {0}")]
    Malformed(#[from] DecodeError),
    /// It reads as an update, but the document cannot take it.
    #[error("update cannot be integrated: {0}")]
    Rejected(String),
    /// Its edits depend on each other in a circle, so none of them can ever come first.
    #[error("update cannot be integrated: its edits depend on each other")]
    Circular,
    /// An edit of the map that makes no sense; nothing was written.
    #[error(transparent)]
    Edit(EditError),
    /// Too much of it, or of this sender's earlier updates, waits for edits that never came.
    #[error("too many edits wait for earlier ones: reconnect to send them in order")]
    AsideFull,
}

impl Replica {
    /// An empty document. Its own edits carry `client_id`, which must be fresh: a (client, clock) pair that was
    /// used before makes other replicas drop the second edit silently.
    pub fn new(client_id: u64, limits: AsideLimits) -> Self {
        let mut options = Options::with_client_id(ClientID::new(client_id));
        options.offset_kind = OffsetKind::Utf16;
        // Clients tidy up the formatting of their own texts; a server that did would edit by itself.
        options.cleanup_formatting = false;
        let doc = Doc::with_options(options);
        let roots = MapRoots::resolve(&doc);
        Self { doc, roots, gate: Gate::new(limits) }
    }

    /// A document from stored updates, in the order in which they were committed. What does not join on (a damaged
    /// or foreign store) waits at the gate like anything else; see [`Replica::held_from`].
    ///
    /// # Errors
    /// [`ApplyError::Malformed`] or [`ApplyError::Rejected`] for bytes that were never a committed update.
    pub fn load<'a>(
        client_id: u64,
        limits: AsideLimits,
        updates: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Self, ApplyError> {
        let mut replica = Self::new(client_id, limits);
        let ops = updates.into_iter().map(|update| Op::Update { update, from: Sender::default() });
        let results = replica.apply(ops, 0).results;
        results.into_iter().collect::<Result<(), _>>().map(|()| replica)
    }

    /// Performs edits in order, as one transaction. A refused one does not hinder the others.
    pub fn apply<'a>(&mut self, ops: impl IntoIterator<Item = Op<'a>>, now_ms: u64) -> Applied {
        let mut transaction = Transaction { txn: self.doc.transact_mut(), gate: &mut self.gate, roots: &self.roots };
        let results = ops.into_iter().map(|op| transaction.perform(&op, now_ms)).collect();
        let Transaction { mut txn, .. } = transaction;
        txn.commit();
        let integrated = !txn.insert_set().is_empty() || !txn.delete_set().is_empty();
        Applied { results, update: integrated.then(|| txn.encode_update_v1()) }
    }

    /// The document's state vector, encoded.
    pub fn state_vector(&self) -> Vec<u8> {
        self.doc.transact().state_vector().encode_v1()
    }

    /// Everything that a peer with this state vector lacks, and the whole delete set.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not a state vector.
    pub fn diff(&self, state_vector: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let known = update::scan_state_vector(state_vector)?;
        let known: StateVector = known.iter().map(|(client, clock)| (ClientID::new(client), clock)).collect();
        Ok(self.doc.transact().encode_diff_v1(&known))
    }

    /// The whole state as one update.
    pub fn snapshot(&self) -> Vec<u8> {
        self.doc.transact().encode_diff_v1(&StateVector::default())
    }

    /// Names the state; costs a walk over the document's blocks.
    pub fn digest(&self) -> Digest {
        let snapshot = self.doc.transact().snapshot();
        Digest::of(&snapshot.state_map, &snapshot.delete_set)
    }

    /// The document read as a mind map.
    pub fn map(&self) -> MapState {
        read_map(&self.doc.transact(), &self.roots)
    }

    /// The map's topic, without reading the rest.
    pub fn topic(&self) -> Option<String> {
        read_topic(&self.doc.transact(), &self.roots)
    }

    /// How many pieces of this sender's updates wait for something that the document lacks.
    pub fn held_from(&self, from: Sender) -> usize {
        self.gate.held_from(from)
    }

    /// Bytes that wait at the gate, of all senders.
    pub fn held_bytes(&self) -> usize {
        self.gate.held_bytes()
    }

    /// Drops what has waited at the gate since before `deadline_ms`; answers whose it was. They have to be asked
    /// for their state, or told to reconnect: an edit of theirs is not in the document.
    pub fn expire_held(&mut self, deadline_ms: u64) -> impl Iterator<Item = Sender> + use<> {
        self.gate.expire(deadline_ms).into_iter()
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica").field("client_id", &self.doc.client_id()).finish_non_exhaustive()
    }
}

/// Edits under way on a [`Replica`].
struct Transaction<'a> {
    txn: TransactionMut<'a>,
    gate: &'a mut Gate,
    roots: &'a MapRoots,
}

impl Transaction<'_> {
    fn perform(&mut self, op: &Op<'_>, now_ms: u64) -> Result<(), ApplyError> {
        match *op {
            Op::Update { update, from } => self.update(update, from, now_ms),
            Op::Edit(edit) => self.edit(edit),
        }
    }

    /// Integrates what of `update` joins on to the document, and whatever that frees; the rest waits at the gate.
    fn update(&mut self, update: &[u8], from: Sender, now_ms: u64) -> Result<(), ApplyError> {
        let view = update::scan(update)?;
        let modern;
        let view = if view.has_legacy_json() {
            modern = update::modernize(&view);
            update::scan(&modern)?
        } else {
            view
        };
        let Admitted { updates, overflow } = self.gate.admit(&view, from, now_ms);
        let integrated = updates.iter().try_for_each(|update| self.integrate(update));
        if integrated.is_err() || self.txn.prune_pending().is_some() {
            // The gate took more for granted than the document could integrate.
            let state = self.txn.state_vector();
            self.gate.set_clocks(state.iter().map(|(client, &clock)| (client.get(), clock)));
            return Err(integrated.err().unwrap_or(ApplyError::Circular));
        }
        if overflow { Err(ApplyError::AsideFull) } else { Ok(()) }
    }

    /// Edits the map as the server's own client.
    fn edit(&mut self, edit: &MapEdit) -> Result<(), ApplyError> {
        let edited = apply_edit(&mut self.txn, self.roots, edit);
        let own = self.txn.doc().client_id();
        self.gate.advance(own.get(), ReadTxn::store(&self.txn).get_local_state());
        edited.map_err(ApplyError::Edit)
    }

    fn integrate(&mut self, update: &[u8]) -> Result<(), ApplyError> {
        let update = Update::decode_v1(update).map_err(|error| ApplyError::Rejected(error.to_string()))?;
        self.txn.apply_update(update).map_err(|error| ApplyError::Rejected(error.to_string()))
    }
}
