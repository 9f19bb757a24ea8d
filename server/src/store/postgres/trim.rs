//! Removal of rows that nothing needs any more, in slices.

use sqlx::{Row, postgres::PgConnection};

use super::{PostgresStore, lease::View, refusal::gone};
use crate::store::{GraphKey, StoreError, budget::Budget};

/// Data deleted by one call: each piece of a large value is a row of its own that has to be visited.
const TRIM_BYTES_MAX: i64 = 4 * 1024 * 1024;

/// What may go of graph `g`, whose previous snapshot is `p`: of records, those up to this one.
const RECORDS_TO: &str = "CASE WHEN g.deleted_at IS NOT NULL THEN 9223372036854775807 ELSE coalesce(p.covers, 0) END";

/// Whether nothing needs snapshot `s` of graph `g` any more. One that is not complete may be another node's, which is writing
/// it: it was abandoned when it is an hour old, by the server's clock. Both purposes of snapshots and all nodes agree on
/// that, and a writer that was asleep for so long is told that its snapshot is gone.
const DISPOSABLE: &str = "(g.deleted_at IS NOT NULL \
    OR (s.state = 'writing' AND s.begun_at < now() - interval '1 hour') \
    OR (s.state = 'complete' AND s.id IS DISTINCT FROM g.snapshot AND s.id IS DISTINCT FROM g.previous_snapshot \
        AND NOT EXISTS (SELECT FROM versions v WHERE v.snapshot = s.id)))";

impl PostgresStore {
    pub(super) async fn trim_graph(&self, key: GraphKey, rows_max: u32) -> Result<bool, StoreError> {
        self.doom_snapshots(key).await?;
        let mut lease = self.lease().await?;
        let trimmed = trim(lease.connection(), key, i64::from(rows_max)).await;
        lease.settle(trimmed)
    }

    /// Marks what nothing needs any more, under the graph's lock, under which snapshots become current or versions. The
    /// statement after the lock sees what whoever had it before has committed; one statement for both would not.
    async fn doom_snapshots(&self, key: GraphKey) -> Result<(), StoreError> {
        let mut lease = self.lease().await?;
        if !has_disposable(lease.connection(), key).await? {
            lease.give_back();
            return Ok(());
        }
        lease.begin(View::Newest).await?;
        let doomed = doom(lease.connection(), key).await;
        lease.end(doomed).await
    }

    /// Graphs with something to trim, by the same rules.
    pub(super) async fn untidy_graphs(&self, limit: u32) -> Result<Vec<GraphKey>, StoreError> {
        let statement = format!(
            "SELECT g.key FROM graphs g LEFT JOIN snapshots p ON p.id = g.previous_snapshot \
             WHERE EXISTS (SELECT FROM journal j WHERE j.graph = g.key AND j.id <= {RECORDS_TO}) \
                OR EXISTS (SELECT FROM snapshots s WHERE s.graph = g.key AND (s.state = 'doomed' OR {DISPOSABLE})) \
                OR (g.deleted_at IS NOT NULL AND EXISTS (SELECT FROM versions v WHERE v.graph = g.key)) \
             LIMIT $1"
        );
        let mut lease = self.lease().await?;
        let keys: Vec<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(i64::from(limit))
            .fetch_all(lease.connection())
            .await?;
        lease.give_back();
        Ok(keys.into_iter().map(GraphKey).collect())
    }
}

async fn has_disposable(connection: &mut PgConnection, key: GraphKey) -> Result<bool, StoreError> {
    let statement = format!(
        "SELECT EXISTS (SELECT FROM snapshots s JOIN graphs g ON g.key = s.graph \
         WHERE g.key = $1 AND s.state <> 'doomed' AND {DISPOSABLE})"
    );
    Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).bind(key.0).fetch_one(connection).await?)
}

async fn doom(connection: &mut PgConnection, key: GraphKey) -> Result<(), StoreError> {
    sqlx::query("SELECT key FROM graphs WHERE key = $1 FOR NO KEY UPDATE")
        .bind(key.0)
        .fetch_optional(&mut *connection)
        .await?;
    // The versions of a graph that was deleted go with it.
    sqlx::query(
        "DELETE FROM versions v USING graphs g WHERE g.key = $1 AND v.graph = g.key AND g.deleted_at IS NOT NULL",
    )
    .bind(key.0)
    .execute(&mut *connection)
    .await?;
    let statement = format!(
        "UPDATE snapshots s SET state = 'doomed' FROM graphs g \
         WHERE g.key = $1 AND s.graph = g.key AND s.state <> 'doomed' AND {DISPOSABLE}"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement)).bind(key.0).execute(connection).await?;
    Ok(())
}

async fn trim(connection: &mut PgConnection, key: GraphKey, rows_max: i64) -> Result<bool, StoreError> {
    let statement = format!(
        "SELECT {RECORDS_TO} AS records_to FROM graphs g LEFT JOIN snapshots p ON p.id = g.previous_snapshot WHERE g.key = $1"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(key.0).fetch_optional(&mut *connection).await?;
    let records_to: i64 = row.ok_or_else(|| gone(key))?.try_get("records_to")?;
    let mut budget = Budget { rows: rows_max, bytes: TRIM_BYTES_MAX };
    while budget.is_left() {
        let oldest = "SELECT id FROM snapshots WHERE graph = $1 AND state = 'doomed' ORDER BY id LIMIT 1";
        let Some(snapshot) = sqlx::query_scalar(oldest).bind(key.0).fetch_optional(&mut *connection).await? else {
            break;
        };
        trim_snapshot(connection, snapshot, &mut budget).await?;
    }
    if budget.is_left() {
        trim_records(connection, key, records_to, &mut budget).await?;
    }
    let more = "SELECT EXISTS (SELECT FROM journal WHERE graph = $1 AND id <= $2) \
                OR EXISTS (SELECT FROM snapshots WHERE graph = $1 AND state = 'doomed')";
    Ok(sqlx::query_scalar(more).bind(key.0).bind(records_to).fetch_one(connection).await?)
}

/// Removes slices, or the snapshot itself when it has none left. In the order of the index, like everybody, so that two nodes
/// that trim the same graph do not wait for each other in a circle.
async fn trim_snapshot(connection: &mut PgConnection, snapshot: i64, budget: &mut Budget) -> Result<(), StoreError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT idx, octet_length(data)::bigint FROM snapshot_slices WHERE snapshot = $1 ORDER BY idx LIMIT $2",
    )
    .bind(snapshot)
    .bind(budget.rows)
    .fetch_all(&mut *connection)
    .await?;
    let removal = if let Some(last) = budget.take(&rows) {
        sqlx::query("DELETE FROM snapshot_slices WHERE snapshot = $1 AND idx <= $2").bind(snapshot).bind(last)
    } else {
        budget.rows -= 1;
        sqlx::query("DELETE FROM snapshots WHERE id = $1").bind(snapshot)
    };
    removal.execute(connection).await?;
    Ok(())
}

async fn trim_records(
    connection: &mut PgConnection,
    key: GraphKey,
    records_to: i64,
    budget: &mut Budget,
) -> Result<(), StoreError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT id, octet_length(data)::bigint FROM journal WHERE graph = $1 AND id <= $2 ORDER BY id LIMIT $3",
    )
    .bind(key.0)
    .bind(records_to)
    .bind(budget.rows)
    .fetch_all(&mut *connection)
    .await?;
    if let Some(last) = budget.take(&rows) {
        sqlx::query("DELETE FROM journal WHERE graph = $1 AND id <= $2")
            .bind(key.0)
            .bind(last)
            .execute(connection)
            .await?;
    }
    Ok(())
}
