//! Creating and deleting graphs, and reading what is known of them without their documents.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::{
    Row,
    postgres::{PgConnection, PgRow},
};
use synapti_protocol::graph_id::GraphId;

use super::{PostgresStore, refusal::damaged, text::storable};
use crate::store::{GraphKey, GraphRecord, ListQuery, Lookup, StoreError};

/// Rows that one page of a listing or a walk may have.
const ROWS_MAX: u32 = 1_000;

const FIND: &str = "SELECT key, id, topic, created_at, modified_at, deleted_at FROM graphs WHERE id = $1";

const LIST: &str = "SELECT key, id, topic, created_at, modified_at FROM graphs \
    WHERE deleted_at IS NULL ORDER BY modified_at DESC, id ASC LIMIT $1";

/// The first comparison is implied by the second: it is what lets the index start at the cursor.
const LIST_AFTER: &str = "SELECT key, id, topic, created_at, modified_at FROM graphs \
    WHERE deleted_at IS NULL AND modified_at <= $2 AND (modified_at < $2 OR id > $3) \
    ORDER BY modified_at DESC, id ASC LIMIT $1";

/// Few graphs, found by their ids.
const LIST_AMONG: &str = "SELECT key, id, topic, created_at, modified_at FROM graphs \
    WHERE id = ANY($4) AND deleted_at IS NULL AND ($2::bigint IS NULL OR modified_at < $2 OR (modified_at = $2 AND id > $3)) \
    ORDER BY modified_at DESC, id ASC LIMIT $1";

const WALK: &str = "SELECT key, id, topic, created_at, modified_at FROM graphs \
    WHERE key > $1 AND deleted_at IS NULL ORDER BY key LIMIT $2";

impl PostgresStore {
    pub(super) async fn find_graph(&self, id: &GraphId) -> Result<Lookup, StoreError> {
        let mut lease = self.lease().await?;
        let found = find(lease.connection(), id).await;
        lease.settle(found)
    }

    pub(super) async fn create_graph(
        &self,
        id: &GraphId,
        topic: &str,
        at: Timestamp,
    ) -> Result<(Lookup, bool), StoreError> {
        let mut lease = self.lease().await?;
        // Whoever comes second waits here for the first one's commit, and then finds what it made.
        let made = sqlx::query(
            "INSERT INTO graphs (id, topic, created_at, modified_at) VALUES ($1, $2, $3, $3) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id.as_str())
        .bind(storable(topic))
        .bind(at.as_microsecond())
        .execute(lease.connection())
        .await?;
        let found = find(lease.connection(), id).await;
        Ok((lease.settle(found)?, made.rows_affected() == 1))
    }

    pub(super) async fn tombstone_graph(&self, key: GraphKey, at: Timestamp) -> Result<(), StoreError> {
        let mut lease = self.lease().await?;
        sqlx::query(
            "UPDATE graphs SET deleted_at = $2, topic = '', snapshot = NULL, previous_snapshot = NULL \
             WHERE key = $1 AND deleted_at IS NULL",
        )
        .bind(key.0)
        .bind(at.as_microsecond())
        .execute(lease.connection())
        .await?;
        lease.give_back();
        Ok(())
    }

    pub(super) async fn list_graphs(&self, query: &ListQuery) -> Result<Vec<GraphRecord>, StoreError> {
        let limit = i64::from(query.limit.clamp(1, ROWS_MAX));
        let mut lease = self.lease().await?;
        let among: Option<Vec<&str>> = query.among.as_ref().map(|among| among.iter().map(GraphId::as_str).collect());
        let page = match (&query.after, among) {
            (after, Some(among)) => sqlx::query(LIST_AMONG)
                .bind(limit)
                .bind(after.as_ref().map(|after| after.modified_at.as_microsecond()))
                .bind(after.as_ref().map(|after| after.id.as_str()))
                .bind(among),
            (None, None) => sqlx::query(LIST).bind(limit),
            (Some(after), None) => {
                sqlx::query(LIST_AFTER).bind(limit).bind(after.modified_at.as_microsecond()).bind(after.id.as_str())
            }
        };
        let rows = page.fetch_all(lease.connection()).await?;
        lease.give_back();
        rows.iter().map(graph_record).collect()
    }

    pub(super) async fn walk_graphs(&self, after: GraphKey, limit: u32) -> Result<Vec<GraphRecord>, StoreError> {
        let limit = i64::from(limit.clamp(1, ROWS_MAX));
        let mut lease = self.lease().await?;
        let rows = sqlx::query(WALK).bind(after.0).bind(limit).fetch_all(lease.connection()).await?;
        lease.give_back();
        rows.iter().map(graph_record).collect()
    }

    pub(super) async fn measure_ping(&self) -> Result<Duration, StoreError> {
        let asked = Instant::now();
        let mut lease = self.lease().await?;
        sqlx::query("SELECT key FROM graphs LIMIT 1").fetch_optional(lease.connection()).await?;
        lease.give_back();
        Ok(asked.elapsed())
    }
}

/// Runs the hot statement on nothing.
pub(super) async fn warm(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(FIND).bind("").fetch_optional(connection).await.map(|_| ())
}

async fn find(connection: &mut PgConnection, id: &GraphId) -> Result<Lookup, StoreError> {
    let row = sqlx::query(FIND).bind(id.as_str()).fetch_optional(connection).await?;
    let Some(row) = row else {
        return Ok(Lookup::Missing);
    };
    let deleted_at: Option<i64> = row.try_get("deleted_at")?;
    match deleted_at {
        Some(at) => Ok(Lookup::Deleted { at: timestamp(GraphKey(row.try_get("key")?), at)? }),
        None => graph_record(&row).map(Lookup::Live),
    }
}

fn graph_record(row: &PgRow) -> Result<GraphRecord, StoreError> {
    let key = GraphKey(row.try_get("key")?);
    let id: &str = row.try_get("id")?;
    Ok(GraphRecord {
        key,
        id: id.parse().map_err(|_| damaged(key, format!("{id:?} is not a graph id")))?,
        topic: row.try_get("topic")?,
        created_at: timestamp(key, row.try_get("created_at")?)?,
        modified_at: timestamp(key, row.try_get("modified_at")?)?,
    })
}

pub(super) fn timestamp(key: GraphKey, microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|_| damaged(key, format!("{microseconds} is not a time")))
}
