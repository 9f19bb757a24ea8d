//! Jobs of the AI in the store: a queue that any node takes from, under leases.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use synapti_protocol::graph_id::GraphId;
use uuid::Uuid;

use super::StoreError;

/// Name of a job; by it, of the nodes that it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub Uuid);

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// A new map.
    Generate,
    /// Children of a node.
    Expand,
    /// What a map is worth.
    Coherence,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It waits for a node that takes it.
    Queued,
    /// A node has taken it.
    Running,
    /// It is done.
    Succeeded,
    /// It could not be done.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

/// A job to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Its name, made by the caller (UUID version 7).
    pub id: JobId,
    /// The map.
    pub graph: GraphId,
    /// What it is for.
    pub kind: JobKind,
    /// Who wants it; empty for people without a name.
    pub client: String,
    /// What exactly, as JSON; the store does not look into it.
    pub request: String,
    /// The caller's own name for this request, and a hash of what was asked: the same name twice means the same job.
    pub idempotency: Option<(String, String)>,
    /// When it was asked for.
    pub at: Timestamp,
}

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRecord {
    /// Its name.
    pub id: JobId,
    /// The map.
    pub graph: GraphId,
    /// What it is for.
    pub kind: JobKind,
    /// Who wants it.
    pub client: String,
    /// What exactly, as JSON.
    pub request: String,
    /// How far it is.
    pub status: JobStatus,
    /// The same as a number, 0 to 1.
    pub progress: f64,
    /// What has been done so far, as JSON; empty before the first step.
    pub state: String,
    /// What came of it, as JSON.
    pub result: Option<String>,
    /// Why it failed, as JSON.
    pub error: Option<String>,
    /// Whether somebody wants it to stop.
    pub stop_asked: bool,
    /// How often a node has taken it.
    pub attempts: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its row changed last.
    pub updated_at: Timestamp,
    /// Rises with every change of the row.
    pub revision: i64,
}

/// A node's right to a job until its lease ends. The fence rises with each lease of a job, so that an older one is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobLease {
    /// The job.
    pub job: JobId,
    /// Which lease of it.
    pub fence: i64,
}

/// How a node takes jobs.
#[derive(Clone, Debug)]
pub struct Claim {
    /// This run of the program.
    pub node: Uuid,
    /// How long a lease lasts that is not renewed.
    pub lasts: Duration,
    /// Running jobs of one client; 0 = no limit. Not counted for people without a name.
    pub per_client_max: u32,
    /// Running jobs in one map; 0 = no limit.
    pub per_graph_max: u32,
    /// Leases of one job; a job that was taken so often before is not taken again, but handed out once more to be failed.
    pub attempts_max: u32,
    /// The time, for stores without a clock of their own.
    pub now: Timestamp,
}

/// What became of a new job.
#[derive(Clone, Debug, PartialEq)]
pub enum Submitted {
    /// It is in the queue, or already this node's when a lease comes with it.
    New(Box<JobRecord>, Option<JobLease>),
    /// The same request came before under this name.
    Known(Box<JobRecord>),
    /// Another request came before under this name.
    NameTaken,
    /// Too many jobs wait.
    QueueFull,
}

/// A change of a running job by the node that has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobChange {
    /// The new progress.
    pub progress: Option<f64>,
    /// The new state.
    pub state: Option<String>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub struct JobEnd {
    /// One of the three last ones of [`JobStatus`].
    pub status: JobStatus,
    /// What came of it, as JSON.
    pub result: Option<String>,
    /// Why it failed, as JSON.
    pub error: Option<String>,
    /// The last state.
    pub state: String,
}

/// What a node learns when it renews a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The lease.
    pub lease: JobLease,
    /// Whether it still holds; if not, somebody else has the job or it has ended.
    pub is_held: bool,
    /// Whether somebody wants the job to stop.
    pub stop_asked: bool,
}

/// What was used up on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens, read and written.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub micro_dollars: u64,
}

/// The queue of jobs.
///
/// Guarantees every backend gives:
/// - what returned `Ok` is durable;
/// - of one job, at most one lease holds at a time, by the database's own clock where there may be several nodes; nothing is changed
///   under a lease that does not hold;
/// - jobs are taken oldest first, as far as the limits of their clients and maps let them;
/// - leases of a process that is gone end by themselves, and at once where only one process can have the store.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Puts a job into the queue, unless `queue_max` (0 = no limit) wait. With a claim that the limits allow it is that node's at
    /// once, when no older job waits that they allow as well.
    async fn submit(&self, job: &NewJob, claim: Option<&Claim>, queue_max: u32) -> Result<Submitted, StoreError>;

    /// What [`JobStore::submit`] would answer if there were no room for anything new: nothing, the job that is known by this id or
    /// name, or that the name is taken.
    async fn known(&self, job: &NewJob) -> Result<Option<Submitted>, StoreError>;

    /// Takes the oldest job that waits or whose lease has ended.
    async fn claim(&self, claim: &Claim) -> Result<Option<(JobRecord, JobLease)>, StoreError>;

    /// Renews leases, one answer for each.
    async fn renew(&self, leases: &[JobLease], claim: &Claim) -> Result<Vec<Renewed>, StoreError>;

    /// Changes a running job; false when the lease does not hold.
    async fn save(&self, lease: JobLease, change: &JobChange, now: Timestamp) -> Result<bool, StoreError>;

    /// Ends a job; false when the lease does not hold.
    async fn finish(&self, lease: JobLease, end: &JobEnd, now: Timestamp) -> Result<bool, StoreError>;

    /// Gives a job back to the queue, as when the node stops; it is first in line again, and this attempt does not count.
    async fn give_back(&self, lease: JobLease, now: Timestamp) -> Result<bool, StoreError>;

    /// Notes that somebody wants a job to stop; one that waits is cancelled at once. Answers it as it is then.
    async fn ask_stop(&self, job: JobId, now: Timestamp) -> Result<Option<JobRecord>, StoreError>;

    /// Notes in an ended job what became of it since; false when it has not ended, or its revision is another than `revision`.
    async fn amend(&self, job: JobId, revision: i64, state: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// One job.
    async fn job(&self, job: JobId) -> Result<Option<JobRecord>, StoreError>;

    /// Jobs of a map, newest first: those before `before`, at most `limit`.
    async fn jobs_of(&self, graph: &GraphId, before: Option<JobId>, limit: u32) -> Result<Vec<JobRecord>, StoreError>;

    /// How many jobs wait, and how many run on all nodes.
    async fn job_counts(&self) -> Result<(u64, u64), StoreError>;

    /// Removes jobs that ended before `before`, and their maps' and clients' spending of days before that, at most `limit` rows of each; whether
    /// more is left.
    async fn trim_jobs(&self, before: Timestamp, limit: u32) -> Result<bool, StoreError>;

    /// Adds to what a client and a map have used up on the day of `at` (UTC).
    async fn spend(&self, client: &str, graph: &GraphId, spent: Spent, at: Timestamp) -> Result<(), StoreError>;

    /// What a client and a map have used up on the day of `at` (UTC).
    async fn spent(&self, client: &str, graph: &GraphId, at: Timestamp) -> Result<(Spent, Spent), StoreError>;

    /// Waits for a job that has changed through another node (or may have); `None` where there can be no other node. Cancel-safe;
    /// for one caller. An empty name means: some may have changed, look at all.
    async fn next_change(&self) -> Option<Option<JobId>>;
}
