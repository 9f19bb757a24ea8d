//! What was used up, and what is old enough to go.

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use synapti_protocol::graph_id::GraphId;

use super::super::text::storable;
use crate::store::{
    Spent, StoreError,
    job_rows::{TRIM_ROWS_MAX, amounts, day, spent_max, sums},
};

/// Everybody locks a client's row before a map's, so that two cannot wait for each other in a circle.
const ADD: &str = "INSERT INTO ai_spending AS s (day, kind, name, tokens, micro_dollars) \
    VALUES ($1, 'user', $2, $4, $5), ($1, 'graph', $3, $4, $5) \
    ON CONFLICT (day, kind, name) DO UPDATE SET tokens = least(s.tokens + excluded.tokens, $6), \
    micro_dollars = least(s.micro_dollars + excluded.micro_dollars, $6)";

pub(super) async fn add(
    connection: &mut PgConnection,
    client: &str,
    graph: &GraphId,
    spent: Spent,
    at: Timestamp,
) -> Result<(), StoreError> {
    let (tokens, micro_dollars) = amounts(spent);
    sqlx::query(ADD)
        .bind(day(at))
        .bind(storable(client))
        .bind(graph.as_str())
        .bind(tokens)
        .bind(micro_dollars)
        .bind(spent_max())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn read(
    connection: &mut PgConnection,
    client: &str,
    graph: &GraphId,
    at: Timestamp,
) -> Result<(Spent, Spent), StoreError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT kind, tokens, micro_dollars FROM ai_spending \
         WHERE day = $1 AND ((kind = 'user' AND name = $2) OR (kind = 'graph' AND name = $3))",
    )
    .bind(day(at))
    .bind(storable(client))
    .bind(graph.as_str())
    .fetch_all(connection)
    .await?;
    Ok(sums(&rows))
}

/// Several nodes may do this at once: each takes what the others have not begun with.
pub(super) async fn trim(connection: &mut PgConnection, before: Timestamp, limit: u32) -> Result<bool, StoreError> {
    let limit = i64::from(limit.clamp(1, TRIM_ROWS_MAX));
    sqlx::query(
        "DELETE FROM jobs WHERE id IN \
         (SELECT id FROM jobs WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
    )
    .bind(before.as_microsecond())
    .bind(limit)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM ai_spending WHERE (day, kind, name) IN \
         (SELECT day, kind, name FROM ai_spending WHERE day < $1 ORDER BY day LIMIT $2 FOR UPDATE SKIP LOCKED)",
    )
    .bind(day(before))
    .bind(limit)
    .execute(&mut *connection)
    .await?;
    let is_more: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM jobs WHERE ended_at < $1) OR EXISTS (SELECT FROM ai_spending WHERE day < $2)",
    )
    .bind(before.as_microsecond())
    .bind(day(before))
    .fetch_one(connection)
    .await?;
    Ok(is_more)
}
