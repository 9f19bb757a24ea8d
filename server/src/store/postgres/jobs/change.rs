//! Changes of a job: by the node that has it, by whoever wants it stopped, and after its end. Each is one statement, which
//! also tells the nodes.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use sqlx::postgres::PgConnection;

use super::{super::text::storable, CHANNEL, queue, row::text};
use crate::store::{Claim, JobChange, JobEnd, JobId, JobLease, JobRecord, Renewed, StoreError, job_rows::progress};

/// Leases end by the server's clock, read when the row is locked.
const RENEW: &str = "UPDATE jobs j SET lease_ends = clock_timestamp() + $3 * interval '1 microsecond' \
    FROM unnest($1::text[], $2::bigint[]) AS held (id, fence) \
    WHERE j.id = held.id AND j.fence = held.fence AND j.status = 'running' AND j.lease_ends > clock_timestamp() \
    RETURNING j.id, j.fence, j.stop_asked";

const SAVE: &str = "WITH done AS (UPDATE jobs SET progress = coalesce($5, progress), state = coalesce($6, state), \
        updated_at = $4, revision = revision + 1 \
        WHERE id = $2 AND fence = $3 AND status = 'running' AND lease_ends > clock_timestamp() RETURNING id) \
    SELECT pg_notify($1, id) FROM done";

const FINISH: &str = "WITH done AS (UPDATE jobs SET status = $5, \
        progress = CASE $5 WHEN 'succeeded' THEN 1 ELSE progress END, result = $6, error = $7, state = $8, \
        lease_ends = NULL, ended_at = $4, updated_at = $4, revision = revision + 1 \
        WHERE id = $2 AND fence = $3 AND status = 'running' AND lease_ends > clock_timestamp() RETURNING id) \
    SELECT pg_notify($1, id) FROM done";

/// One that is to stop does not wait again: it is cancelled.
const GIVE_BACK: &str = "WITH done AS (UPDATE jobs SET status = CASE WHEN stop_asked THEN 'cancelled' ELSE 'queued' END, \
        ended_at = CASE WHEN stop_asked THEN $4::bigint END, attempts = greatest(attempts - 1, 0), lease_ends = NULL, \
        updated_at = $4, revision = revision + 1 \
        WHERE id = $2 AND fence = $3 AND status = 'running' AND lease_ends > clock_timestamp() RETURNING id) \
    SELECT pg_notify($1, id) FROM done";

const ASK_STOP: &str = "WITH done AS (UPDATE jobs SET stop_asked = true, \
        status = CASE status WHEN 'queued' THEN 'cancelled' ELSE status END, \
        ended_at = CASE status WHEN 'queued' THEN $3::bigint END, updated_at = $3, revision = revision + 1 \
        WHERE id = $2 AND ended_at IS NULL AND NOT stop_asked RETURNING id) \
    SELECT pg_notify($1, id) FROM done";

const AMEND: &str = "WITH done AS (UPDATE jobs SET state = $4, updated_at = $5, revision = revision + 1 \
        WHERE id = $2 AND revision = $3 AND ended_at IS NOT NULL RETURNING id) \
    SELECT pg_notify($1, id) FROM done";

/// A time as the statements take it; one that is too long is as good as for ever.
pub(super) fn microseconds(time: Duration) -> i64 {
    const LONGEST: i64 = 1_000 * 365 * 24 * 3_600 * 1_000_000;
    i64::try_from(time.as_micros()).unwrap_or(LONGEST).min(LONGEST)
}

/// Lasts longer, as the leases of a claim do. What is known of the job stays as it is, so its revision does, and nobody is
/// told.
pub(super) async fn renew(
    connection: &mut PgConnection,
    leases: &[JobLease],
    claim: &Claim,
) -> Result<Vec<Renewed>, StoreError> {
    let (ids, fences): (Vec<String>, Vec<i64>) = leases.iter().map(|lease| (text(lease.job), lease.fence)).unzip();
    let rows: Vec<(String, i64, bool)> =
        sqlx::query_as(RENEW).bind(&ids).bind(fences).bind(microseconds(claim.lasts)).fetch_all(connection).await?;
    let held: HashMap<_, _> = rows.into_iter().map(|(id, fence, stop_asked)| ((id, fence), stop_asked)).collect();
    let renewed = leases.iter().zip(ids).map(|(lease, id)| {
        let stop_asked = held.get(&(id, lease.fence));
        Renewed { lease: *lease, is_held: stop_asked.is_some(), stop_asked: stop_asked == Some(&true) }
    });
    Ok(renewed.collect())
}

pub(super) async fn save(
    connection: &mut PgConnection,
    lease: JobLease,
    change: &JobChange,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let saved = sqlx::query(SAVE)
        .bind(CHANNEL)
        .bind(text(lease.job))
        .bind(lease.fence)
        .bind(now.as_microsecond())
        .bind(change.progress.map(progress))
        .bind(change.state.as_deref().map(storable))
        .fetch_optional(connection)
        .await?;
    Ok(saved.is_some())
}

pub(super) async fn finish(
    connection: &mut PgConnection,
    lease: JobLease,
    end: &JobEnd,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ended = sqlx::query(FINISH)
        .bind(CHANNEL)
        .bind(text(lease.job))
        .bind(lease.fence)
        .bind(now.as_microsecond())
        .bind(end.status.as_str())
        .bind(end.result.as_deref().map(storable))
        .bind(end.error.as_deref().map(storable))
        .bind(storable(&end.state))
        .fetch_optional(connection)
        .await?;
    Ok(ended.is_some())
}

pub(super) async fn give_back(
    connection: &mut PgConnection,
    lease: JobLease,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let given = sqlx::query(GIVE_BACK)
        .bind(CHANNEL)
        .bind(text(lease.job))
        .bind(lease.fence)
        .bind(now.as_microsecond())
        .fetch_optional(connection)
        .await?;
    Ok(given.is_some())
}

pub(super) async fn ask_stop(
    connection: &mut PgConnection,
    job: JobId,
    now: Timestamp,
) -> Result<Option<JobRecord>, StoreError> {
    sqlx::query(ASK_STOP)
        .bind(CHANNEL)
        .bind(text(job))
        .bind(now.as_microsecond())
        .fetch_optional(&mut *connection)
        .await?;
    queue::one(connection, job).await
}

pub(super) async fn amend(
    connection: &mut PgConnection,
    job: JobId,
    revision: i64,
    state: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let amended = sqlx::query(AMEND)
        .bind(CHANNEL)
        .bind(text(job))
        .bind(revision)
        .bind(storable(state))
        .bind(now.as_microsecond())
        .fetch_optional(connection)
        .await?;
    Ok(amended.is_some())
}
