//! Jobs: what somebody asked the AI for, kept in the store until it is done. Any node takes a job, under a lease.
//!
//! [`Jobs`] takes them in and answers questions; [`scheduler`] takes them out of the queue; [`run`] does one.

mod error;
mod held;
pub mod report;
pub mod request;
pub mod run;
pub mod saga;
mod scheduler;
mod settle;
mod submit;
mod watch;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use synapti_protocol::graph_id::GraphId;
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::held::{Ending, Held, LEASE};
use crate::{
    ai::price::Prices,
    clock::Clock,
    config::MicroDollars,
    hub::Hub,
    store::{Claim, JobId, JobRecord, SharedStore, StoreError},
};

pub use error::JobError;
pub use run::answers::Answers;
pub use settle::SettleError;
pub use submit::{Submission, SubmitError};
pub use watch::Watcher;

/// Changes that whoever watches a job may be behind; beyond that they look again.
const CHANGES_MAX: usize = 4096;

/// How much of everything.
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// Runs at one time on this node.
    pub per_node_max: u32,
    /// Runs at one time for one user; 0 = no limit.
    pub per_client_max: u32,
    /// Runs at one time in one map; 0 = no limit.
    pub per_graph_max: u32,
    /// Jobs that may wait; 0 = no limit.
    pub queue_max: u32,
    /// How often an answer that failed in passing is asked for again.
    pub retries: u32,
    /// Tokens of the map that a model is told.
    pub context_tokens_max: usize,
    /// What a client may use up in a day.
    pub client_budget: Budget,
    /// What a map may use up in a day.
    pub graph_budget: Budget,
}

/// What may be used up in a day; 0 = no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// Tokens, read and written.
    pub tokens: u64,
    /// What they cost.
    pub cost: MicroDollars,
}

/// What jobs need. See [`Jobs::new`].
#[derive(Debug)]
pub struct JobParts {
    /// The rooms.
    pub hub: Hub,
    /// Where the queue is.
    pub store: SharedStore,
    /// Who answers.
    pub answers: Answers,
    /// What answers cost.
    pub prices: Prices,
    /// How much of everything.
    pub options: JobOptions,
    /// Where the time comes from.
    pub clock: Clock,
    /// Runs of this node.
    pub tracker: TaskTracker,
}

/// The AI's jobs. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

/// What [`Jobs`] is.
pub struct Inner {
    hub: Hub,
    store: SharedStore,
    answers: Answers,
    prices: Prices,
    options: JobOptions,
    clock: Clock,
    tracker: TaskTracker,
    /// This run of the program.
    node: Uuid,
    /// The runs of this node.
    running: Mutex<HashMap<JobId, Arc<Held>>>,
    /// Places for runs; closed when the node stops.
    places: Arc<Semaphore>,
    /// Cancelled when the node stops.
    stopping: CancellationToken,
    /// Rung when there may be something to take.
    wake: Notify,
    changes: broadcast::Sender<JobId>,
}

impl std::ops::Deref for Jobs {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Jobs {
    /// Jobs of this node. Nothing is taken before [`Jobs::work`].
    pub fn new(parts: JobParts) -> Self {
        let JobParts { hub, store, answers, prices, options, clock, tracker } = parts;
        let node = crate::ids::fresh(clock.now());
        let (running, wake, changes) = (Mutex::default(), Notify::new(), broadcast::Sender::new(CHANGES_MAX));
        let places = Arc::new(Semaphore::new(options.per_node_max as usize));
        let stopping = CancellationToken::new();
        let inner = Inner {
            hub,
            store,
            answers,
            prices,
            options,
            clock,
            tracker,
            node,
            running,
            places,
            stopping,
            wake,
            changes,
        };
        Self(Arc::new(inner))
    }

    /// Who answers.
    pub fn answers(&self) -> &Answers {
        &self.0.answers
    }

    /// One job.
    pub async fn job(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.store.jobs().job(id).await
    }

    /// Jobs of a map, newest first.
    pub async fn jobs_of(
        &self,
        graph: &GraphId,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>, StoreError> {
        self.store.jobs().jobs_of(graph, before, limit).await
    }

    /// Stops a job, on whichever node it is; answers it as it is then.
    pub async fn stop(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        // Here it is over at once; elsewhere as soon as that node hears of it.
        self.end(id, Ending::Stopped);
        let stopped = self.store.jobs().ask_stop(id, self.clock.now()).await?;
        self.changed(id);
        Ok(stopped)
    }

    /// Runs of this node.
    pub fn running(&self) -> usize {
        self.0.running.lock().len()
    }

    fn end(&self, id: JobId, why: Ending) {
        if let Some(held) = self.0.running.lock().get(&id) {
            held.end(why);
        }
    }

    /// Says that a job has changed, to those who watch it.
    fn changed(&self, id: JobId) {
        // Nobody may be watching.
        let _ = self.changes.send(id);
    }

    fn claim(&self) -> Claim {
        Claim {
            node: self.node,
            lasts: LEASE,
            per_client_max: self.options.per_client_max,
            per_graph_max: self.options.per_graph_max,
            attempts_max: run::ATTEMPTS_MAX,
            now: self.clock.now(),
        }
    }

    /// Whether somebody may use up more today.
    async fn budget_left(&self, client: &str, graph: &GraphId) -> Result<(), JobError> {
        let (of_client, of_graph) = (self.options.client_budget, self.options.graph_budget);
        if of_client.is_none() && of_graph.is_none() {
            return Ok(());
        }
        let (client_spent, graph_spent) = self.store.jobs().spent(client, graph, self.clock.now()).await?;
        let whose = if of_client.is_spent(client_spent) {
            "your"
        } else if of_graph.is_spent(graph_spent) {
            "this map's"
        } else {
            return Ok(());
        };
        Err(JobError::new(
            "budget_spent",
            format!("{whose} budget for the AI is spent for today: it begins anew at midnight UTC"),
        ))
    }

    /// Until the budgets begin anew.
    pub fn until_midnight(&self) -> Duration {
        const DAY: i64 = 86_400;
        let now = self.clock.now().as_second().rem_euclid(DAY);
        Duration::from_secs((DAY - now).unsigned_abs())
    }
}

impl Budget {
    fn is_none(self) -> bool {
        self.tokens == 0 && self.cost.0 == 0
    }

    fn is_spent(self, spent: crate::store::Spent) -> bool {
        (self.tokens > 0 && spent.tokens >= self.tokens) || (self.cost.0 > 0 && spent.micro_dollars >= self.cost.0)
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").field("running", &self.running()).finish_non_exhaustive()
    }
}
