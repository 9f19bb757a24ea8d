//! What is said to a room, and how much of it may wait.

use std::sync::Arc;

use bytes::Bytes;
use synapti_crdt::map::{MapEdit, RunEdit};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    About, Entrant, SessionId, SessionSlot,
    handle::{CallError, Closed, Restoring, Welcome},
    reads::{Answer, Read},
    state::RunShown,
};
use crate::limits::{
    answers::Answers,
    budget::{ByteBudget, Share},
};

/// Joins, leaves, presence and reads that wait at most; their senders wait beyond that.
const CONTROL_LANE_MAX: usize = 1024;

/// Edits that wait in the lane at most; their senders stop reading from their sockets beyond that.
const EDITS_LANE_MAX: usize = 1024;

/// Bytes of edits that wait at most, in the lane and in the batch that gathers.
const EDITS_LANE_BYTES_MAX: usize = 32 << 20;

/// The same of all rooms of the node together.
const NODE_LANES_BYTES_MAX: usize = 256 << 20;

/// Bytes of large states on their way to clients of this node; what several get counts once. The same for maps as JSON,
/// which somebody may take slowly: that must not keep people from their maps.
const NODE_ANSWERS_BYTES_MAX: usize = 256 << 20;

/// Bytes of files that are being made into maps. Reading one takes several times its size.
const NODE_IMPORTS_BYTES_MAX: usize = 64 << 20;

/// What all rooms of a node may hold together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NodeBudgets {
    /// Edits in lanes.
    pub lanes: ByteBudget,
    /// States on their way to clients.
    pub states: Answers,
    /// Maps as JSON on their way to clients.
    pub views: Answers,
    /// Files from which maps are made.
    pub imports: ByteBudget,
}

impl Default for NodeBudgets {
    fn default() -> Self {
        Self {
            lanes: ByteBudget::new(NODE_LANES_BYTES_MAX),
            states: Answers::new(NODE_ANSWERS_BYTES_MAX),
            views: Answers::new(NODE_ANSWERS_BYTES_MAX),
            imports: ByteBudget::new(NODE_IMPORTS_BYTES_MAX),
        }
    }
}

/// A message's share of what lanes may hold, of its room's and of all.
#[derive(Debug)]
pub(crate) struct LanePermit {
    _room: Share,
    _node: Share,
}

/// Where a room's answer goes.
type Reply = oneshot::Sender<Result<Answer, CallError>>;

/// Messages of the control lane.
#[derive(Debug)]
pub(crate) enum Control {
    Join {
        session: SessionId,
        entrant: Entrant,
        slot: Arc<SessionSlot>,
        reply: oneshot::Sender<Result<Welcome, CallError>>,
    },
    Leave {
        session: SessionId,
    },
    Awareness {
        session: SessionId,
        payload: Bytes,
        about: About,
    },
    Read {
        read: Read,
        reply: Reply,
    },
    Delete {
        reply: Reply,
    },
    Freshen {
        reply: Reply,
    },
    StoreHas {
        records: u64,
        is_deleted: bool,
    },
    Restore {
        restoring: Restoring,
        reply: Reply,
    },
    ShowRun {
        run: Box<RunShown>,
    },
    HideRun {
        job: Box<str>,
    },
}

/// Messages of the edits lane. The permit is the message's share of the lane's bytes.
#[derive(Debug)]
pub(crate) enum LaneEdit {
    Update { session: SessionId, update: Bytes, permit: LanePermit },
    Map { edit: Box<MapEdit>, reply: Reply, permit: LanePermit },
    Run { edit: Box<RunEdit>, not_after: Option<Instant>, reply: Reply, permit: LanePermit },
}

/// Where messages enter the lanes.
#[derive(Debug)]
pub(super) struct LaneEnds {
    pub(super) control: mpsc::Sender<Box<Control>>,
    pub(super) edits: mpsc::Sender<Box<LaneEdit>>,
    room_bytes: ByteBudget,
    node_bytes: ByteBudget,
}

/// The lanes of a room, and their entries.
pub(super) fn lanes(budgets: &NodeBudgets) -> (LaneEnds, Lanes) {
    let (control, control_lane) = mpsc::channel(CONTROL_LANE_MAX);
    let (edits, edits_lane) = mpsc::channel(EDITS_LANE_MAX);
    let (room_bytes, node_bytes) = (ByteBudget::new(EDITS_LANE_BYTES_MAX), budgets.lanes.clone());
    (LaneEnds { control, edits, room_bytes, node_bytes }, Lanes { control: control_lane, edits: edits_lane })
}

impl LaneEnds {
    /// Waits for an edit's share. The room's first: who waits for its room holds nothing of what all rooms share.
    pub(super) async fn permit(&self, bytes: usize) -> Result<LanePermit, Closed> {
        let room = self.room_bytes.take(bytes.max(1)).await.ok_or(Closed)?;
        let node = self.node_bytes.take(bytes.max(1)).await.ok_or(Closed)?;
        Ok(LanePermit { _room: room, _node: node })
    }

    /// As [`LaneEnds::permit`] if it is there at once.
    pub(super) fn try_permit(&self, bytes: usize) -> Option<LanePermit> {
        let (room, node) = (self.room_bytes.try_take(bytes.max(1))?, self.node_bytes.try_take(bytes.max(1))?);
        Some(LanePermit { _room: room, _node: node })
    }
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
                Control::Read { reply, .. }
                | Control::Delete { reply }
                | Control::Freshen { reply }
                | Control::Restore { reply, .. } => {
                    drop(reply.send(Err(why())));
                }
                Control::Leave { .. }
                | Control::Awareness { .. }
                | Control::StoreHas { .. }
                | Control::ShowRun { .. }
                | Control::HideRun { .. } => {}
            }
        }
        while let Some(message) = self.edits.recv().await {
            if let LaneEdit::Map { reply, .. } | LaneEdit::Run { reply, .. } = *message {
                drop(reply.send(Err(why())));
            }
        }
    }
}
