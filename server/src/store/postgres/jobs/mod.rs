//! Jobs on the server, where any node takes from one queue. Whether a lease holds is decided by the server's clock, in the
//! statement that relies on it. Other nodes are told of each change when it is committed.

mod change;
mod changes;
mod queue;
mod row;
mod spending;

use async_trait::async_trait;
use jiff::Timestamp;
use synapti_protocol::graph_id::GraphId;

pub(super) use self::changes::Changes;
use super::{ANSWERED_WITHIN, PostgresStore, lease::View, within};
use crate::store::{
    Claim, JobChange, JobEnd, JobId, JobLease, JobRecord, JobStore, NewJob, Renewed, Spent, StoreError, Submitted,
    job_rows::{check_end, check_new, check_state},
};

/// Channel on which nodes tell each other of jobs that changed, by their ids. A channel is the database's own.
const CHANNEL: &str = "synapti_jobs";

#[async_trait]
impl JobStore for PostgresStore {
    async fn submit(&self, job: &NewJob, claim: Option<&Claim>, queue_max: u32) -> Result<Submitted, StoreError> {
        check_new(job)?;
        let submitting = async {
            let mut lease = self.lease().await?;
            lease.begin(View::Newest).await?;
            let submitted = queue::submit(lease.connection(), job, claim, queue_max).await;
            if matches!(submitted, Ok(Submitted::QueueFull)) {
                sqlx::query("ROLLBACK").execute(lease.connection()).await?;
                lease.give_back();
                return submitted;
            }
            lease.end(submitted).await
        };
        within(ANSWERED_WITHIN, submitting).await
    }

    async fn known(&self, job: &NewJob) -> Result<Option<Submitted>, StoreError> {
        let looking = async {
            let mut lease = self.lease().await?;
            let known = queue::known(lease.connection(), job).await;
            lease.settle(known)
        };
        within(ANSWERED_WITHIN, looking).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Option<(JobRecord, JobLease)>, StoreError> {
        let claiming = async {
            let mut lease = self.lease().await?;
            // Most looks find nothing, and must not queue for that.
            let is_any_ready = queue::is_any_ready(lease.connection(), claim).await;
            if !matches!(is_any_ready, Ok(true)) {
                return lease.settle(is_any_ready.map(|_| None));
            }
            lease.begin(View::Newest).await?;
            let claimed = queue::claim(lease.connection(), claim).await;
            lease.end(claimed).await?.transpose()
        };
        within(ANSWERED_WITHIN, claiming).await
    }

    async fn renew(&self, leases: &[JobLease], claim: &Claim) -> Result<Vec<Renewed>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let renewing = async {
            let mut lease = self.lease().await?;
            let renewed = change::renew(lease.connection(), leases, claim).await;
            lease.settle(renewed)
        };
        within(ANSWERED_WITHIN, renewing).await
    }

    async fn save(&self, lease: JobLease, change: &JobChange, now: Timestamp) -> Result<bool, StoreError> {
        check_state(change.state.as_deref().unwrap_or_default())?;
        let saving = async {
            let mut connection = self.lease().await?;
            let saved = change::save(connection.connection(), lease, change, now).await;
            connection.settle(saved)
        };
        within(ANSWERED_WITHIN, saving).await
    }

    async fn finish(&self, lease: JobLease, end: &JobEnd, now: Timestamp) -> Result<bool, StoreError> {
        check_end(end)?;
        let ending = async {
            let mut connection = self.lease().await?;
            let ended = change::finish(connection.connection(), lease, end, now).await;
            connection.settle(ended)
        };
        within(ANSWERED_WITHIN, ending).await
    }

    async fn give_back(&self, lease: JobLease, now: Timestamp) -> Result<bool, StoreError> {
        let giving = async {
            let mut connection = self.lease().await?;
            let given = change::give_back(connection.connection(), lease, now).await;
            connection.settle(given)
        };
        within(ANSWERED_WITHIN, giving).await
    }

    async fn ask_stop(&self, job: JobId, now: Timestamp) -> Result<Option<JobRecord>, StoreError> {
        let asking = async {
            let mut lease = self.lease().await?;
            let asked = change::ask_stop(lease.connection(), job, now).await;
            lease.settle(asked)
        };
        within(ANSWERED_WITHIN, asking).await
    }

    async fn amend(&self, job: JobId, revision: i64, state: &str, now: Timestamp) -> Result<bool, StoreError> {
        check_state(state)?;
        let amending = async {
            let mut lease = self.lease().await?;
            let amended = change::amend(lease.connection(), job, revision, state, now).await;
            lease.settle(amended)
        };
        within(ANSWERED_WITHIN, amending).await
    }

    async fn job(&self, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        let reading = async {
            let mut lease = self.lease().await?;
            let found = queue::one(lease.connection(), job).await;
            lease.settle(found)
        };
        within(ANSWERED_WITHIN, reading).await
    }

    async fn jobs_of(&self, graph: &GraphId, before: Option<JobId>, limit: u32) -> Result<Vec<JobRecord>, StoreError> {
        let listing = async {
            let mut lease = self.lease().await?;
            let listed = queue::list(lease.connection(), graph, before, limit).await;
            lease.settle(listed)
        };
        within(ANSWERED_WITHIN, listing).await
    }

    async fn job_counts(&self) -> Result<(u64, u64), StoreError> {
        let counting = async {
            let mut lease = self.lease().await?;
            let counted = queue::counts(lease.connection()).await;
            lease.settle(counted)
        };
        within(ANSWERED_WITHIN, counting).await
    }

    async fn trim_jobs(&self, before: Timestamp, limit: u32) -> Result<bool, StoreError> {
        let trimming = async {
            let mut lease = self.lease().await?;
            let trimmed = spending::trim(lease.connection(), before, limit).await;
            lease.settle(trimmed)
        };
        within(ANSWERED_WITHIN, trimming).await
    }

    async fn spend(&self, client: &str, graph: &GraphId, spent: Spent, at: Timestamp) -> Result<(), StoreError> {
        let spending = async {
            let mut lease = self.lease().await?;
            let added = spending::add(lease.connection(), client, graph, spent, at).await;
            lease.settle(added)
        };
        within(ANSWERED_WITHIN, spending).await
    }

    async fn spent(&self, client: &str, graph: &GraphId, at: Timestamp) -> Result<(Spent, Spent), StoreError> {
        let reading = async {
            let mut lease = self.lease().await?;
            let read = spending::read(lease.connection(), client, graph, at).await;
            lease.settle(read)
        };
        within(ANSWERED_WITHIN, reading).await
    }

    async fn next_change(&self) -> Option<Option<JobId>> {
        self.changes.next().await
    }
}
