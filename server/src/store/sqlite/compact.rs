//! Compaction: a snapshot written in slices beside the appends, and the removal of what it made superfluous.

use sqlx::{Row, sqlite::SqliteConnection};

use super::{
    SqliteStore,
    checksum::{slice_crc, snapshot_crc},
    filing,
    load::name_damage,
    read::gone,
    snapshot::SnapshotRow,
};
use crate::store::{GraphKey, Purpose, RecordId, SNAPSHOT_SLICE_BYTES_MAX, SnapshotId, StoreError};

impl SqliteStore {
    pub(super) async fn start_snapshot(
        &self,
        key: GraphKey,
        covers: RecordId,
        purpose: Purpose,
    ) -> Result<SnapshotId, StoreError> {
        // What it covers is counted, and later removed, where it is filed.
        self.file_records().await?;
        let mut lease = self.writer.lease().await?;
        let newest = filing::newest(lease.connection()).await?;
        if covers.0 > newest {
            lease.give_back();
            let covers = covers.0;
            return Err(invalid(format!("a snapshot cannot cover record {covers}: the newest is {newest}")));
        }
        // Counted from the end: whatever was filed and is not newer is in it, also what was trimmed.
        let made = sqlx::query(
            "INSERT INTO snapshots (graph, covers, records, for_version) \
             SELECT key, ?2, records - (SELECT count(*) FROM updates WHERE graph = key AND id > ?2), ?3 \
             FROM graphs WHERE key = ?1 AND deleted_at IS NULL",
        )
        .bind(key.0)
        .bind(covers.0)
        .bind(purpose == Purpose::Version)
        .execute(lease.connection())
        .await?;
        lease.give_back();
        if made.rows_affected() == 0 {
            return Err(gone(key));
        }
        Ok(SnapshotId(made.last_insert_rowid()))
    }

    pub(super) async fn add_slice(&self, snapshot: SnapshotId, index: u32, slice: &[u8]) -> Result<(), StoreError> {
        if slice.len() > SNAPSHOT_SLICE_BYTES_MAX {
            let bytes = slice.len();
            return Err(invalid(format!("a snapshot slice of {bytes} bytes is above {SNAPSHOT_SLICE_BYTES_MAX}")));
        }
        let mut lease = self.writer.lease().await?;
        // What makes the snapshot current is flushed, and with it all that came before.
        let written = write_slice(lease.unflushed().await?, snapshot, index, slice).await?;
        lease.give_back_flushing().await?;
        written
    }

    pub(super) async fn finish_snapshot(
        &self,
        snapshot: SnapshotId,
        slices: u32,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let replaced = self.readable_current(snapshot).await?;
        let mut lease = self.writer.lease().await?;
        sqlx::query("BEGIN IMMEDIATE").execute(lease.connection()).await?;
        // An error here leaves the transaction open; the lease is not given back then, which rolls it back.
        make_current(lease.connection(), snapshot, (slices, bytes), replaced).await?;
        sqlx::query("COMMIT").execute(lease.connection()).await?;
        lease.give_back();
        Ok(())
    }

