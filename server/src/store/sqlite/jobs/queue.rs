//! Into the queue and out of it.

use sqlx::{
    AssertSqlSafe, Row as _, SqlitePool,
    sqlite::{SqliteConnection, SqliteRow},
};

use super::row::{job_record, text};
use crate::store::{Claim, JobLease, JobRecord, NewJob, StoreError, Submitted, job_rows::DAMAGED};

/// The oldest job that waits or whose lease has ended, and that the limits allow: ?1 the time, ?2 for a client, ?3 for a map.
/// A lease that has ended counts for nobody.
const READY: &str = "SELECT j.id FROM jobs j \
    WHERE j.ended_at IS NULL AND (j.status = 'queued' OR j.lease_ends <= ?1) \
    AND (?2 = 0 OR j.client = '' OR ?2 > (SELECT count(*) FROM jobs r \
        WHERE r.status = 'running' AND r.client = j.client AND r.lease_ends > ?1)) \
    AND (?3 = 0 OR ?3 > (SELECT count(*) FROM jobs r \
        WHERE r.status = 'running' AND r.graph = j.graph AND r.lease_ends > ?1)) \
    ORDER BY j.created_at, j.id LIMIT 1";

/// Takes that job, if it is ?6 where one is named.
const TAKE: &str = "UPDATE jobs SET status = 'running', attempts = attempts + 1, fence = fence + 1, node = ?4, \
    lease_ends = ?5, updated_at = ?1, revision = revision + 1 WHERE (?6 IS NULL OR id = ?6)";

const INSERT: &str = "INSERT INTO jobs \
    (id, graph, kind, client, request, idempotency_name, idempotency_hash, created_at, updated_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) RETURNING *";

/// Puts a job into the queue, or straight through it.
pub(super) async fn submit(
    connection: &mut SqliteConnection,
    job: &NewJob,
    taken_by: Option<&Claim>,
    queue_max: u32,
) -> Result<Submitted, StoreError> {
    if let Some(known) = known(connection, job).await? {
        return Ok(known);
    }
    let record = insert(connection, job).await?;
    // In the queue it stands where it belongs: it is taken at once only when it is its turn.
    if let Some(taken_by) = taken_by
        && let Some(claimed) = claim(connection, taken_by, Some(&text(job.id))).await?
    {
        let (record, lease) = claimed?;
        return Ok(Submitted::New(Box::new(record), Some(lease)));
    }
    let queued: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE ended_at IS NULL AND status = 'queued'")
        .fetch_one(connection)
        .await?;
    if queue_max > 0 && queued > i64::from(queue_max) {
        return Ok(Submitted::QueueFull);
    }
    Ok(Submitted::New(Box::new(record), None))
}

/// Whether there is a job that could be taken.
pub(super) async fn is_any_ready(readers: &SqlitePool, claim: &Claim) -> Result<bool, StoreError> {
    let ready: Option<String> = sqlx::query_scalar(READY)
        .bind(claim.now.as_microsecond())
        .bind(claim.per_client_max)
        .bind(claim.per_graph_max)
        .fetch_optional(readers)
        .await?;
    Ok(ready.is_some())
}

/// Takes the next job, if it is `only` where one is named. One whose row is damaged is set aside, so that it is in nobody's way.
pub(super) async fn claim(
    connection: &mut SqliteConnection,
    claim: &Claim,
    only: Option<&str>,
) -> Result<Option<Result<(JobRecord, JobLease), StoreError>>, StoreError> {
    let now = claim.now.as_microsecond();
    let lasts = i64::try_from(claim.lasts.as_micros()).unwrap_or(i64::MAX);
    let row = sqlx::query(AssertSqlSafe(format!("{TAKE} AND id = ({READY}) RETURNING rowid AS place, *")))
        .bind(now)
        .bind(claim.per_client_max)
        .bind(claim.per_graph_max)
        .bind(claim.node.to_string())
        .bind(now.saturating_add(lasts))
        .bind(only)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let taken = leased(&row);
    if taken.is_err() {
        sqlx::query(
            "UPDATE jobs SET status = 'failed', error = ?2, lease_ends = NULL, ended_at = ?3, updated_at = ?3 \
             WHERE rowid = ?1",
        )
        .bind(row.try_get::<i64, _>("place")?)
        .bind(DAMAGED)
        .bind(now)
        .execute(connection)
        .await?;
    }
    Ok(Some(taken))
}

fn leased(row: &SqliteRow) -> Result<(JobRecord, JobLease), StoreError> {
    let record = job_record(row)?;
    let lease = JobLease { job: record.id, fence: row.try_get("fence")? };
    Ok((record, lease))
}

/// What there is already under the job's id, as after a call whose answer was lost, or under its client's name for it.
pub(super) async fn known(connection: &mut SqliteConnection, job: &NewJob) -> Result<Option<Submitted>, StoreError> {
    let (name, hash) = job.idempotency.as_ref().map(|(name, hash)| (name, hash)).unzip();
    let row = sqlx::query(
        "SELECT * FROM jobs WHERE id = ?1 \
         UNION ALL SELECT * FROM jobs WHERE client = ?2 AND idempotency_name = ?3 LIMIT 1",
    )
    .bind(text(job.id))
    .bind(&job.client)
    .bind(name)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let found: Option<String> = row.try_get("idempotency_hash")?;
    if found.as_ref() != hash {
        return Ok(Some(Submitted::NameTaken));
    }
    Ok(Some(Submitted::Known(Box::new(job_record(&row)?))))
}

async fn insert(connection: &mut SqliteConnection, job: &NewJob) -> Result<JobRecord, StoreError> {
    let (name, hash) = job.idempotency.as_ref().map(|(name, hash)| (name, hash)).unzip();
    let row = sqlx::query(INSERT)
        .bind(text(job.id))
        .bind(job.graph.as_str())
        .bind(job.kind.as_str())
        .bind(&job.client)
        .bind(&job.request)
        .bind(name)
        .bind(hash)
        .bind(job.at.as_microsecond())
        .fetch_one(connection)
        .await?;
    job_record(&row)
}
