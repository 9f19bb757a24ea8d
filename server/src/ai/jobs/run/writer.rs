//! A run's way into the map: one edit at a time, each as soon as the one before is on disk.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use synapti_crdt::map::{
    Fate, GrowStep, Grown, Growth, MapState, RunEdit, RunOutcome, Settled, Settlement, Source, Verdict,
};
use synapti_protocol::graph_id::GraphId;
use tokio::time::timeout;

use super::super::{error::JobError, held::Held, saga::Saga};
use crate::{hub::Hub, room::RoomError};

/// How long a run that ends waits for its last edit.
const LAST_EDIT_WITHIN: Duration = Duration::from_secs(2);

/// What a run writes with. Shared by all of its branches.
pub(in crate::ai::jobs) struct Writer {
    pub(super) hub: Hub,
    pub(super) graph: GraphId,
    /// The job, as its nodes name it.
    pub(super) run: String,
    pub(super) held: Arc<Held>,
    pub(super) saga: Arc<Mutex<Saga>>,
    /// Number of the next node.
    next: AtomicU32,
}

impl Writer {
    pub(super) fn new(hub: Hub, graph: GraphId, run: String, held: Arc<Held>, saga: Arc<Mutex<Saga>>) -> Self {
        Self { hub, graph, run, held, saga, next: AtomicU32::new(1) }
    }

    /// How the ids of this attempt's nodes begin. Another attempt's begin otherwise: an edit of a node that stood still may come late,
    /// and must not meet what was made since.
    pub(in crate::ai::jobs) fn prefix(&self) -> String {
        prefix(&self.run, self.held.lease.fence)
    }

    pub(super) fn next_number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Carries out steps, and notes what they wrote.
    pub(super) async fn grow(&self, source: Source, steps: Vec<GrowStep>) -> Result<Vec<Fate>, JobError> {
        let edit = RunEdit::Grow(Growth { run: self.run.clone(), source, steps });
        match self.hub.edit_for_run(&self.graph, edit, self.held.until()).await? {
            RunOutcome::Grown(Grown { fates, wrote }) => {
                self.saga.lock().note(wrote);
                Ok(fates)
            }
            RunOutcome::Settled(_) => Ok(Vec::new()),
        }
    }

    /// Removes nodes that are not whole, unless somebody has made something of them; answers those.
    /// `with_open` = also when it is not known what was written last.
    pub(super) async fn discard(&self, nodes: Vec<String>, with_open: bool) -> Result<Vec<String>, JobError> {
        if nodes.is_empty() {
            return Ok(Vec::new());
        }
        self.settle(Verdict::Undo, Some(nodes), with_open).await.map(|settled| settled.kept)
    }

    /// Removes all that the run proposes and nobody has touched.
    pub(super) async fn take_back(&self) -> Result<Settled, JobError> {
        self.settle(Verdict::Reject, None, true).await
    }

    async fn settle(&self, what: Verdict, nodes: Option<Vec<String>>, with_open: bool) -> Result<Settled, JobError> {
        let wrote = self.saga.lock().wrote(with_open);
        let edit = RunEdit::Settle(Settlement { run: self.run.clone(), what, nodes, wrote });
        let until = self.held.until();
        let settled = timeout(LAST_EDIT_WITHIN, self.hub.edit_for_run(&self.graph, edit, until)).await;
        match settled.unwrap_or(Err(RoomError::NotSaved))? {
            RunOutcome::Settled(settled) => Ok(settled),
            RunOutcome::Grown(_) => Ok(Settled::default()),
        }
    }
}

/// How the ids of nodes begin that a run makes under one lease.
pub(in crate::ai::jobs) fn prefix(run: &str, fence: i64) -> String {
    format!("{run}-{fence}")
}

/// The nodes that a run has made, by their ids.
pub(in crate::ai::jobs) fn own_nodes<'a>(map: &'a MapState, run: &'a str) -> impl Iterator<Item = &'a String> {
    map.nodes.iter().filter(move |(_, node)| node.run.as_deref() == Some(run)).map(|(id, _)| id)
}