    /// The snapshot that this one is to replace, if every byte of it can be read. A damaged one must not become the
    /// previous one: the graph was read from the one before it then, which stays with its records. Read beside the appends;
    /// it costs what opening the graph does, once for a tail at least as long.
    async fn readable_current(&self, replacing: SnapshotId) -> Result<Option<i64>, StoreError> {
        let mut view = self.readers.begin().await?;
        let current: Option<(i64, Option<i64>)> = sqlx::query_as(
            "SELECT g.key, g.snapshot FROM snapshots s JOIN graphs g ON g.key = s.graph WHERE s.id = ?1",
        )
        .bind(replacing.0)
        .fetch_optional(&mut *view)
        .await?;
        let Some((key, Some(current))) = current else {
            return Ok(None);
        };
        let key = GraphKey(key);
        let read = async {
            let row = SnapshotRow::find(&mut view, key, current, Purpose::Compaction).await?;
            row.read(&mut view, key, |_| {}).await
        };
        match read.await.map_err(|error| name_damage(key, error)) {
            Ok(()) => Ok(Some(current)),
            Err(StoreError::Damaged { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

/// The inner error says that the snapshot is not there to be written, and leaves the connection as it was.
async fn write_slice(
    connection: &mut SqliteConnection,
    snapshot: SnapshotId,
    index: u32,
    slice: &[u8],
) -> Result<Result<(), StoreError>, StoreError> {
    let graph: Option<i64> = sqlx::query_scalar("SELECT graph FROM snapshots WHERE id = ?1 AND complete = 0")
        .bind(snapshot.0)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(graph) = graph else {
        return Ok(Err(snapshot_gone(snapshot)));
    };
    sqlx::query(
        "INSERT INTO snapshot_slices (snapshot, idx, crc, data) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (snapshot, idx) DO UPDATE SET crc = excluded.crc, data = excluded.data",
    )
    .bind(snapshot.0)
    .bind(index)
    .bind(slice_crc(GraphKey(graph), index, slice))
    .bind(slice)
    .execute(connection)
    .await?;
    Ok(Ok(()))
}

/// Makes the snapshot current, and `replaced` the previous one if that is what it replaces.
async fn make_current(
    connection: &mut SqliteConnection,
    snapshot: SnapshotId,
    size: (u32, u64),
    replaced: Option<i64>,
) -> Result<(), StoreError> {
    let Some(begun) = complete(connection, snapshot, size, Purpose::Compaction).await? else {
        // The commit before this one succeeded, but its caller did not hear of it.
        return Ok(());
    };
    // One that covers less than the current one stays beside it, complete and superseded: `trim` takes it.
    sqlx::query(
        "UPDATE graphs SET snapshot = ?2, \
             previous_snapshot = CASE WHEN snapshot = ?4 THEN snapshot ELSE previous_snapshot END \
         WHERE key = ?1 AND deleted_at IS NULL \
         AND coalesce((SELECT covers FROM snapshots WHERE id = graphs.snapshot), -1) <= ?3",
    )
    .bind(begun.key.0)
    .bind(snapshot.0)
    .bind(begun.covers.0)
    .bind(replaced)
    .execute(connection)
    .await?;
    Ok(())
}

/// A snapshot that was begun.
pub(super) struct Begun {
    pub(super) key: GraphKey,
    pub(super) covers: RecordId,
}

/// Marks a whole snapshot complete. `None` when it was before.
pub(super) async fn complete(
    connection: &mut SqliteConnection,
    snapshot: SnapshotId,
    (slices, bytes): (u32, u64),
    purpose: Purpose,
) -> Result<Option<Begun>, StoreError> {
    let row = sqlx::query("SELECT graph, covers, records, complete, for_version FROM snapshots WHERE id = ?1")
        .bind(snapshot.0)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| snapshot_gone(snapshot))?;
    if row.try_get::<bool, _>("for_version")? != (purpose == Purpose::Version) {
        return Err(invalid(format!("snapshot {} was begun for another purpose", snapshot.0)));
    }
    if row.try_get::<bool, _>("complete")? {
        return Ok(None);
    }
    check_slices(connection, snapshot, slices, bytes).await?;
    let (graph, covers): (i64, i64) = (row.try_get("graph")?, row.try_get("covers")?);
    let crcs: Vec<i64> = sqlx::query_scalar("SELECT crc FROM snapshot_slices WHERE snapshot = ?1 ORDER BY idx")
        .bind(snapshot.0)
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query("UPDATE snapshots SET complete = 1, slices = ?2, bytes = ?3, crc = ?4 WHERE id = ?1")
        .bind(snapshot.0)
        .bind(slices)
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .bind(snapshot_crc([graph, snapshot.0, covers, row.try_get("records")?], crcs))
        .execute(connection)
        .await?;
    Ok(Some(Begun { key: GraphKey(graph), covers: RecordId(covers) }))
}

/// Records are deleted because a snapshot covers them: it must be whole before it becomes current.
async fn check_slices(
    connection: &mut SqliteConnection,
    snapshot: SnapshotId,
    slices: u32,
    bytes: u64,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS slices, coalesce(max(idx) + 1, 0) AS ends_at, coalesce(sum(length(data)), 0) AS bytes \
         FROM snapshot_slices WHERE snapshot = ?1",
    )
    .bind(snapshot.0)
    .fetch_one(connection)
    .await?;
    let have: (i64, i64, i64) = (row.try_get("slices")?, row.try_get("ends_at")?, row.try_get("bytes")?);
    if (have.0, have.1) == (i64::from(slices), i64::from(slices)) && u64::try_from(have.2) == Ok(bytes) {
        return Ok(());
    }
    let (have_slices, id) = (have.0, snapshot.0);
    Err(invalid(format!("snapshot {id} has {have_slices} of {slices} slices, {} of {bytes} bytes", have.2)))
}

pub(super) fn snapshot_gone(snapshot: SnapshotId) -> StoreError {
    StoreError::Gone(format!("snapshot {}", snapshot.0))
}

fn invalid(what: String) -> StoreError {
    sqlx::Error::InvalidArgument(what).into()
}
