//! Into the queue and out of it, and looking at it.

use jiff::Timestamp;
use sqlx::{
    AssertSqlSafe, Row as _,
    postgres::{PgConnection, PgRow},
};
use synapti_protocol::graph_id::GraphId;

use super::{
    super::text::storable,
    CHANNEL,
    row::{job_record, text},
};
use crate::store::{
    Claim, JobId, JobLease, JobRecord, NewJob, StoreError, Submitted,
    job_rows::{DAMAGED, LIST_ROWS_MAX},
};

/// "SYNJ" in the upper half of the lock's number. Two who take jobs at once would both count without the other: each waits here
/// for the commit of the one before.
const LOCK: i64 = 0x5359_4E4A << 32;

/// The oldest job that waits or whose lease has ended, and that the limits allow: $1 for a client, $2 for a map. A lease that
/// has ended counts for nobody. A row that somebody is changing is left to the next look.
const READY: &str = "SELECT j.id FROM jobs j \
    WHERE j.ended_at IS NULL AND (j.status = 'queued' OR j.lease_ends <= clock_timestamp()) \
    AND ($1::bigint = 0 OR j.client = '' OR $1 > (SELECT count(*) FROM jobs r \
        WHERE r.status = 'running' AND r.client = j.client AND r.lease_ends > clock_timestamp())) \
    AND ($2::bigint = 0 OR $2 > (SELECT count(*) FROM jobs r \
        WHERE r.status = 'running' AND r.graph = j.graph AND r.lease_ends > clock_timestamp())) \
    ORDER BY j.created_at, j.id LIMIT 1";

const TAKE: &str = "UPDATE jobs SET status = 'running', attempts = attempts + 1, fence = fence + 1, node = $4, \
    lease_ends = clock_timestamp() + $5 * interval '1 microsecond', updated_at = $3, revision = revision + 1 \
    WHERE ($6::text IS NULL OR id = $6)";

const INSERT: &str = "INSERT INTO jobs \
    (id, graph, kind, client, request, idempotency_name, idempotency_hash, created_at, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING *";

/// Puts a job into the queue, or straight through it.
pub(super) async fn submit(
    connection: &mut PgConnection,
    job: &NewJob,
    taken_by: Option<&Claim>,
    queue_max: u32,
) -> Result<Submitted, StoreError> {
    wait_for_turn(connection).await?;
    if let Some(known) = known(connection, job).await? {
        return Ok(known);
    }
    let record = insert(connection, job).await?;
    // In the queue it stands where it belongs: it is taken at once only when it is its turn.
    if let Some(taken_by) = taken_by
        && let Some(taken) = take(connection, taken_by, Some(&text(job.id))).await?
    {
        let (record, lease) = taken?;
        return Ok(Submitted::New(Box::new(record), Some(lease)));
    }
    let queued: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE ended_at IS NULL AND status = 'queued'")
        .fetch_one(&mut *connection)
        .await?;
    if queue_max > 0 && queued > i64::from(queue_max) {
        return Ok(Submitted::QueueFull);
    }
    tell(connection, &text(job.id)).await?;
    Ok(Submitted::New(Box::new(record), None))
}

/// Whether there is a job that could be taken.
pub(super) async fn is_any_ready(connection: &mut PgConnection, claim: &Claim) -> Result<bool, StoreError> {
    let ready: Option<String> = sqlx::query_scalar(READY)
        .bind(i64::from(claim.per_client_max))
        .bind(i64::from(claim.per_graph_max))
        .fetch_optional(connection)
        .await?;
    Ok(ready.is_some())
}

/// Takes the next job. One whose row is damaged is set aside, so that it is in nobody's way.
pub(super) async fn claim(
    connection: &mut PgConnection,
    claim: &Claim,
) -> Result<Option<Result<(JobRecord, JobLease), StoreError>>, StoreError> {
    wait_for_turn(connection).await?;
    let Some(taken) = take(connection, claim, None).await? else { return Ok(None) };
    if let Ok((record, _)) = &taken {
        tell(connection, &text(record.id)).await?;
    }
    Ok(Some(taken))
}

