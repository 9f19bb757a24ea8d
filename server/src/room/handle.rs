//! What the rest of the server holds of an open room.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use synapti_crdt::{
    Restorable,
    map::{MapEdit, MapState, RunEdit, RunOutcome},
};
use synapti_protocol::graph_id::GraphId;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

use super::{
    About, Cursor, Entrant, Feed, GraphView, RoomError, SessionId, SessionSlot, Snapshot,
    batch::{map_edit_bytes, run_edit_bytes},
    lanes::{self, Control, LaneEdit, LaneEnds, Lanes, NodeBudgets},
    places::{Membership, RunPlace},
    reads::{Answer, Read, StateFrames},
    state::RunShown,
};
use crate::{
    limits::answers::{AnswerShare, Answers, COUNTED_FROM_BYTES, Taker},
    store::{GraphKey, RecordId},
};

/// How long a question waits for others' answers to have gone.
const SHARE_WITHIN: Duration = Duration::from_secs(15);

/// How long a caller waits for what other nodes have saved, when the store is slow to tell.
const FRESH_WITHIN: Duration = Duration::from_secs(2);

/// The same when it was too slow for the one before: reading goes on while the store is away.
const FRESH_WITHIN_WHEN_SLOW: Duration = Duration::from_millis(50);

/// How long it counts as too slow.
const SLOW_FOR: Duration = Duration::from_secs(5);

/// How much larger a map is as JSON, about.
const JSON_OF_MAP: usize = 2;

/// What a room tells somebody who comes in.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// Frame: `SyncStep1`, asking the client for what the room lacks.
    pub question: Bytes,
    /// Frame: everybody's presence.
    pub presence: Option<Bytes>,
    /// Where in the feed the session begins.
    pub cursor: Cursor,
    /// Whether the room shows something that is not on disk.
    pub has_unsaved: bool,
}

/// What a room tells somebody who lacks something: the state, and where the feed goes on from it.
#[derive(Clone, Debug)]
pub struct SyncReply {
    /// Frames with what the client lacks: a `SyncStep2`, and `Update`s before it when that is much. Never empty.
    pub frames: Arc<StateFrames>,
    /// What the client has once it has read `frames`; shared by all who ask at this state.
    pub state_vector: Bytes,
    /// Frame: everybody's presence.
    pub presence: Option<Bytes>,
    /// Where the feed continues.
    pub cursor: Cursor,
}

/// A place in a room.
#[derive(Debug)]
pub struct Joined {
    /// Leaves the room when it is dropped.
    pub membership: Membership,
    /// What the room says to this session alone.
    pub slot: Arc<SessionSlot>,
    /// What the client is told first.
    pub welcome: Welcome,
}

/// The room has closed in between; open it again and repeat the call.
#[derive(Debug)]
pub struct Closed;

/// Why a call came to nothing.
#[derive(Debug)]
pub enum CallError {
    /// See [`Closed`]: nothing of the call was done.
    Closed,
    /// The room's answer.
    Room(RoomError),
}

/// An older state that a map is to become.
#[derive(Clone, Debug)]
pub struct Restoring {
    /// The state.
    pub older: Arc<Restorable>,
    /// Who wants it; noted in the version that the map as it is becomes first.
    pub author: Option<String>,
}

/// Cheap to clone; the room lives on without it.
#[derive(Clone, Debug)]
pub struct RoomHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: GraphId,
    /// Tells this opening from all others, on every node.
    opening: u64,
    lanes: LaneEnds,
    states: Answers,
    views: Answers,
    /// What the store calls the graph, once that is known.
    key: OnceLock<GraphKey>,
    /// All records of the store up to this one are in the document.
    recorded: AtomicU64,
    /// Until when the store counts as too slow to say what others have saved.
    slow_until: Mutex<Option<Instant>>,
    /// About as many as the encoded map has.
    document_bytes: AtomicUsize,
    feed: Arc<Feed>,
}

