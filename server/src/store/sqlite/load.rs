//! Reading a graph's document: every byte is checked, and what does not fit is never a shorter document without a word.

use futures_util::TryStreamExt;
use sqlx::{Row, sqlite::SqliteConnection};

use super::{
    SqliteStore,
    checksum::record_crc,
    read::{damaged, gone},
    refusal::is_corruption,
    salvage::salvage,
    snapshot::SnapshotRow,
};
use crate::store::{GraphKey, Purpose, RecordId, StoreError, StoredGraph};

impl SqliteStore {
    pub(super) async fn load_graph(&self, key: GraphKey) -> Result<StoredGraph, StoreError> {
        // One read transaction: compaction may move records into a snapshot between two of its statements.
        let mut view = self.readers.begin().await?;
        let what = match load(&mut view, key).await.map_err(|error| name_damage(key, error)) {
            Ok(loaded) => {
                view.commit().await?;
                return Ok(loaded);
            }
            Err(StoreError::Damaged { what, .. }) => what,
            Err(other) => return Err(other),
        };
        // In the same view, so that it is the same damage.
        salvage(&mut view, key, what).await.map_err(|error| name_damage(key, error))
    }
}

/// What a graph's row says of its document.
pub(super) struct GraphRow {
    /// Records that were ever filed.
    pub(super) records: i64,
    pub(super) snapshot: Option<i64>,
    pub(super) previous: Option<i64>,
}

impl GraphRow {
    /// A live graph's row.
    pub(super) async fn find(view: &mut SqliteConnection, key: GraphKey) -> Result<Self, StoreError> {
        let row = sqlx::query(
            "SELECT records, snapshot, previous_snapshot FROM graphs WHERE key = ?1 AND deleted_at IS NULL",
        )
        .bind(key.0)
        .fetch_optional(view)
        .await?
        .ok_or_else(|| gone(key))?;
        Ok(Self {
            records: row.try_get("records")?,
            snapshot: row.try_get("snapshot")?,
            previous: row.try_get("previous_snapshot")?,
        })
    }
}

async fn load(view: &mut SqliteConnection, key: GraphKey) -> Result<StoredGraph, StoreError> {
    let promised = GraphRow::find(view, key).await?;
    let mut graph = StoredGraph::default();
    let mut covered = 0;
    if let Some(id) = promised.snapshot {
        let snapshot = SnapshotRow::find(view, key, id, Purpose::Compaction).await?;
        graph.snapshot = Some(snapshot.load(view, key).await?);
        graph.last = RecordId(snapshot.covers);
        covered = snapshot.records;
    }
    load_records(view, key, FILED, &mut graph).await?;
    let (have, promised) = (graph.tail.len(), promised.records.saturating_sub(covered));
    if i64::try_from(have) != Ok(promised) {
        return Err(damaged(key, format!("{have} of {promised} records after its snapshot are there")));
    }
    load_records(view, key, NOT_FILED, &mut graph).await?;
    Ok(graph)
}

/// Records where an index finds them.
const FILED: &str = "SELECT id, crc, data FROM updates WHERE graph = ?1 AND id > ?2 ORDER BY id";

/// Records of the last moments, of all graphs: few enough to look at each. All of them are newer than what is filed, so
/// one that is not has a damaged number, and must not be passed over.
const NOT_FILED: &str = "SELECT id, crc, data FROM journal WHERE graph = ?1 ORDER BY id";

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

/// `SQLite` noticing a torn page or a wrong type while it reads a graph is damage too: trying again does not help.
pub(super) fn name_damage(key: GraphKey, error: StoreError) -> StoreError {
    match error {
        StoreError::Backend(error) if is_corruption(&error) => damaged(key, error.to_string()),
        other => other,
    }
}
