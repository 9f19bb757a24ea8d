//! Reading what is known of graphs without their documents.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::{
    Row,
    sqlite::{SqliteConnection, SqliteRow},
};
use synapti_protocol::graph_id::GraphId;

use super::SqliteStore;
use crate::store::{GraphKey, GraphRecord, ListQuery, Lookup, StoreError};

/// Rows that one page of a listing may have.
const LIST_ROWS_MAX: u32 = 1_000;

impl SqliteStore {
    pub(super) async fn find_graph(&self, id: &GraphId) -> Result<Lookup, StoreError> {
        let mut connection = self.readers.acquire().await?;
        find(&mut connection, id).await
    }

    pub(super) async fn list_graphs(&self, query: &ListQuery) -> Result<Vec<GraphRecord>, StoreError> {
        let limit = query.limit.clamp(1, LIST_ROWS_MAX);
        let rows = match &query.after {
            None => {
                sqlx::query(
                    "SELECT key, id, topic, created_at, modified_at, deleted_at FROM graphs \
                     WHERE deleted_at IS NULL ORDER BY modified_at DESC, id ASC LIMIT ?1",
                )
                .bind(limit)
                .fetch_all(&self.readers)
                .await?
            }
            // The first comparison is implied by the second: it is what lets the index start at the cursor.
            Some(after) => {
                sqlx::query(
                    "SELECT key, id, topic, created_at, modified_at, deleted_at FROM graphs \
                     WHERE deleted_at IS NULL AND modified_at <= ?2 AND (modified_at < ?2 OR id > ?3) \
                     ORDER BY modified_at DESC, id ASC LIMIT ?1",
                )
                .bind(limit)
                .bind(after.modified_at.as_microsecond())
                .bind(after.id.as_str())
                .fetch_all(&self.readers)
                .await?
            }
        };
        rows.iter().map(graph_record).collect()
    }

    pub(super) async fn measure_ping(&self) -> Result<Duration, StoreError> {
        let asked = Instant::now();
        sqlx::query("SELECT key FROM graphs LIMIT 1").fetch_optional(&self.readers).await?;
        Ok(asked.elapsed())
    }
}

/// Looks a graph up on any connection.
pub(super) async fn find(connection: &mut SqliteConnection, id: &GraphId) -> Result<Lookup, StoreError> {
    let row = sqlx::query("SELECT key, id, topic, created_at, modified_at, deleted_at FROM graphs WHERE id = ?1")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else {
        return Ok(Lookup::Missing);
    };
    let deleted_at: Option<i64> = row.try_get("deleted_at")?;
    match deleted_at {
        Some(at) => Ok(Lookup::Deleted { at: timestamp(row.try_get("key")?, at)? }),
        None => Ok(Lookup::Live(graph_record(&row)?)),
    }
}

fn graph_record(row: &SqliteRow) -> Result<GraphRecord, StoreError> {
    let key = GraphKey(row.try_get("key")?);
    let id: &str = row.try_get("id")?;
    Ok(GraphRecord {
        key,
        id: id.parse().map_err(|_| damaged(key, format!("{id:?} is not a graph id")))?,
        topic: row.try_get("topic")?,
        created_at: timestamp(key.0, row.try_get("created_at")?)?,
        modified_at: timestamp(key.0, row.try_get("modified_at")?)?,
    })
}

fn timestamp(key: i64, microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|_| damaged(GraphKey(key), format!("{microseconds} is not a time")))
}

/// What a call on a graph that is deleted, or never was, gets.
pub(super) fn gone(key: GraphKey) -> StoreError {
    StoreError::Gone(format!("graph key {}", key.0))
}

pub(super) fn damaged(key: GraphKey, what: String) -> StoreError {
    StoreError::Damaged { key: key.0, what }
}
