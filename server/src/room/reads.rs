//! What readers ask of a room, and answers kept while the map does not change.

use std::{collections::HashMap, ops::Deref, sync::Arc};

use bytes::Bytes;
use synapti_crdt::{
    Replica,
    map::{MapState, RunOutcome},
};
use synapti_protocol::{message, update};

use super::{Cursor, GraphView, RoomError, SessionId, Snapshot, SyncReply};
use crate::limits::answers::Paid;

/// A question that may have to wait until nothing is on its way to disk.
#[derive(Debug)]
pub enum Read {
    /// Everything beyond a state vector, as the answer to a `SyncStep1`.
    Sync {
        /// The client's state vector, already checked.
        state_vector: Bytes,
        /// Whose question it is, and how many edits it sent before: the answer contains them.
        after: Option<(SessionId, u64)>,
    },
    /// The map as JSON.
    View,
    /// The map as plain data.
    Map,
    /// The map as one update.
    Snapshot,
    /// Nothing but that the reader's edits have been looked at, and that what was taken of them is on disk.
    Turn {
        /// Whose edits, and how many it has sent.
        after: (SessionId, u64),
    },
    /// Everybody's presence. Answered at once: presence is never saved.
    Presence,
    /// The same, and who has gone lately.
    PresenceNews,
}

/// What a room answers.
#[derive(Debug)]
pub enum Answer {
    /// To [`Read::Sync`].
    Sync(SyncReply),
    /// To [`Read::View`], and to an edit through the API once it is durable.
    View(Arc<GraphView>),
    /// To [`Read::Map`].
    Map(Arc<MapState>),
    /// To an edit of a run, once it is durable.
    Outcome(RunOutcome),
    /// To [`Read::Snapshot`].
    Snapshot(Arc<Snapshot>),
    /// To [`Read::Turn`]: a `SyncStep1` frame.
    Turn(Bytes),
    /// To [`Read::Presence`] and [`Read::PresenceNews`]: a whole frame, unless there is nothing to say.
    Presence(Option<Bytes>),
    /// The document has what the store has.
    Fresh,
    /// The graph is deleted.
    Deleted,
    /// It cannot be done.
    Failed(RoomError),
}

/// Different state vectors whose diffs are kept: after a restart many clients come back from a few points.
const DIFFS_MAX: usize = 8;

/// Bytes of an update in one frame of an answer; larger only where a single struct is. A client can apply what has come,
/// and a frame is what a flush takes at once.
const SLICE_BYTES_MAX: usize = 64 << 10;

/// A state as frames, for all who ask for it.
#[derive(Debug)]
pub struct StateFrames {
    frames: Box<[Bytes]>,
    /// Its share of what answers may hold.
    pub paid: Paid,
}

impl StateFrames {
    /// Bytes of all frames.
    pub fn bytes(&self) -> usize {
        self.frames.iter().map(Bytes::len).sum()
    }
}

impl Deref for StateFrames {
    type Target = [Bytes];

    fn deref(&self) -> &[Bytes] {
        &self.frames
    }
}

impl FromIterator<Bytes> for StateFrames {
    fn from_iter<I: IntoIterator<Item = Bytes>>(frames: I) -> Self {
        Self { frames: frames.into_iter().collect(), paid: Paid::default() }
    }
}

/// How often the cache had what was asked for, and how often not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// It had it.
    pub hits: u32,
    /// It had to be made.
    pub misses: u32,
}

/// Encodings of the present state, made when first asked for and shared from then on.
#[derive(Debug, Default)]
pub struct ReadCache {
    state_vector: Option<Bytes>,
    question: Option<Bytes>,
    diffs: Vec<(Bytes, Arc<StateFrames>)>,
    view: Option<Arc<GraphView>>,
    snapshot: Option<Arc<Snapshot>>,
    used: bool,
    lookups: Lookups,
}

impl ReadCache {
    /// Forgets everything: the map has changed.
    pub fn invalidate(&mut self) {
        *self = Self { lookups: self.lookups, ..Self::default() };
    }

    /// Forgets what nobody asked for since the last call, so that a quiet room does not hold encodings of itself.
    pub fn sweep(&mut self) {
        if !std::mem::take(&mut self.used) {
            self.invalidate();
        }
    }

    /// Look-ups since the last call.
    pub fn take_lookups(&mut self) -> Lookups {
        std::mem::take(&mut self.lookups)
    }

    /// The state vector.
    pub fn state_vector(&mut self, replica: &Replica) -> Bytes {
        self.state_vector.get_or_insert_with(|| replica.state_vector().into()).clone()
    }

