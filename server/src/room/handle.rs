//! What the rest of the server holds of an open room.

use std::sync::Arc;

use bytes::Bytes;
use synapti_crdt::{Restorable, map::MapEdit};
use synapti_protocol::graph_id::GraphId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{
    Cursor, Feed, GraphView, Principal, RoomError, SessionId, SessionSlot,
    reads::{Answer, Read},
};

/// Joins, leaves, presence and reads that wait at most; their senders wait beyond that.
const CONTROL_LANE_MAX: usize = 1024;

/// Edits that wait in the lane at most; their senders stop reading from their sockets beyond that.
const EDITS_LANE_MAX: usize = 1024;

/// Bytes of edits that wait at most, in the lane and in the batch that gathers.
const EDITS_LANE_BYTES_MAX: usize = 32 << 20;

/// The same of all rooms of the node together.
const NODE_LANES_BYTES_MAX: usize = 256 << 20;

/// What the lanes of all rooms may hold together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LaneBudget(Arc<Semaphore>);

impl Default for LaneBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(NODE_LANES_BYTES_MAX)))
    }
}

/// A message's share of what lanes may hold, of its room's and of all.
#[derive(Debug)]
pub(crate) struct LanePermit {
    _room: OwnedSemaphorePermit,
    _node: OwnedSemaphorePermit,
}

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
    pub frames: Arc<[Bytes]>,
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

/// Where a room's answer goes.
type Reply = oneshot::Sender<Result<Answer, CallError>>;

/// An older state that a map is to become.
#[derive(Clone, Debug)]
pub struct Restoring {
    /// The state.
    pub older: Arc<Restorable>,
    /// Who wants it; noted in the version that the map as it is becomes first.
    pub author: Option<String>,
}

/// Messages of the control lane.
#[derive(Debug)]
pub(crate) enum Control {
    Join {
        session: SessionId,
        principal: Principal,
        slot: Arc<SessionSlot>,
        is_extended: bool,
        reply: oneshot::Sender<Result<Welcome, CallError>>,
    },
    Leave {
        session: SessionId,
    },
    Awareness {
        session: SessionId,
        payload: Bytes,
    },
    Read {
        read: Read,
        reply: Reply,
    },
    Delete {
        reply: Reply,
    },
    Restore {
        restoring: Restoring,
        reply: Reply,
    },
}

/// Messages of the edits lane. The permit is the message's share of the lane's bytes.
#[derive(Debug)]
pub(crate) enum LaneEdit {
    Update { session: SessionId, update: Bytes, permit: LanePermit },
    Map { edit: Box<MapEdit>, reply: Reply, permit: LanePermit },
}

/// Cheap to clone; the room lives on without it.
#[derive(Clone, Debug)]
pub struct RoomHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: GraphId,
    control: mpsc::Sender<Box<Control>>,
    edits: mpsc::Sender<Box<LaneEdit>>,
    edit_bytes: Arc<Semaphore>,
    budget: LaneBudget,
    feed: Arc<Feed>,
}

/// The room's ends of its lanes. Messages are boxed, because a lane keeps blocks of 32 places and most rooms are quiet.
#[derive(Debug)]
pub(crate) struct Lanes {
    pub(super) control: mpsc::Receiver<Box<Control>>,
    pub(super) edits: mpsc::Receiver<Box<LaneEdit>>,
}

impl Lanes {
    /// Takes nothing more, and tells everybody who waits why. Nothing of what they asked is done. A client's update is
    /// dropped without a word: its session is not in the room, or ends with it.
    pub(crate) async fn turn_away(&mut self, why: impl Fn() -> CallError) {
        self.control.close();
        self.edits.close();
        while let Some(message) = self.control.recv().await {
            match *message {
                // Whoever asked may have given up.
                Control::Join { reply, .. } => drop(reply.send(Err(why()))),
                Control::Read { reply, .. } | Control::Delete { reply } | Control::Restore { reply, .. } => {
                    drop(reply.send(Err(why())));
                }
                Control::Leave { .. } | Control::Awareness { .. } => {}
            }
        }
        while let Some(message) = self.edits.recv().await {
            if let LaneEdit::Map { reply, .. } = *message {
                drop(reply.send(Err(why())));
            }
        }
    }
}

impl RoomHandle {
    pub(crate) fn new(id: GraphId, feed: Arc<Feed>, budget: LaneBudget) -> (Self, Lanes) {
        let (control, control_lane) = mpsc::channel(CONTROL_LANE_MAX);
        let (edits, edits_lane) = mpsc::channel(EDITS_LANE_MAX);
        let edit_bytes = Arc::new(Semaphore::new(EDITS_LANE_BYTES_MAX));
        let handle = Self(Arc::new(Inner { id, control, edits, edit_bytes, budget, feed }));
        (handle, Lanes { control: control_lane, edits: edits_lane })
    }

    /// The graph.
    pub fn id(&self) -> &GraphId {
        &self.0.id
    }

