//! Edits on their way into a room's document.

use std::collections::HashMap;

use bytes::Bytes;
use synapti_crdt::map::{MapEdit, RunEdit};
use tokio::{sync::oneshot, time::Instant};

use super::{
    RequestId, RoomError, SessionId,
    handle::CallError,
    lanes::{LaneEdit, LanePermit},
    reads::Answer,
};

/// An edit that has not been integrated yet.
#[derive(Debug)]
pub enum Edit {
    /// A Yjs update of a client.
    Update {
        /// Whose it is.
        session: SessionId,
        /// The encoded update.
        update: Bytes,
    },
    /// An edit of the map through the API.
    Map {
        /// Who waits for it to be durable.
        request: RequestId,
        /// What to do.
        edit: Box<MapEdit>,
    },
    /// An edit of a run of the AI.
    Run {
        /// Who waits for it to be durable.
        request: RequestId,
        /// What to do.
        edit: Box<RunEdit>,
        /// Until when it may be integrated: later, another node may have the run.
        not_after: Option<Instant>,
    },
}

impl Edit {
    /// What it may add to the document, about.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Update { update, .. } => update.len(),
            Self::Map { edit, .. } => map_edit_bytes(edit),
            Self::Run { edit, .. } => run_edit_bytes(edit),
        }
    }
}

/// What an edit of the map adds besides its texts, about; its real size is counted once it is integrated.
const MAP_EDIT_BYTES: usize = 512;

/// The same of each further node or edge that one edit brings.
const MAP_PART_BYTES: usize = 192;

/// What an edit of the map may add to the document, about.
pub(super) fn map_edit_bytes(edit: &MapEdit) -> usize {
    MAP_EDIT_BYTES + MAP_PART_BYTES * (edit.parts() - 1) + edit.text_bytes()
}

/// The same of an edit of a run.
pub(super) fn run_edit_bytes(edit: &RunEdit) -> usize {
    MAP_EDIT_BYTES * (1 + edit.nodes_added()) + MAP_PART_BYTES * (edit.parts() - 1) + edit.text_bytes()
}

/// Edits in one batch at most: bounds how long a room integrates without looking up.
const BATCH_EDITS_MAX: usize = 4096;

/// Bytes in one batch at most, unless a single edit is larger: bounds one frame and one journal record.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Who waits for a room's answers.
#[derive(Debug, Default)]
pub(super) struct Callers {
    waiting: HashMap<RequestId, oneshot::Sender<Result<Answer, CallError>>>,
    next: u64,
}

impl Callers {
    pub(super) fn add(&mut self, reply: oneshot::Sender<Result<Answer, CallError>>) -> RequestId {
        self.next += 1;
        self.waiting.insert(RequestId(self.next), reply);
        RequestId(self.next)
    }

    pub(super) fn answer(&mut self, request: RequestId, answer: Answer) {
        if let Some(reply) = self.waiting.remove(&request) {
            let answer = match answer {
                Answer::Failed(error) => Err(CallError::Room(error)),
                answer => Ok(answer),
            };
            // Whoever asked may have given up; the edit stands all the same.
            let _ = reply.send(answer);
        }
    }
}

/// Edits gather here while a commit is on its way to disk.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    edits: Vec<Edit>,
    permits: Vec<LanePermit>,
    bytes: usize,
}

impl Gathering {
    /// Adds an edit at the end.
    pub(super) fn push(&mut self, message: LaneEdit, callers: &mut Callers) {
        let (edit, permit) = match message {
            LaneEdit::Update { session, update, permit } => (Edit::Update { session, update }, permit),
            LaneEdit::Map { edit, reply, permit } => (Edit::Map { request: callers.add(reply), edit }, permit),
            LaneEdit::Run { edit, not_after, reply, permit } => {
                (Edit::Run { request: callers.add(reply), edit, not_after }, permit)
            }
        };
        self.bytes += edit.bytes();
        self.edits.push(edit);
        self.permits.push(permit);
    }

    /// Whether more should be taken out of the lane: what stays in the lane slows its writers.
    pub(super) fn has_room(&self) -> bool {
        self.edits.len() < BATCH_EDITS_MAX && self.bytes < BATCH_BYTES_MAX
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Takes everything that has gathered, and gives its share of the lane back. What has come too late is refused.
    pub(super) fn cut(&mut self, callers: &mut Callers) -> Vec<Edit> {
        self.bytes = 0;
        self.permits.clear();
        let mut edits = std::mem::take(&mut self.edits);
        edits.retain(|edit| match edit {
            Edit::Run { request, not_after: Some(not_after), .. } if Instant::now() >= *not_after => {
                callers.answer(*request, Answer::Failed(RoomError::TooLate));
                false
            }
            _ => true,
        });
        edits
    }
}
