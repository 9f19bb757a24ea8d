//! One document, as a room holds it.

use std::{collections::BTreeSet, fmt};

use synapti_protocol::{
    DecodeError,
    limits::SHARED_TYPE_NESTING_MAX,
    update::{self, Id},
};
use yrs::{
    Doc, OffsetKind, Options, ReadTxn as _, StateVector, Transact as _, block::ClientID, merge_updates_v1,
    updates::encoder::Encode as _,
};

use crate::{
    Digest,
    document::Document,
    gate::{AsideLimits, Gate, LeftOut, MayWrite, Sender},
    map::{EditError, MapEdit, MapRoots, MapState, RunEdit, RunOutcome, child_maps, read_map, read_topic, takes_away},
    pairs::{self, Pairs},
    restore::Restorable,
    transaction::{Pause, Transaction, Verdicts, Work, integrate},
    verbatim::Verbatim,
};

/// A Yjs document behind its gate.
///
/// All bytes in and out are Yjs update format v1.
pub struct Replica {
    doc: Document,
    roots: MapRoots,
    gate: Gate,
    pairs: Pairs,
    verbatim: Verbatim,
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
    /// An edit of a run of the AI, likewise; [`Applied::outcomes`] tells what came of it.
    Run(&'a RunEdit),
    /// The document becomes what an older state shows, by edits under the replica's own client id. What others write
    /// meanwhile stays; what is as it was is not touched.
    Restore(&'a Restorable),
}

/// What became of a list of edits.
#[derive(Debug)]
pub struct Applied {
    /// One result for each, in order. An update that waits at the gate counts as `Ok`.
    pub results: Vec<Result<(), ApplyError>>,
    /// What came of the edits of runs, in their order.
    pub outcomes: Vec<RunOutcome>,
    /// Exactly what was integrated, as one update: the only thing that may be journaled or sent on.
    pub update: Option<Vec<u8>>,
    /// Whose earlier edits at the gate came to nothing: they may not be integrated, or had to give way to others. Nothing of
    /// theirs waits any more, so that they have to be told.
    pub refused: Vec<(Sender, ApplyError)>,
    /// What senders brought of others and may not write. It is not in the document, and does not wait.
    pub left_out: Vec<LeftOut>,
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
    /// It would create something too deep in nested shared types. Nothing of it was integrated.
    #[error("shared types may be nested {SHARED_TYPE_NESTING_MAX} levels deep: make the structure flatter")]
    TooDeep,
    /// There is more of something than there may be. Nothing of it was integrated.
    #[error("there may be {count_max} {what}")]
    TooMany {
        /// Of what, as the end of a sentence.
        what: &'static str,
        /// The limit.
        count_max: usize,
    },
    /// It puts several elements at one key of a map. Nothing of it was integrated.
    #[error("update puts several elements at one key of a map, which no Yjs client does")]
    ManyAtKey,
}

impl Replica {
    /// An empty document. Its own edits carry `client_id`, which must be fresh: a (client, clock) pair that was
    /// used before makes other replicas drop the second edit silently.
    pub fn new(client_id: u64, limits: AsideLimits) -> Self {
        let doc = empty_doc(ClientID::new(client_id));
        let roots = MapRoots::resolve(&doc);
        Self { doc, roots, gate: Gate::new(client_id, limits), pairs: Pairs::default(), verbatim: Verbatim::default() }
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
        // As they were integrated: what a deletion has freed, and what comes after, has another place than before it.
        let ops = updates.into_iter().map(|update| Op::Update { update, from: Sender::default() });
        let mut work = Work::new(ops).apart();
        replica.perform(&mut work, &|_, _| true, 0, false);
        work.results.into_iter().collect::<Result<(), _>>().map(|()| replica)
    }

    /// Performs edits in order, as one transaction. A refused one does not hinder the others.
    pub fn apply<'a>(&mut self, ops: impl IntoIterator<Item = Op<'a>>, now_ms: u64) -> Applied {
        self.apply_checked(ops, &|_, _| true, now_ms)
    }

    /// The same, where not everybody may write under every client id. Whatever that says, nobody may under the replica's own.
    pub fn apply_checked<'a>(
        &mut self,
        ops: impl IntoIterator<Item = Op<'a>>,
        may_write: MayWrite<'_>,
        now_ms: u64,
    ) -> Applied {
        let mut work = Work::new(ops);
        let mut written = self.perform(&mut work, may_write, now_ms, true);
        let update = if written.len() > 1 {
            Some(merge_updates_v1(written).expect("yrs reads what it has written"))
        } else {
            written.pop()
        };
        let update = update.map(|update| self.verbatim.restore(update));
        self.sweep_if_overgrown();
        Applied {
            results: work.results,
            outcomes: work.outcomes,
            update,
            refused: work.refused,
            left_out: work.left_out,
        }
    }