/// A statement of its own: the next one sees what was committed while it waited.
async fn wait_for_turn(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

async fn take(
    connection: &mut PgConnection,
    claim: &Claim,
    only: Option<&str>,
) -> Result<Option<Result<(JobRecord, JobLease), StoreError>>, StoreError> {
    let statement = format!("{TAKE} AND id = ({READY} FOR NO KEY UPDATE OF j SKIP LOCKED) RETURNING *");
    let row = sqlx::query(AssertSqlSafe(statement))
        .bind(i64::from(claim.per_client_max))
        .bind(i64::from(claim.per_graph_max))
        .bind(claim.now.as_microsecond())
        .bind(claim.node.to_string())
        .bind(super::change::microseconds(claim.lasts))
        .bind(only)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let taken = leased(&row);
    if taken.is_err() {
        set_aside(connection, row.try_get("id")?, claim.now).await?;
    }
    Ok(Some(taken))
}

async fn set_aside(connection: &mut PgConnection, id: &str, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE jobs SET status = 'failed', error = $2, lease_ends = NULL, ended_at = $3, updated_at = $3 WHERE id = $1",
    )
    .bind(id)
    .bind(DAMAGED)
    .bind(now.as_microsecond())
    .execute(connection)
    .await?;
    Ok(())
}

fn leased(row: &PgRow) -> Result<(JobRecord, JobLease), StoreError> {
    let record = job_record(row)?;
    let lease = JobLease { job: record.id, fence: row.try_get("fence")? };
    Ok((record, lease))
}

/// Tells the nodes, once this is committed.
async fn tell(connection: &mut PgConnection, id: &str) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(id).execute(connection).await?;
    Ok(())
}

/// What there is already under the job's id, as after a call whose answer was lost, or under its client's name for it.
pub(super) async fn known(connection: &mut PgConnection, job: &NewJob) -> Result<Option<Submitted>, StoreError> {
    let (name, hash) = job.idempotency.as_ref().map(|(name, hash)| (storable(name), storable(hash))).unzip();
    let row = sqlx::query(
        "SELECT * FROM jobs WHERE id = $1 \
         UNION ALL SELECT * FROM jobs WHERE client = $2 AND idempotency_name = $3 LIMIT 1",
    )
    .bind(text(job.id))
    .bind(storable(&job.client))
    .bind(name)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let found: Option<&str> = row.try_get("idempotency_hash")?;
    if found != hash.as_deref() {
        return Ok(Some(Submitted::NameTaken));
    }
    Ok(Some(Submitted::Known(Box::new(job_record(&row)?))))
}

async fn insert(connection: &mut PgConnection, job: &NewJob) -> Result<JobRecord, StoreError> {
    let (name, hash) = job.idempotency.as_ref().map(|(name, hash)| (storable(name), storable(hash))).unzip();
    let row = sqlx::query(INSERT)
        .bind(text(job.id))
        .bind(job.graph.as_str())
        .bind(job.kind.as_str())
        .bind(storable(&job.client))
        .bind(storable(&job.request))
        .bind(name)
        .bind(hash)
        .bind(job.at.as_microsecond())
        .fetch_one(connection)
        .await?;
    job_record(&row)
}

pub(super) async fn one(connection: &mut PgConnection, job: JobId) -> Result<Option<JobRecord>, StoreError> {
    let row = sqlx::query("SELECT * FROM jobs WHERE id = $1").bind(text(job)).fetch_optional(connection).await?;
    row.as_ref().map(job_record).transpose()
}

pub(super) async fn list(
    connection: &mut PgConnection,
    graph: &GraphId,
    before: Option<JobId>,
    limit: u32,
) -> Result<Vec<JobRecord>, StoreError> {
    let rows =
        sqlx::query("SELECT * FROM jobs WHERE graph = $1 AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3")
            .bind(graph.as_str())
            .bind(before.map(text))
            .bind(i64::from(limit.clamp(1, LIST_ROWS_MAX)))
            .fetch_all(connection)
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

pub(super) async fn counts(connection: &mut PgConnection) -> Result<(u64, u64), StoreError> {
    let (queued, running): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE status = 'queued'), count(*) FILTER (WHERE status = 'running') \
         FROM jobs WHERE ended_at IS NULL",
    )
    .fetch_one(connection)
    .await?;
    Ok((queued.unsigned_abs(), running.unsigned_abs()))
}