    /// A `SyncStep1` frame that asks for everything beyond the present state.
    pub fn question(&mut self, replica: &Replica) -> Bytes {
        let state_vector = self.state_vector(replica);
        self.question.get_or_insert_with(|| message::encode_step1(&state_vector).into()).clone()
    }

    /// Everything beyond `state_vector`: a `SyncStep2` frame, and `Update` frames before it when it is large.
    pub fn diff(&mut self, replica: &Replica, state_vector: &[u8]) -> Arc<StateFrames> {
        self.used = true;
        let state_vector = &known_part(state_vector, &self.state_vector(replica));
        if let Some((_, frames)) = self.diffs.iter().find(|(known, _)| known == state_vector) {
            self.lookups.hits += 1;
            return frames.clone();
        }
        self.lookups.misses += 1;
        // Sessions check state vectors before they ask; one that is not one gets the whole state.
        let update = replica.diff(state_vector).unwrap_or_else(|_| replica.snapshot());
        let frames = Arc::new(frames(&update));
        if self.diffs.len() == DIFFS_MAX {
            self.diffs.remove(0);
        }
        self.diffs.push((state_vector.clone(), frames.clone()));
        frames
    }

    /// The map as one update.
    pub fn snapshot(&mut self, replica: &Replica, cursor: Cursor, is_saved: bool) -> Arc<Snapshot> {
        self.used = true;
        match self.snapshot {
            Some(_) => self.lookups.hits += 1,
            None => self.lookups.misses += 1,
        }
        self.snapshot.get_or_insert_with(|| Arc::new(Snapshot::of(replica, cursor, is_saved))).clone()
    }

    /// The map as JSON.
    pub fn view(&mut self, make: impl FnOnce() -> GraphView) -> Arc<GraphView> {
        self.used = true;
        match self.view {
            Some(_) => self.lookups.hits += 1,
            None => self.lookups.misses += 1,
        }
        self.view.get_or_insert_with(|| Arc::new(make())).clone()
    }
}

/// An update as frames, of which a Yjs client can apply each as it comes. It counts itself as synced after a `SyncStep2`,
/// so that one is the last.
fn frames(update: &[u8]) -> StateFrames {
    let slices = match update::scan(update) {
        Ok(view) if update.len() > SLICE_BYTES_MAX => update::slices(&view, SLICE_BYTES_MAX),
        _ => return [message::encode_step2(update).into()].into_iter().collect(),
    };
    let last = slices.len() - 1;
    let frame = |(at, slice): (usize, Vec<u8>)| {
        if at == last { message::encode_step2(&slice) } else { message::encode_update(&slice) }
    };
    slices.into_iter().enumerate().map(frame).map(Bytes::from).collect()
}

/// Of a state vector what the room knows too, in one order: what it says beyond that changes no answer, and would keep
/// equal answers from being shared.
fn known_part(state_vector: &[u8], own: &[u8]) -> Bytes {
    let (Ok(asked), Ok(own)) = (update::scan_state_vector(state_vector), update::scan_state_vector(own)) else {
        return Bytes::copy_from_slice(state_vector);
    };
    let own: HashMap<u64, u32> = own.iter().collect();
    let known = asked.iter().filter_map(|(client, clock)| Some((client, clock.min(*own.get(&client)?))));
    let mut known: Vec<(u64, u32)> = known.filter(|(_, clock)| *clock > 0).collect();
    known.sort_unstable();
    update::encode_state_vector(&known).into()
}

#[cfg(test)]
mod tests {
    use synapti_crdt::{
        AsideLimits, Op,
        map::{MapEdit, NewNode},
    };

    use super::*;

    #[test]
    fn vectors_that_say_the_same_of_what_is_known_share_one_answer() {
        let mut replica = Replica::new(7, AsideLimits::default());
        replica.apply([Op::Edit(&MapEdit::AddNode(NewNode::new("n", "title")))], 0);
        let mut cache = ReadCache::default();
        let whole = cache.diff(&replica, &[0]);
        // Strangers, a clock of zero, and more of our own than there is.
        assert!(Arc::ptr_eq(&whole, &cache.diff(&replica, &[2, 99, 5, 7, 0])));
        let own = cache.state_vector(&replica);
        let nothing = cache.diff(&replica, &own);
        assert!(Arc::ptr_eq(&nothing, &cache.diff(&replica, &[2, 3, 1, 7, 120])));
        assert!(nothing.bytes() < whole.bytes());
        assert_eq!(cache.take_lookups(), Lookups { hits: 2, misses: 2 });
    }
}