    /// Forgets what is kept beside the document for elements that have been deleted. Waits until there may be much of it, so
    /// that the walk over the document costs little per edit.
    fn sweep_if_overgrown(&mut self) {
        if self.verbatim.is_overgrown() || self.pairs.is_overgrown() || self.gate.is_overgrown() {
            let state = self.doc.transact().encode_diff_v1(&StateVector::default());
            let state = update::scan(&state).expect("the scanner reads what yrs writes");
            self.verbatim.sweep(&state);
            self.pairs.sweep(&state);
            self.gate.sweep(&state);
        }
    }

    /// Answers what was integrated, if that is wanted, in parts that follow on each other.
    fn perform(&mut self, work: &mut Work<'_>, may_write: MayWrite<'_>, now_ms: u64, wanted: bool) -> Vec<Vec<u8>> {
        let (mut written, mut refused, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let txn = self.doc.transact_mut();
            let beside = (&mut self.pairs, &mut self.verbatim);
            let verdicts = Verdicts { may_write, refused: &mut refused, left_out: &mut left_out };
            let mut transaction = Transaction::new(txn, &mut self.gate, beside, &self.roots, verdicts);
            let pause = transaction.perform(work, now_ms);
            written.extend(transaction.commit(wanted));
            match pause {
                Some(Pause::Cut(cut)) => self.replace_pairs(cut, work),
                Some(Pause::Edited | Pause::Apart) => {}
                None => break,
            }
        }
        self.pairs.end_foresight();
        (work.refused, work.left_out) = (refused, left_out);
        written
    }

    /// Makes the document anew without these pairs, and without those that the rest of the work cuts, since yrs has no
    /// way to change text in place. Each pair can be cut only once.
    fn replace_pairs(&mut self, mut cut: BTreeSet<Id>, work: &Work<'_>) {
        let state = self.doc.transact().state_vector();
        cut.append(&mut self.pairs.foresee(work.updates_ahead(), |client| state.get(&ClientID::new(client))));
        self.pairs.forget(&cut);
        let snapshot = self.snapshot();
        let view = update::scan(&snapshot).expect("the scanner reads what yrs writes");
        // Nothing to replace: all of it was deleted text.
        let Some(replaced) = pairs::replace(&view, &cut) else { return };
        let doc = empty_doc(self.doc.client_id());
        self.roots = MapRoots::resolve(&doc);
        integrate(&mut doc.transact_mut(), &replaced).expect("a state is an update that lacks nothing");
        self.doc = doc;
    }

    /// The client id that its own edits carry.
    pub fn client_id(&self) -> u64 {
        self.doc.client_id().get()
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
        // Whoever has the first half of a pair is sent both: an encoding cannot begin with the second.
        let whole =
            |(client, clock): (u64, u32)| (ClientID::new(client), clock - u32::from(self.pairs.has(client, clock)));
        let known: StateVector = known.iter().map(whole).collect();
        Ok(self.verbatim.restore(self.doc.transact().encode_diff_v1(&known)))
    }

    /// The whole state as one update.
    pub fn snapshot(&self) -> Vec<u8> {
        self.verbatim.restore(self.doc.transact().encode_diff_v1(&StateVector::default()))
    }

    /// Names the state; costs a walk over the document's blocks.
    pub fn digest(&self) -> Digest {
        let snapshot = self.doc.transact().snapshot();
        Digest::of(&snapshot.state_map, &snapshot.delete_set)
    }

    /// How many nodes the map has; a walk over their keys.
    pub fn node_count(&self) -> usize {
        child_maps(&self.doc.transact(), &self.roots.nodes).count()
    }