impl RoomHandle {
    pub(crate) fn new(id: GraphId, feed: Arc<Feed>, budgets: &NodeBudgets) -> (Self, Lanes) {
        let (ends, lanes) = lanes::lanes(budgets);
        let NodeBudgets { states, views, .. } = budgets.clone();
        let (key, recorded, document_bytes) = (OnceLock::new(), AtomicU64::new(0), AtomicUsize::new(0));
        let (opening, slow_until) = (rand::random(), Mutex::new(None));
        let inner = Inner { id, opening, lanes: ends, states, views, key, recorded, slow_until, document_bytes, feed };
        (Self(Arc::new(inner)), lanes)
    }

    /// The graph has been found in the store.
    pub(super) fn opened(&self, key: GraphKey) {
        // There is one opening.
        let _ = self.0.key.set(key);
    }

    /// Notes about how large the map is, for what answers may hold, and what it has of the store.
    pub(super) fn note(&self, document_bytes: usize, recorded: u64) {
        self.0.document_bytes.store(document_bytes, Ordering::Relaxed);
        self.0.recorded.store(recorded, Ordering::Relaxed);
    }

    /// What the store calls the graph, once the room is open.
    pub(crate) fn key(&self) -> Option<GraphKey> {
        self.0.key.get().copied()
    }

    /// Somebody has looked how far the graph's records go. When the room has no time to hear it, the next look tells it.
    pub(crate) fn store_has(&self, last: RecordId, is_deleted: bool) {
        let records = last.0.unsigned_abs();
        if is_deleted || records > self.0.recorded.load(Ordering::Relaxed) {
            let _ = self.0.lanes.control.try_send(Box::new(Control::StoreHas { records, is_deleted }));
        }
    }

    /// The graph.
    pub fn id(&self) -> &GraphId {
        &self.0.id
    }

    /// A number that no other opening of a room has, on any node: what a cursor is good for.
    pub fn opening(&self) -> u64 {
        self.0.opening
    }

