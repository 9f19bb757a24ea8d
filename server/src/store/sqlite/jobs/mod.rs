//! Jobs in the file. Each call that writes is one short transaction, in turn with appends; this process is the only one, so
//! the caller's clock is everybody's.

mod change;
mod queue;
mod row;
mod spending;

use async_trait::async_trait;
use jiff::Timestamp;
use synapti_protocol::graph_id::GraphId;

use self::row::{job_record, text};
use super::{SqliteStore, connection::Lease};
use crate::store::{
    Claim, JobChange, JobEnd, JobId, JobLease, JobRecord, JobStore, NewJob, Renewed, Spent, StoreError, Submitted,
    job_rows::{LIST_ROWS_MAX, check_end, check_new, check_state},
};

#[async_trait]
impl JobStore for SqliteStore {
    async fn submit(&self, job: &NewJob, claim: Option<&Claim>, queue_max: u32) -> Result<Submitted, StoreError> {
        check_new(job)?;
        let mut writing = self.begin_writing().await?;
        let submitted = queue::submit(writing.connection(), job, claim, queue_max).await?;
        end_writing(writing, matches!(submitted, Submitted::New(..))).await?;
        Ok(submitted)
    }

    async fn known(&self, job: &NewJob) -> Result<Option<Submitted>, StoreError> {
        queue::known(&mut *self.readers.acquire().await?, job).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Option<(JobRecord, JobLease)>, StoreError> {
        // Most looks find nothing, and must not take turns with appends for that.
        if !queue::is_any_ready(&self.readers, claim).await? {
            return Ok(None);
        }
        let mut writing = self.begin_writing().await?;
        let claimed = queue::claim(writing.connection(), claim, None).await?;
        end_writing(writing, true).await?;
        claimed.transpose()
    }

    async fn renew(&self, leases: &[JobLease], claim: &Claim) -> Result<Vec<Renewed>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let mut writing = self.begin_writing().await?;
        let renewed = change::renew(writing.connection(), leases, claim).await?;
        end_writing(writing, true).await?;
        Ok(renewed)
    }

    async fn save(&self, lease: JobLease, change: &JobChange, now: Timestamp) -> Result<bool, StoreError> {
        check_state(change.state.as_deref().unwrap_or_default())?;
        let mut writing = self.begin_writing().await?;
        let is_saved = change::save(writing.connection(), lease, change, now).await?;
        end_writing(writing, is_saved).await?;
        Ok(is_saved)
    }

    async fn finish(&self, lease: JobLease, end: &JobEnd, now: Timestamp) -> Result<bool, StoreError> {
        check_end(end)?;
        let mut writing = self.begin_writing().await?;
        let is_ended = change::finish(writing.connection(), lease, end, now).await?;
        end_writing(writing, is_ended).await?;
        Ok(is_ended)
    }

    async fn give_back(&self, lease: JobLease, now: Timestamp) -> Result<bool, StoreError> {
        let mut writing = self.begin_writing().await?;
        let is_back = change::give_back(writing.connection(), lease, now).await?;
        end_writing(writing, is_back).await?;
        Ok(is_back)
    }

    async fn ask_stop(&self, job: JobId, now: Timestamp) -> Result<Option<JobRecord>, StoreError> {
        let mut writing = self.begin_writing().await?;
        let asked = change::ask_stop(writing.connection(), job, now).await?;
        end_writing(writing, true).await?;
        asked.transpose()
    }

    async fn amend(&self, job: JobId, revision: i64, state: &str, now: Timestamp) -> Result<bool, StoreError> {
        check_state(state)?;
        let mut writing = self.begin_writing().await?;
        let is_amended = change::amend(writing.connection(), job, revision, state, now).await?;
        end_writing(writing, is_amended).await?;
        Ok(is_amended)
    }

    async fn job(&self, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM jobs WHERE id = ?1").bind(text(job)).fetch_optional(&self.readers).await?;
        row.as_ref().map(job_record).transpose()
    }

    async fn jobs_of(&self, graph: &GraphId, before: Option<JobId>, limit: u32) -> Result<Vec<JobRecord>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM jobs WHERE graph = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3")
                .bind(graph.as_str())
                .bind(before.map(text))
                .bind(limit.clamp(1, LIST_ROWS_MAX))
                .fetch_all(&self.readers)
                .await?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in &rows {
            match job_record(row) {
                Ok(job) => jobs.push(job),
                // One damaged row must not hide the others.
                Err(error) => tracing::error!(%error, "a job is left out of a list"),
            }
        }
        Ok(jobs)
    }

    async fn job_counts(&self) -> Result<(u64, u64), StoreError> {
        let (queued, running): (i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE status = 'queued'), count(*) FILTER (WHERE status = 'running') \
             FROM jobs WHERE ended_at IS NULL",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok((queued.unsigned_abs(), running.unsigned_abs()))
    }

    async fn trim_jobs(&self, before: Timestamp, limit: u32) -> Result<bool, StoreError> {
        if !spending::is_any_old(&self.readers, before).await? {
            return Ok(false);
        }
        let mut writing = self.begin_writing().await?;
        spending::trim(writing.connection(), before, limit).await?;
        end_writing(writing, true).await?;
        spending::is_any_old(&self.readers, before).await
    }

    async fn spend(&self, client: &str, graph: &GraphId, spent: Spent, at: Timestamp) -> Result<(), StoreError> {
        let mut writing = self.begin_writing().await?;
        spending::add(writing.connection(), client, graph, spent, at).await?;
        end_writing(writing, true).await
    }

    async fn spent(&self, client: &str, graph: &GraphId, at: Timestamp) -> Result<(Spent, Spent), StoreError> {
        spending::read(&self.readers, client, graph, at).await
    }

    async fn next_change(&self) -> Option<Option<JobId>> {
        None
    }
}

impl SqliteStore {
    /// Ends the leases of the process that had the file before: it is gone. A full disk must not keep maps from being read; the
    /// leases then end by themselves.
    pub(super) async fn end_old_leases(&self) -> Result<(), StoreError> {
        let mut lease = self.writer.lease().await?;
        sqlx::query("UPDATE jobs SET lease_ends = 0 WHERE ended_at IS NULL AND status = 'running' AND lease_ends > 0")
            .execute(lease.connection())
            .await?;
        lease.give_back();
        Ok(())
    }

    /// Begins a transaction on the writer. An error leaves it open; the lease is not given back then, which rolls it back.
    async fn begin_writing(&self) -> Result<Lease<'_>, StoreError> {
        // Commits would go on into a file that nobody finds again.
        self.check_in_place()?;
        let mut lease = self.writer.lease().await?;
        sqlx::query("BEGIN IMMEDIATE").execute(lease.connection()).await?;
        Ok(lease)
    }
}

/// Ends a transaction: with or without what was done in it.
async fn end_writing(mut lease: Lease<'_>, is_kept: bool) -> Result<(), StoreError> {
    sqlx::query(if is_kept { "COMMIT" } else { "ROLLBACK" }).execute(lease.connection()).await?;
    lease.give_back();
    Ok(())
}