    /// What the room publishes.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.0.feed
    }

    /// Whether two handles are of the same opening of a room.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Takes a place in the room; an extended session is told what becomes of its edits.
    pub async fn join(&self, session: SessionId, principal: Principal, is_extended: bool) -> Result<Joined, CallError> {
        let slot = Arc::new(SessionSlot::default());
        let (reply, answer) = oneshot::channel();
        self.control(Control::Join { session, principal, slot: slot.clone(), is_extended, reply }).await?;
        // From here on the room may know the session, so that it has to be told when this call is given up.
        let membership = Membership { room: self.clone(), session };
        let welcome = settled(answer).await?;
        Ok(Joined { membership, slot, welcome })
    }

    /// Says something of a session's own presence.
    pub async fn awareness(&self, session: SessionId, payload: Bytes) -> Result<(), CallError> {
        self.control(Control::Awareness { session, payload }).await
    }

    /// As [`RoomHandle::awareness`] when there is room at once.
    pub fn try_awareness(&self, session: SessionId, payload: Bytes) -> bool {
        self.0.control.try_send(Box::new(Control::Awareness { session, payload })).is_ok()
    }

    /// Asks for everything beyond a state vector, which the caller has checked. With `after`, the answer contains so
    /// many edits of that session.
    pub async fn sync(&self, state_vector: Bytes, after: Option<(SessionId, u64)>) -> Result<SyncReply, CallError> {
        match self.read(Read::Sync { state_vector, after }).await? {
            Answer::Sync(reply) => Ok(reply),
            other => Err(unexpected(&other)),
        }
    }

    /// Everybody's presence as one frame, if anybody shows any.
    pub async fn presence(&self) -> Result<Option<Bytes>, CallError> {
        match self.read(Read::Presence).await? {
            Answer::Presence(frame) => Ok(frame),
            other => Err(unexpected(&other)),
        }
    }

    /// The map as JSON, with everything that is durable now.
    pub async fn view(&self) -> Result<Arc<GraphView>, CallError> {
        match self.read(Read::View).await? {
            Answer::View(view) => Ok(view),
            other => Err(unexpected(&other)),
        }
    }

    /// Hands over a client's update; returns when the room has taken it into its lane.
    pub async fn update(&self, session: SessionId, update: Bytes) -> Result<(), Closed> {
        let permit = self.permit(update.len()).await?;
        self.0.edits.send(Box::new(LaneEdit::Update { session, update, permit })).await.map_err(|_| Closed)
    }

    /// As [`RoomHandle::update`] when there is room at once; gives the update back when there is not.
    pub fn try_update(&self, session: SessionId, update: Bytes) -> Result<(), Bytes> {
        let Some(permit) = self.try_permit(update.len()) else { return Err(update) };
        let message = Box::new(LaneEdit::Update { session, update, permit });
        self.0.edits.try_send(message).map_err(|error| match *error.into_inner() {
            LaneEdit::Update { update, .. } => update,
            LaneEdit::Map { .. } => Bytes::new(),
        })
    }

    /// Edits the map; returns the map with the edit when it is durable.
    pub async fn edit(&self, edit: MapEdit) -> Result<Arc<GraphView>, CallError> {
        let permit = self.permit(1024).await.map_err(|Closed| CallError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let message = Box::new(LaneEdit::Map { edit: Box::new(edit), reply, permit });
        self.0.edits.send(message).await.map_err(|_| CallError::Closed)?;
        match settled(answer).await? {
            Answer::View(view) => Ok(view),
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

    async fn control(&self, message: Control) -> Result<(), CallError> {
        self.0.control.send(Box::new(message)).await.map_err(|_| CallError::Closed)
    }

    /// The room's share first: who waits for its room holds nothing of what all rooms share.
    async fn permit(&self, bytes: usize) -> Result<LanePermit, Closed> {
        let room = self.0.edit_bytes.clone().acquire_many_owned(weight(bytes)).await.map_err(|_| Closed)?;
        let node = self.0.budget.0.clone().acquire_many_owned(weight(bytes)).await.map_err(|_| Closed)?;
        Ok(LanePermit { _room: room, _node: node })
    }

    fn try_permit(&self, bytes: usize) -> Option<LanePermit> {
        let room = self.0.edit_bytes.clone().try_acquire_many_owned(weight(bytes)).ok()?;
        let node = self.0.budget.0.clone().try_acquire_many_owned(weight(bytes)).ok()?;
        Some(LanePermit { _room: room, _node: node })
    }
}

/// A session's place in a room; dropping it leaves the room.
#[derive(Debug)]
pub struct Membership {
    room: RoomHandle,
    session: SessionId,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let leave = Box::new(Control::Leave { session: self.session });
        if let Err(mpsc::error::TrySendError::Full(leave)) = self.room.0.control.try_send(leave) {
            // A session that the room believes present would keep it open for ever.
            let control = self.room.0.control.clone();
            #[expect(clippy::disallowed_methods, reason = "shutdown waits for rooms, and a room for this message")]
            tokio::spawn(async move { control.send(leave).await.ok() });
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

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes.clamp(1, EDITS_LANE_BYTES_MAX)).unwrap_or(u32::MAX)
}
