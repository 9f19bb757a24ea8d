//! What was used up, and what is old enough to go.

use jiff::Timestamp;
use sqlx::{SqlitePool, sqlite::SqliteConnection};
use synapti_protocol::graph_id::GraphId;

use crate::store::{
    Spent, StoreError,
    job_rows::{TRIM_ROWS_MAX, amounts, day, spent_max, sums},
};

pub(super) async fn add(
    connection: &mut SqliteConnection,
    client: &str,
    graph: &GraphId,
    spent: Spent,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (tokens, micro_dollars) = amounts(spent);
    sqlx::query(
        "INSERT INTO ai_spending (day, kind, name, tokens, micro_dollars) \
         VALUES (?1, 'user', ?2, ?4, ?5), (?1, 'graph', ?3, ?4, ?5) \
         ON CONFLICT (day, kind, name) DO UPDATE SET tokens = min(tokens + excluded.tokens, ?6), \
         micro_dollars = min(micro_dollars + excluded.micro_dollars, ?6)",
    )
    .bind(day(at))
    .bind(client)
    .bind(graph.as_str())
    .bind(tokens)
    .bind(micro_dollars)
    .bind(spent_max())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn read(
    readers: &SqlitePool,
    client: &str,
    graph: &GraphId,
    at: Timestamp,
) -> Result<(Spent, Spent), StoreError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT kind, tokens, micro_dollars FROM ai_spending \
         WHERE day = ?1 AND ((kind = 'user' AND name = ?2) OR (kind = 'graph' AND name = ?3))",
    )
    .bind(day(at))
    .bind(client)
    .bind(graph.as_str())
    .fetch_all(readers)
    .await?;
    Ok(sums(&rows))
}

pub(super) async fn trim(connection: &mut SqliteConnection, before: Timestamp, limit: u32) -> Result<(), StoreError> {
    let limit = limit.clamp(1, TRIM_ROWS_MAX);
    sqlx::query(
        "DELETE FROM jobs WHERE rowid IN (SELECT rowid FROM jobs WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
    )
    .bind(before.as_microsecond())
    .bind(limit)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM ai_spending WHERE (day, kind, name) IN \
         (SELECT day, kind, name FROM ai_spending WHERE day < ?1 ORDER BY day LIMIT ?2)",
    )
    .bind(day(before))
    .bind(limit)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether there is something to trim.
pub(super) async fn is_any_old(readers: &SqlitePool, before: Timestamp) -> Result<bool, StoreError> {
    let found: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE ended_at < ?1) OR EXISTS (SELECT 1 FROM ai_spending WHERE day < ?2)",
    )
    .bind(before.as_microsecond())
    .bind(day(before))
    .fetch_one(readers)
    .await?;
    Ok(found)
}
