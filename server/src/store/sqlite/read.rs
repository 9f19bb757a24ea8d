//! Everything that only reads.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::{
    Row,
    sqlite::{SqliteConnection, SqliteRow},
};
use synapti_protocol::graph_id::GraphId;

use super::{
    SqliteStore,
    checksum::{record_crc, slice_crc},
};
use crate::store::{
    GraphKey, GraphRecord, ListQuery, Lookup, RecordId, SNAPSHOT_SLICE_BYTES_MAX, StoreError,
    StoredGraph,
};

/// Rows that one page of a listing may have.
const LIST_ROWS_MAX: u32 = 1_000;

impl SqliteStore {
    pub(super) async fn find_graph(&self, id: &GraphId) -> Result<Lookup, StoreError> {
        let mut connection = self.readers.acquire().await?;
        find(&mut connection, id).await
    }

    pub(super) async fn list_graphs(
        &self,
        query: &ListQuery,
    ) -> Result<Vec<GraphRecord>, StoreError> {
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

    pub(super) async fn load_graph(&self, key: GraphKey) -> Result<StoredGraph, StoreError> {
        // One read transaction: compaction may move records into a snapshot between two of its statements.
        let mut view = self.readers.begin().await?;
        let loaded = load(&mut view, key)
            .await
            .map_err(|error| name_damage(key, error))?;
        view.commit().await?;
        Ok(loaded)
    }

    pub(super) async fn measure_ping(&self) -> Result<Duration, StoreError> {
        let asked = Instant::now();
        sqlx::query("SELECT key FROM graphs LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        Ok(asked.elapsed())
    }
}

/// Looks a graph up on any connection.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    id: &GraphId,
) -> Result<Lookup, StoreError> {
    let row = sqlx::query(
        "SELECT key, id, topic, created_at, modified_at, deleted_at FROM graphs WHERE id = ?1",
    )
    .bind(id.as_str())
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else {
        return Ok(Lookup::Missing);
    };
    let deleted_at: Option<i64> = row.try_get("deleted_at")?;
    match deleted_at {
        Some(at) => Ok(Lookup::Deleted {
            at: timestamp(row.try_get("key")?, at)?,
        }),
        None => Ok(Lookup::Live(graph_record(&row)?)),
    }
}

/// A live graph's current snapshot, as its row says.
struct SnapshotRow {
    id: i64,
    covers: i64,
    slices: i64,
    bytes: i64,
}

async fn load(view: &mut SqliteConnection, key: GraphKey) -> Result<StoredGraph, StoreError> {
    let current = current_snapshot(view, key).await?;
    let covers = current.as_ref().map_or(0, |row| row.covers);
    let snapshot = match current {
        Some(row) => Some(load_snapshot(view, key, &row).await?),
        None => None,
    };
    let mut graph = StoredGraph {
        snapshot,
        last: RecordId(covers),
        ..StoredGraph::default()
    };
    let mut rows =
        sqlx::query("SELECT id, crc, data FROM updates WHERE graph = ?1 AND id > ?2 ORDER BY id")
            .bind(key.0)
            .bind(covers)
            .fetch(view);
    while let Some(row) = rows.try_next().await? {
        let id: i64 = row.try_get("id")?;
        let data: Vec<u8> = row.try_get("data")?;
        if row.try_get::<i64, _>("crc")? != i64::from(record_crc(key, &data)) {
            return Err(damaged(
                key,
                format!("record {id} does not match its checksum"),
            ));
        }
        graph.tail_bytes += data.len() as u64;
        graph.tail.push(data);
        graph.last = RecordId(id);
    }
    Ok(graph)
}

async fn current_snapshot(
    view: &mut SqliteConnection,
    key: GraphKey,
) -> Result<Option<SnapshotRow>, StoreError> {
    let row = sqlx::query(
        "SELECT g.snapshot, s.covers, s.slices, s.bytes FROM graphs g \
         LEFT JOIN snapshots s ON s.id = g.snapshot AND s.graph = g.key AND s.complete = 1 \
         WHERE g.key = ?1 AND g.deleted_at IS NULL",
    )
    .bind(key.0)
    .fetch_optional(view)
    .await?
    .ok_or_else(|| gone(key))?;
    let Some(id) = row.try_get::<Option<i64>, _>("snapshot")? else {
        return Ok(None);
    };
    let Some(covers) = row.try_get::<Option<i64>, _>("covers")? else {
        return Err(damaged(
            key,
            format!("its snapshot {id} is missing or incomplete"),
        ));
    };
    Ok(Some(SnapshotRow {
        id,
        covers,
        slices: row.try_get("slices")?,
        bytes: row.try_get("bytes")?,
    }))
}

async fn load_snapshot(
    view: &mut SqliteConnection,
    key: GraphKey,
    snapshot: &SnapshotRow,
) -> Result<Vec<u8>, StoreError> {
    let SnapshotRow {
        id, slices, bytes, ..
    } = *snapshot;
    let mut state = Vec::new();
    let mut next: u32 = 0;
    let mut rows =
        sqlx::query("SELECT idx, crc, data FROM snapshot_slices WHERE snapshot = ?1 ORDER BY idx")
            .bind(id)
            .fetch(view);
    while let Some(row) = rows.try_next().await? {
        let data: &[u8] = row.try_get("data")?;
        if row.try_get::<i64, _>("idx")? != i64::from(next) {
            return Err(damaged(
                key,
                format!("slice {next} of snapshot {id} is missing"),
            ));
        }
        if row.try_get::<i64, _>("crc")? != i64::from(slice_crc(key, next, data)) {
            return Err(damaged(
                key,
                format!("slice {next} of snapshot {id} does not match its checksum"),
            ));
        }
        if next == 0 {
            // Believe the row only as far as its slices can hold it.
            let declared = usize::try_from(bytes).unwrap_or(0);
            state.reserve_exact(
                declared.min(
                    usize::try_from(slices)
                        .unwrap_or(0)
                        .saturating_mul(SNAPSHOT_SLICE_BYTES_MAX),
                ),
            );
        }
        state.extend_from_slice(data);
        next += 1;
    }
    if i64::from(next) != slices || i64::try_from(state.len()) != Ok(bytes) {
        let have = state.len();
        return Err(damaged(
            key,
            format!("snapshot {id} has {next} of {slices} slices, {have} of {bytes} bytes"),
        ));
    }
    Ok(state)
}

fn graph_record(row: &SqliteRow) -> Result<GraphRecord, StoreError> {
    let key = GraphKey(row.try_get("key")?);
    let id: &str = row.try_get("id")?;
    Ok(GraphRecord {
        key,
        id: id
            .parse()
            .map_err(|_| damaged(key, format!("{id:?} is not a graph id")))?,
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

/// SQLite noticing a torn page or a wrong type while it reads a graph is damage too: trying again does not help.
fn name_damage(key: GraphKey, error: StoreError) -> StoreError {
    match error {
        StoreError::Backend(error) if super::is_corruption(&error) => {
            damaged(key, error.to_string())
        }
        StoreError::Backend(sqlx::Error::ColumnDecode { index, source }) => {
            damaged(key, format!("column {index}: {source}"))
        }
        other => other,
    }
}