    /// The document read as a mind map.
    pub fn map(&self) -> MapState {
        read_map(&self.doc.transact(), &self.roots)
    }

    /// The map's topic, without reading the rest.
    pub fn topic(&self) -> Option<String> {
        read_topic(&self.doc.transact(), &self.roots)
    }

    /// Whether an edit only takes away from the map as it is now, so that even a full one has room for it.
    pub fn takes_away(&self, edit: &MapEdit) -> bool {
        takes_away(&self.doc.transact(), &self.roots, edit)
    }

    /// How much of a client's history the document has.
    pub fn clock(&self, client: u64) -> u32 {
        self.gate.clock(client)
    }

    /// A client id has come to belong to somebody: drops what others have waiting under it, and answers what that was.
    pub fn disown(&mut self, client: u64, may_write: MayWrite<'_>) -> Vec<LeftOut> {
        self.gate.disown(client, may_write)
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

fn empty_doc(client_id: ClientID) -> Document {
    let mut options = Options::with_client_id(client_id);
    options.offset_kind = OffsetKind::Utf16;
    // Clients tidy up the formatting of their own texts; a server that did would edit by itself.
    options.cleanup_formatting = false;
    Doc::with_options(options).into()
}

#[cfg(test)]
mod tests {
    use yrs::{Any, Map as _};

    use super::*;

    /// A walk over a large map holds up everybody in it.
    #[test]
    fn a_map_is_walked_over_when_much_of_it_was_deleted_and_not_because_it_grows() {
        let author = Doc::new();
        let nodes = author.get_or_insert_map("nodes");
        let mut replica = Replica::new(1, AsideLimits::default());
        let mut step = |edit: &dyn Fn(&mut yrs::TransactionMut<'_>)| {
            let mut txn = author.transact_mut();
            edit(&mut txn);
            let update = txn.encode_update_v1();
            drop(txn);
            replica.apply([Op::Update { update: &update, from: Sender::default() }], 0);
            (replica.gate.runs(), replica.gate.is_overgrown())
        };
        let mut grown = (0, false);
        for part in 0..40 {
            grown = step(&|txn| {
                for number in 0..1_000 {
                    let node = nodes.insert(txn, format!("{part}-{number}"), yrs::MapPrelim::default());
                    node.insert(txn, "title", yrs::TextPrelim::new("a"));
                }
            });
        }
        let (all, is_overgrown) = grown;
        assert!(all > 1 << 16 && !is_overgrown, "{all}");
        let left: Vec<usize> = (0..30)
            .map(|part| {
                let remove = |txn: &mut yrs::TransactionMut<'_>| {
                    for number in 0..1_000 {
                        nodes.remove(txn, &format!("{part}-{number}"));
                    }
                };
                step(&remove).0
            })
            .collect();
        assert_eq!(left[9], all, "a quarter of them is not worth it");
        // Of a deleted node its key is left, and that something was in it.
        assert!(left[29] <= all - 20_000, "{} of {all}", left[29]);
    }

    /// Somebody who drags a shape that is stored as one object writes it again with every step.
    #[test]
    fn overwritten_values_do_not_pile_up_beside_the_document() {
        let author = Doc::new();
        let shapes = author.get_or_insert_map("shapes");
        let mut replica = Replica::new(1, AsideLimits::default());
        for step in 0..4_000 {
            let mut txn = author.transact_mut();
            let shape = Any::from_json(&format!(r#"{{"x":{step},"label":"{}😀"}}"#, "x".repeat(1_000))).unwrap();
            shapes.insert(&mut txn, "shape", shape);
            shapes.insert(&mut txn, "note", "😀😀😀😀😀😀😀😀😀😀");
            let update = txn.encode_update_v1();
            drop(txn);
            replica.apply([Op::Update { update: &update, from: Sender::default() }], 0);
        }
        assert!(!replica.verbatim.is_overgrown() && !replica.pairs.is_overgrown());
        // What is still there has kept its order of keys.
        let own = yrs::Doc::new();
        integrate(&mut own.transact_mut(), &replica.snapshot()).unwrap();
        let text = String::from_utf8_lossy(&replica.snapshot()).into_owned();
        assert!(text.find("label").is_some() && own.transact().state_vector() == author.transact().state_vector());
    }
}
