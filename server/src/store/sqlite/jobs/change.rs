//! Changes of a job: by the node that has it, by whoever wants it stopped, and after its end.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::row::{job_record, text};
use crate::store::{Claim, JobChange, JobEnd, JobId, JobLease, JobRecord, Renewed, StoreError, job_rows::progress};

/// Lasts longer, as the leases of a claim do. What is known of the job stays as it is, so its revision does.
pub(super) async fn renew(
    connection: &mut SqliteConnection,
    leases: &[JobLease],
    claim: &Claim,
) -> Result<Vec<Renewed>, StoreError> {
    let now = claim.now.as_microsecond();
    let lasts = i64::try_from(claim.lasts.as_micros()).unwrap_or(i64::MAX);
    let mut renewed = Vec::with_capacity(leases.len());
    for lease in leases {
        let stop_asked: Option<bool> = sqlx::query_scalar(
            "UPDATE jobs SET lease_ends = ?4 \
             WHERE id = ?1 AND fence = ?2 AND status = 'running' AND lease_ends > ?3 RETURNING stop_asked",
        )
        .bind(text(lease.job))
        .bind(lease.fence)
        .bind(now)
        .bind(now.saturating_add(lasts))
        .fetch_optional(&mut *connection)
        .await?;
        let (is_held, stop_asked) = (stop_asked.is_some(), stop_asked == Some(true));
        renewed.push(Renewed { lease: *lease, is_held, stop_asked });
    }
    Ok(renewed)
}

pub(super) async fn save(
    connection: &mut SqliteConnection,
    lease: JobLease,
    change: &JobChange,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let saved = sqlx::query(
        "UPDATE jobs SET progress = coalesce(?4, progress), state = coalesce(?5, state), updated_at = ?3, \
         revision = revision + 1 WHERE id = ?1 AND fence = ?2 AND status = 'running' AND lease_ends > ?3",
    )
    .bind(text(lease.job))
    .bind(lease.fence)
    .bind(now.as_microsecond())
    .bind(change.progress.map(progress))
    .bind(change.state.as_deref())
    .execute(connection)
    .await?;
    Ok(saved.rows_affected() == 1)
}

pub(super) async fn finish(
    connection: &mut SqliteConnection,
    lease: JobLease,
    end: &JobEnd,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ended = sqlx::query(
        "UPDATE jobs SET status = ?4, progress = CASE ?4 WHEN 'succeeded' THEN 1.0 ELSE progress END, \
         result = ?5, error = ?6, state = ?7, lease_ends = NULL, ended_at = ?3, updated_at = ?3, \
         revision = revision + 1 WHERE id = ?1 AND fence = ?2 AND status = 'running' AND lease_ends > ?3",
    )
    .bind(text(lease.job))
    .bind(lease.fence)
    .bind(now.as_microsecond())
    .bind(end.status.as_str())
    .bind(end.result.as_deref())
    .bind(end.error.as_deref())
    .bind(&end.state)
    .execute(connection)
    .await?;
    Ok(ended.rows_affected() == 1)
}

/// One that is to stop does not wait again: it is cancelled.
pub(super) async fn give_back(
    connection: &mut SqliteConnection,
    lease: JobLease,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let given = sqlx::query(
        "UPDATE jobs SET status = CASE stop_asked WHEN 1 THEN 'cancelled' ELSE 'queued' END, \
         ended_at = CASE stop_asked WHEN 1 THEN ?3 END, attempts = max(attempts - 1, 0), lease_ends = NULL, \
         updated_at = ?3, revision = revision + 1 \
         WHERE id = ?1 AND fence = ?2 AND status = 'running' AND lease_ends > ?3",
    )
    .bind(text(lease.job))
    .bind(lease.fence)
    .bind(now.as_microsecond())
    .execute(connection)
    .await?;
    Ok(given.rows_affected() == 1)
}

/// The job as it is then; a row that cannot be read is stopped all the same.
pub(super) async fn ask_stop(
    connection: &mut SqliteConnection,
    job: JobId,
    now: Timestamp,
) -> Result<Option<Result<JobRecord, StoreError>>, StoreError> {
    sqlx::query(
        "UPDATE jobs SET stop_asked = 1, status = CASE status WHEN 'queued' THEN 'cancelled' ELSE status END, \
         ended_at = CASE status WHEN 'queued' THEN ?2 END, updated_at = ?2, revision = revision + 1 \
         WHERE id = ?1 AND ended_at IS NULL AND stop_asked = 0",
    )
    .bind(text(job))
    .bind(now.as_microsecond())
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query("SELECT * FROM jobs WHERE id = ?1").bind(text(job)).fetch_optional(connection).await?;
    Ok(row.as_ref().map(job_record))
}

pub(super) async fn amend(
    connection: &mut SqliteConnection,
    job: JobId,
    revision: i64,
    state: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let amended = sqlx::query(
        "UPDATE jobs SET state = ?3, updated_at = ?4, revision = revision + 1 \
         WHERE id = ?1 AND revision = ?2 AND ended_at IS NOT NULL",
    )
    .bind(text(job))
    .bind(revision)
    .bind(state)
    .bind(now.as_microsecond())
    .execute(connection)
    .await?;
    Ok(amended.rows_affected() == 1)
}
