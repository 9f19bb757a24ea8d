//! Reading what is known of graphs without their documents.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sqlx::{
    Row,
    sqlite::{SqliteConnection, SqliteRow},
};
use synapti_protocol::graph_id::GraphId;

use super::{SqliteStore, load::name_damage};
use crate::store::{GraphKey, GraphRecord, ListQuery, Lookup, StoreError};

/// Rows that one page of a listing may have.
const LIST_ROWS_MAX: u32 = 1_000;

impl SqliteStore {
    pub(super) async fn find_graph(&self, id: &GraphId) -> Result<Lookup, StoreError> {
        // One view: a record must not be filed between two looks.
        let mut view = self.readers.begin().await?;
        let found = find(&mut view, id).await?;
        view.commit().await?;
        Ok(found)
    }

    pub(super) async fn list_graphs(&self, query: &ListQuery) -> Result<Vec<GraphRecord>, StoreError> {
        if let Err(error) = self.file_records().await {
            tracing::debug!(%error, "a listing lacks the newest changes");
        }
        let limit = query.limit.clamp(1, LIST_ROWS_MAX);
        let among = query.among.as_ref().map(|among| names(among));
        let rows = match (&query.after, &among) {
            (None, None) => {
                sqlx::query(
                    "SELECT key, id, topic, created_at, modified_at, deleted_at FROM graphs \
                     WHERE deleted_at IS NULL ORDER BY modified_at DESC, id ASC LIMIT ?1",
                )
                .bind(limit)
                .fetch_all(&self.readers)
                .await?
            }
            // The first comparison is implied by the second: it is what lets the index start at the cursor.
            (Some(after), None) => {
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
            // Few graphs, found by their ids.
            (after, Some(among)) => {
                sqlx::query(
                    "SELECT key, id, topic, created_at, modified_at, deleted_at FROM graphs \
                     WHERE id IN (SELECT value FROM json_each(?4)) AND deleted_at IS NULL \
                     AND (?2 IS NULL OR modified_at < ?2 OR (modified_at = ?2 AND id > ?3)) \
                     ORDER BY modified_at DESC, id ASC LIMIT ?1",
                )
                .bind(limit)
                .bind(after.as_ref().map(|after| after.modified_at.as_microsecond()))
                .bind(after.as_ref().map(|after| after.id.as_str()))
                .bind(among)
                .fetch_all(&self.readers)
                .await?
            }
        };
        rows.iter().map(graph_record).collect()
    }

    pub(super) async fn walk_graphs(&self, after: GraphKey, limit: u32) -> Result<Vec<GraphRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT key, id, topic, created_at, modified_at, deleted_at FROM graphs NOT INDEXED \
             WHERE key > ?1 AND deleted_at IS NULL ORDER BY key LIMIT ?2",
        )
        .bind(after.0)
        .bind(limit.clamp(1, LIST_ROWS_MAX))
        .fetch_all(&self.readers)
        .await
        .map_err(|error| name_damage(after, error.into()))?;
        let mut graphs = Vec::with_capacity(rows.len());
        for row in &rows {
            match graph_record(row) {
                Ok(graph) => graphs.push(graph),
                // Those before it come first; the next call begins with the damaged one.
                Err(_) if !graphs.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(graphs)
    }

    pub(super) async fn measure_ping(&self) -> Result<Duration, StoreError> {
        let asked = Instant::now();
        sqlx::query("SELECT key FROM graphs LIMIT 1").fetch_optional(&self.readers).await?;
        Ok(asked.elapsed())
    }
}

/// Ids as a JSON array; nothing in an id needs an escape.
fn names(among: &[GraphId]) -> String {
    let quoted: Vec<String> = among.iter().map(|id| format!("\"{id}\"")).collect();
    format!("[{}]", quoted.join(","))
}

/// Looks a graph up on any connection, in a view that does not change meanwhile.
pub(super) async fn find(connection: &mut SqliteConnection, id: &GraphId) -> Result<Lookup, StoreError> {
    let row = sqlx::query("SELECT key, id, topic, created_at, modified_at, deleted_at FROM graphs WHERE id = ?1")
        .bind(id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else {
        return Ok(Lookup::Missing);
    };
    let deleted_at: Option<i64> = row.try_get("deleted_at")?;
    if let Some(at) = deleted_at {
        return Ok(Lookup::Deleted { at: timestamp(row.try_get("key")?, at)? });
    }
    let mut record = graph_record(&row)?;
    look_at_unfiled(connection, &mut record).await?;
    Ok(Lookup::Live(record))
}

/// Brings what is known of a graph up to date with records that are not filed yet.
async fn look_at_unfiled(view: &mut SqliteConnection, record: &mut GraphRecord) -> Result<(), StoreError> {
    let mut rows =
        sqlx::query("SELECT at, topic FROM journal WHERE graph = ?1 ORDER BY id").bind(record.key.0).fetch(view);
    while let Some(row) = rows.try_next().await? {
        record.modified_at = timestamp(record.key.0, row.try_get("at")?)?;
        if let Some(topic) = row.try_get("topic")? {
            record.topic = topic;
        }
    }
    Ok(())
}

fn graph_record(row: &SqliteRow) -> Result<GraphRecord, StoreError> {
    let key = GraphKey(row.try_get("key")?);
    let text = |column| row.try_get::<&str, _>(column).map_err(|error| name_damage(key, error.into()));
    let id = text("id")?;
    Ok(GraphRecord {
        key,
        id: id.parse().map_err(|_| damaged(key, format!("{id:?} is not a graph id")))?,
        topic: text("topic")?.to_owned(),
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
