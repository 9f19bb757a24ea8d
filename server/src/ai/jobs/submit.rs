//! Takes a job in.

use synapti_crdt::map::{MapEdit, NewNode, Source};
use synapti_protocol::graph_id::GraphId;
use tokio::time::Instant;

use super::{
    Jobs,
    error::JobError,
    request::{GenerateRequest, JobRequest},
};
use crate::{
    room::RoomError,
    store::{JobId, JobKind, JobRecord, NewJob, StoreError, Submitted},
};

/// What somebody wants.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The job's name.
    pub id: JobId,
    /// The map.
    pub graph: GraphId,
    /// Who wants it; empty for people without a name.
    pub client: String,
    /// What exactly.
    pub request: JobRequest,
    /// The caller's own name for this request, and a hash of what was asked.
    pub idempotency: Option<(String, String)>,
}

/// Why a job was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Another request has this name.
    #[error("this Idempotency-Key was used for another request: choose a new one for each request")]
    NameTaken,
    /// Too many wait.
    #[error("too many requests wait for the AI: try again a little later")]
    QueueFull,
    /// There is nothing left to spend.
    #[error("{}", .0.message)]
    Budget(JobError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Jobs {
    /// Takes a job in. It is durable then, and begins as soon as there is room for it.
    pub async fn submit(&self, submission: Submission) -> Result<JobRecord, SubmitError> {
        let Submission { id, graph, client, request, idempotency } = submission;
        let kind = match &request {
            JobRequest::Generate(_) => JobKind::Generate,
            JobRequest::Expand(_) => JobKind::Expand,
            JobRequest::Coherence(_) => JobKind::Coherence,
        };
        let request = serde_json::to_string(&request).unwrap_or_default();
        let job = NewJob { id, graph, kind, client, request, idempotency, at: self.clock.now() };
        if let Err(error) = self.may_spend(&job).await {
            // What was asked before costs nothing more.
            return match self.store.jobs().known(&job).await? {
                Some(Submitted::Known(record)) => Ok(*record),
                Some(Submitted::NameTaken) => Err(SubmitError::NameTaken),
                _ => Err(error),
            };
        }
        // With room here it is ours at once, which saves asking for it.
        let place = self.places.clone().try_acquire_owned().ok();
        let (asked, claim) = (Instant::now(), place.as_ref().map(|_| self.claim()));
        match self.store.jobs().submit(&job, claim.as_ref(), self.options.queue_max).await? {
            Submitted::New(record, lease) => {
                match (lease, place) {
                    (Some(lease), Some(place)) => self.begin((*record).clone(), lease, asked, place),
                    _ => self.wake.notify_one(),
                }
                Ok(*record)
            }
            Submitted::Known(record) => Ok(*record),
            Submitted::NameTaken => Err(SubmitError::NameTaken),
            Submitted::QueueFull => Err(SubmitError::QueueFull),
        }
    }

    async fn may_spend(&self, job: &NewJob) -> Result<(), SubmitError> {
        if self.is_free() {
            return Ok(());
        }
        self.budget_left(&job.client, &job.graph).await.map_err(|error| match error.code.as_str() {
            "budget_spent" => SubmitError::Budget(error),
            _ => SubmitError::Store(StoreError::Unusable(error.message)),
        })
    }

    /// Makes the map that is to grow, unless that was done before.
    ///
    /// # Errors
    /// [`RoomError::Exists`] when there is something else in it.
    pub async fn make_map(&self, graph: &GraphId, request: &GenerateRequest) -> Result<(), RoomError> {
        let root = NewNode::new(request.root.clone(), request.topic.clone());
        let created_at = self.clock.now().to_string();
        let init = MapEdit::Init { topic: request.topic.clone(), root: Some(root), created_at };
        match self.hub.create(graph, init).await {
            Err(RoomError::Exists) => {
                let map = self.hub.map(graph).await?;
                if map.nodes.contains_key(&request.root) { Ok(()) } else { Err(RoomError::Exists) }
            }
            made => made.map(drop),
        }
    }

    /// Whether answers cost nothing.
    pub(super) fn is_free(&self) -> bool {
        self.answers.asker.provider().source() == Source::Template
    }
}
