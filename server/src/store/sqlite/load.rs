//! Reading a graph's document: every byte is checked, and what does not fit is an error, never a shorter document.

use futures_util::TryStreamExt;
use sqlx::{Row, sqlite::SqliteConnection};

use super::{
    SqliteStore,
    checksum::{record_crc, slice_crc},
    read::{damaged, gone},
    refusal::is_corruption,
};
use crate::store::{GraphKey, RecordId, StoreError, StoredGraph};

/// Memory reserved on the word of a snapshot's row; a bigger snapshot grows beyond it slice by slice.
const RESERVED_BYTES_MAX: usize = 64 * 1024 * 1024;

impl SqliteStore {
    pub(super) async fn load_graph(&self, key: GraphKey) -> Result<StoredGraph, StoreError> {
        // One read transaction: compaction may move records into a snapshot between two of its statements.
        let mut view = self.readers.begin().await?;
        let loaded = load(&mut view, key).await.map_err(|error| name_damage(key, error))?;
        view.commit().await?;
        Ok(loaded)
    }
}

/// A live graph's current snapshot, as its row says.
struct SnapshotRow {
    id: i64,
    covers: i64,
    slices: i64,
    bytes: i64,
}

/// What the graph's row promises.
struct Promise {
    snapshot: Option<SnapshotRow>,
    tail_records: i64,
}

async fn load(view: &mut SqliteConnection, key: GraphKey) -> Result<StoredGraph, StoreError> {
    let promise = read_promise(view, key).await?;
    let mut graph = StoredGraph::default();
    if let Some(snapshot) = promise.snapshot {
        graph.snapshot = Some(load_snapshot(view, key, &snapshot).await?);
        graph.last = RecordId(snapshot.covers);
    }
    load_records(view, key, FILED, &mut graph).await?;
    let (have, promised) = (graph.tail.len(), promise.tail_records);
    if i64::try_from(have) != Ok(promised) {
        return Err(damaged(key, format!("{have} of {promised} records after its snapshot are there")));
    }
    load_records(view, key, NOT_FILED, &mut graph).await?;
    Ok(graph)
}

async fn read_promise(view: &mut SqliteConnection, key: GraphKey) -> Result<Promise, StoreError> {
    let row = sqlx::query(
        "SELECT g.records, g.snapshot, s.covers, s.records AS covered, s.slices, s.bytes FROM graphs g \
         LEFT JOIN snapshots s ON s.id = g.snapshot AND s.graph = g.key AND s.complete = 1 \
         WHERE g.key = ?1 AND g.deleted_at IS NULL",
    )
    .bind(key.0)
    .fetch_optional(view)
    .await?
    .ok_or_else(|| gone(key))?;
    let records: i64 = row.try_get("records")?;
    let Some(id) = row.try_get::<Option<i64>, _>("snapshot")? else {
        return Ok(Promise { snapshot: None, tail_records: records });
    };
    let Some(covers) = row.try_get::<Option<i64>, _>("covers")? else {
        return Err(damaged(key, format!("its snapshot {id} is missing or incomplete")));
    };
    let snapshot = SnapshotRow { id, covers, slices: row.try_get("slices")?, bytes: row.try_get("bytes")? };
    let covered: i64 = row.try_get("covered")?;
    Ok(Promise { snapshot: Some(snapshot), tail_records: records.saturating_sub(covered) })
}

/// Records where an index finds them.
const FILED: &str = "SELECT id, crc, data FROM updates WHERE graph = ?1 AND id > ?2 ORDER BY id";

/// Records of the last moments, of all graphs: few enough to look at each.
const NOT_FILED: &str = "SELECT id, crc, data FROM journal WHERE graph = ?1 AND id > ?2 ORDER BY id";

/// Adds the records after `graph.last`.
async fn load_records(
    view: &mut SqliteConnection,
    key: GraphKey,
    records: &'static str,
    graph: &mut StoredGraph,
) -> Result<(), StoreError> {
    let mut rows = sqlx::query(records).bind(key.0).bind(graph.last.0).fetch(view);
    while let Some(row) = rows.try_next().await? {
        let id: i64 = row.try_get("id")?;
        let data: Vec<u8> = row.try_get("data")?;
        if row.try_get::<i64, _>("crc")? != i64::from(record_crc(key, &data)) {
            return Err(damaged(key, format!("record {id} does not match its checksum")));
        }
        // The index can be damaged too, and then name one record twice and another never.
        if id <= graph.last.0 {
            return Err(damaged(key, format!("record {id} comes after record {}", graph.last.0)));
        }
        graph.tail_bytes += data.len() as u64;
        graph.tail.push(data);
        graph.last = RecordId(id);
    }
    Ok(())
}

async fn load_snapshot(
    view: &mut SqliteConnection,
    key: GraphKey,
    snapshot: &SnapshotRow,
) -> Result<Vec<u8>, StoreError> {
    let SnapshotRow { id, slices, bytes, .. } = *snapshot;
    // The row is believed only so far: damage must not become an allocation that ends the process.
    let declared = usize::try_from(bytes).unwrap_or(0);
    let mut state = Vec::with_capacity(declared.min(RESERVED_BYTES_MAX));
    let mut next: u32 = 0;
    let mut rows =
        sqlx::query("SELECT idx, crc, data FROM snapshot_slices WHERE snapshot = ?1 ORDER BY idx").bind(id).fetch(view);
    while let Some(row) = rows.try_next().await? {
        let data: &[u8] = row.try_get("data")?;
        if row.try_get::<i64, _>("idx")? != i64::from(next) {
            return Err(damaged(key, format!("slice {next} of snapshot {id} is missing")));
        }
        if row.try_get::<i64, _>("crc")? != i64::from(slice_crc(key, next, data)) {
            return Err(damaged(key, format!("slice {next} of snapshot {id} does not match its checksum")));
        }
        state.extend_from_slice(data);
        next += 1;
    }
    if i64::from(next) != slices || i64::try_from(state.len()) != Ok(bytes) {
        let have = state.len();
        return Err(damaged(key, format!("snapshot {id} has {next} of {slices} slices, {have} of {bytes} bytes")));
    }
    Ok(state)
}

/// `SQLite` noticing a torn page or a wrong type while it reads a graph is damage too: trying again does not help.
fn name_damage(key: GraphKey, error: StoreError) -> StoreError {
    match error {
        StoreError::Backend(error) if is_corruption(&error) => damaged(key, error.to_string()),
        StoreError::Backend(sqlx::Error::ColumnDecode { index, source }) => {
            damaged(key, format!("column {index}: {source}"))
        }
        other => other,
    }
}