    /// What the room publishes.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.0.feed
    }

    /// Whether two handles are of the same opening of a room.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Takes a place in the room.
    pub async fn join(&self, session: SessionId, entrant: Entrant) -> Result<Joined, CallError> {
        let slot = Arc::new(SessionSlot::default());
        let (reply, answer) = oneshot::channel();
        self.control(Control::Join { session, entrant, slot: slot.clone(), reply }).await?;
        // From here on the room may know the session, so that it has to be told when this call is given up.
        let membership = Membership::new(self.clone(), session);
        let welcome = settled(answer).await?;
        Ok(Joined { membership, slot, welcome })
    }

    /// Says something of a session's own presence.
    pub async fn awareness(&self, session: SessionId, payload: Bytes, about: About) -> Result<(), CallError> {
        self.control(Control::Awareness { session, payload, about }).await
    }

    /// As [`RoomHandle::awareness`] when there is room at once.
    pub fn try_awareness(&self, session: SessionId, payload: Bytes, about: About) -> bool {
        self.0.lanes.control.try_send(Box::new(Control::Awareness { session, payload, about })).is_ok()
    }

    /// Asks for everything beyond a state vector, which the caller has checked. With `after`, the answer contains so
    /// many edits of that session.
    pub async fn sync(&self, state_vector: Bytes, after: Option<(SessionId, u64)>) -> Result<SyncReply, CallError> {
        let share = self.share(&self.0.states, 1).await?;
        match self.read(Read::Sync { state_vector, after }).await? {
            Answer::Sync(reply) => {
                if let Some(share) = share {
                    reply.frames.paid.pay(share, reply.frames.bytes());
                }
                Ok(reply)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Somebody who may take states from time to time.
    pub fn state_taker(&self) -> Arc<Taker> {
        self.0.states.taker()
    }

    /// Whether others wait for states, so that whoever takes one slowly should let go of it.
    pub fn others_wait(&self) -> bool {
        self.0.states.others_wait()
    }

    /// Everybody's presence as one frame, if anybody shows any.
    pub async fn presence(&self) -> Result<Option<Bytes>, CallError> {
        match self.read(Read::Presence).await? {
            Answer::Presence(frame) => Ok(frame),
            other => Err(unexpected(&other)),
        }
    }

    /// The same, and who has gone lately.
    pub async fn presence_news(&self) -> Result<Option<Bytes>, CallError> {
        match self.read(Read::PresenceNews).await? {
            Answer::Presence(frame) => Ok(frame),
            other => Err(unexpected(&other)),
        }
    }

    /// Waits until a session's first so many edits have been looked at, and what was taken of them is on disk, unless the room
    /// runs ahead of it; answers a `SyncStep1` frame that asks for what the map lacks.
    pub async fn turn(&self, session: SessionId, edits: u64) -> Result<Bytes, CallError> {
        match self.read(Read::Turn { after: (session, edits) }).await? {
            Answer::Turn(question) => Ok(question),
            other => Err(unexpected(&other)),
        }
    }

    /// The map as one update, with everything that is durable now.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, CallError> {
        let share = self.share(&self.0.states, 1).await?;
        match self.read(Read::Snapshot).await? {
            Answer::Snapshot(snapshot) => {
                if let Some(share) = share {
                    snapshot.paid.pay(share, snapshot.update.len());
                }
                Ok(snapshot)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// The map as JSON, with everything that is durable now.
    pub async fn view(&self) -> Result<Arc<GraphView>, CallError> {
        let share = self.share(&self.0.views, JSON_OF_MAP).await?;
        match self.read(Read::View).await? {
            Answer::View(view) => {
                if let Some(share) = share {
                    view.paid.pay(share, view.body.len());
                }
                Ok(view)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Hands over a client's update; returns when the room has taken it into its lane.
    pub async fn update(&self, session: SessionId, update: Bytes) -> Result<(), Closed> {
        let permit = self.0.lanes.permit(update.len()).await?;
        self.0.lanes.edits.send(Box::new(LaneEdit::Update { session, update, permit })).await.map_err(|_| Closed)
    }

    /// As [`RoomHandle::update`] when there is room at once; gives the update back when there is not.
    pub fn try_update(&self, session: SessionId, update: Bytes) -> Result<(), Bytes> {
        let Some(permit) = self.0.lanes.try_permit(update.len()) else { return Err(update) };
        let message = Box::new(LaneEdit::Update { session, update, permit });
        self.0.lanes.edits.try_send(message).map_err(|error| match *error.into_inner() {
            LaneEdit::Update { update, .. } => update,
            LaneEdit::Map { .. } | LaneEdit::Run { .. } => Bytes::new(),
        })
    }

    /// Edits the map; returns the map with the edit when it is durable.
    pub async fn edit(&self, edit: MapEdit) -> Result<Arc<GraphView>, CallError> {
        let permit = self.0.lanes.permit(map_edit_bytes(&edit)).await.map_err(|Closed| CallError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let message = Box::new(LaneEdit::Map { edit: Box::new(edit), reply, permit });
        self.0.lanes.edits.send(message).await.map_err(|_| CallError::Closed)?;
        match settled(answer).await? {
            Answer::View(view) => {
                // It is done: whoever did it is not refused the answer, but counts against those who ask.
                self.0
                    .views
                    .try_take(view.body.len())
                    .into_iter()
                    .for_each(|share| view.paid.pay(share, view.body.len()));
                Ok(view)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Edits the map for a run of the AI, unless it is later than `not_after` by then; returns what came of it when it is durable.
    pub async fn run(&self, edit: RunEdit, not_after: Option<Instant>) -> Result<RunOutcome, CallError> {
        let permit = self.0.lanes.permit(run_edit_bytes(&edit)).await.map_err(|Closed| CallError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let message = Box::new(LaneEdit::Run { edit: Box::new(edit), not_after, reply, permit });
        self.0.lanes.edits.send(message).await.map_err(|_| CallError::Closed)?;
        match settled(answer).await? {
            Answer::Outcome(outcome) => Ok(outcome),
            other => Err(unexpected(&other)),
        }
    }

    /// Shows a run of the AI among those present, and keeps the room open, until the answer is dropped.
    pub async fn show_run(&self, run: RunShown) -> Result<RunPlace, CallError> {
        let place = RunPlace::new(self.clone(), run.job.as_str());
        place.show(run).await?;
        Ok(place)
    }

    /// The map as plain data, with everything that is durable now.
    pub async fn map(&self) -> Result<Arc<MapState>, CallError> {
        match self.read(Read::Map).await? {
            Answer::Map(map) => Ok(map),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes the map what it was, after keeping what it is as a version; returns it when that is durable.
    pub async fn restore(&self, restoring: Restoring) -> Result<Arc<GraphView>, CallError> {
        let (reply, answer) = oneshot::channel();
        self.control(Control::Restore { restoring, reply }).await?;
        match settled(answer).await? {
            Answer::View(view) => Ok(view),
            other => Err(unexpected(&other)),
        }
    }

    /// Waits until the room has what the store has now; not longer than somebody waits for a map that is a moment old.
    pub async fn freshen(&self) -> Result<(), CallError> {
        let (reply, answer) = oneshot::channel();
        self.control(Control::Freshen { reply }).await?;
        let is_slow = self.0.slow_until.lock().is_some_and(|until| Instant::now() < until);
        let patience = if is_slow { FRESH_WITHIN_WHEN_SLOW } else { FRESH_WITHIN };
        let Ok(fresh) = timeout(patience, settled(answer)).await else {
            if !is_slow {
                *self.0.slow_until.lock() = Some(Instant::now() + SLOW_FOR);
            }
            return Ok(());
        };
        fresh.map(drop)
    }

    /// Deletes the graph and ends every session in it.
    pub async fn delete(&self) -> Result<(), CallError> {
        let (reply, answer) = oneshot::channel();
        self.control(Control::Delete { reply }).await?;
        settled(answer).await.map(|_| ())
    }

    async fn read(&self, read: Read) -> Result<Answer, CallError> {
        let (reply, answer) = oneshot::channel();
        self.control(Control::Read { read, reply }).await?;
        settled(answer).await
    }

    pub(super) async fn control(&self, message: Control) -> Result<(), CallError> {
        self.0.lanes.control.send(Box::new(message)).await.map_err(|_| CallError::Closed)
    }

    /// Says that somebody has gone: whom the room believes present would keep it open for ever.
    pub(super) fn say_surely(&self, message: Control) {
        let control = &self.0.lanes.control;
        if let Err(mpsc::error::TrySendError::Full(message)) = control.try_send(Box::new(message)) {
            let control = control.clone();
            #[expect(clippy::disallowed_methods, reason = "shutdown waits for rooms, and a room for this message")]
            tokio::spawn(async move { control.send(message).await.ok() });
        }
    }

    /// Waits for a share of a budget for an answer of about so many times the map; a small answer needs none.
    async fn share(&self, of: &Answers, times_map: usize) -> Result<Option<AnswerShare>, CallError> {
        let bytes = self.0.document_bytes.load(Ordering::Relaxed) * times_map;
        if bytes < COUNTED_FROM_BYTES {
            return Ok(None);
        }
        match timeout(SHARE_WITHIN, of.take(bytes)).await {
            Ok(share) => Ok(share),
            Err(_) => Err(CallError::Room(RoomError::AtCapacity { what: "large maps on their way to clients" })),
        }
    }
}

/// The answer, or what it means that none comes: a room that closes answers, one that panics cannot.
async fn settled<T>(answer: oneshot::Receiver<Result<T, CallError>>) -> Result<T, CallError> {
    answer.await.unwrap_or(Err(CallError::Room(RoomError::Panicked)))
}

fn unexpected(answer: &Answer) -> CallError {
    debug_assert!(false, "a room answered another question: {answer:?}");
    CallError::Room(RoomError::Panicked)
}
