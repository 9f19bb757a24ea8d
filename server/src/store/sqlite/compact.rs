//! Compaction: a snapshot written in slices beside the appends, and the removal of what it made superfluous.

use sqlx::{Row, sqlite::SqliteConnection};

use super::{SqliteStore, checksum::slice_crc, filing, read::gone};
use crate::store::{GraphKey, RecordId, SNAPSHOT_SLICE_BYTES_MAX, SnapshotId, StoreError};

impl SqliteStore {
    pub(super) async fn start_snapshot(&self, key: GraphKey, covers: RecordId) -> Result<SnapshotId, StoreError> {
        // What it covers is counted, and later removed, where it is filed.
        self.file_records().await?;
        let mut lease = self.writer.lease().await?;
        let newest = filing::newest(lease.connection()).await?;
        if covers.0 > newest {
            lease.give_back();
            let covers = covers.0;
            return Err(invalid(format!("a snapshot cannot cover record {covers}: the newest is {newest}")));
        }
        let made = sqlx::query(
            "INSERT INTO snapshots (graph, covers, records) \
             SELECT g.key, ?2, coalesce(s.records, 0) + (SELECT count(*) FROM updates \
                 WHERE graph = g.key AND id > coalesce(s.covers, 0) AND id <= ?2) \
             FROM graphs g LEFT JOIN snapshots s ON s.id = g.snapshot WHERE g.key = ?1 AND g.deleted_at IS NULL",
        )
        .bind(key.0)
        .bind(covers.0)
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
        let written = write_slice(lease.connection(), snapshot, index, slice).await?;
        lease.give_back();
        written
    }

    pub(super) async fn finish_snapshot(
        &self,
        snapshot: SnapshotId,
        slices: u32,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let mut lease = self.writer.lease().await?;
        sqlx::query("BEGIN IMMEDIATE").execute(lease.connection()).await?;
        // An error here leaves the transaction open; the lease is not given back then, which rolls it back.
        make_current(lease.connection(), snapshot, slices, bytes).await?;
        sqlx::query("COMMIT").execute(lease.connection()).await?;
        lease.give_back();
        Ok(())
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

async fn make_current(
    connection: &mut SqliteConnection,
    snapshot: SnapshotId,
    slices: u32,
    bytes: u64,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT graph, covers, complete FROM snapshots WHERE id = ?1")
        .bind(snapshot.0)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| snapshot_gone(snapshot))?;
    if row.try_get::<bool, _>("complete")? {
        // The commit before this one succeeded, but its caller did not hear of it.
        return Ok(());
    }
    let key = GraphKey(row.try_get("graph")?);
    check_slices(connection, snapshot, slices, bytes).await?;
    sqlx::query("UPDATE snapshots SET complete = 1, slices = ?2, bytes = ?3 WHERE id = ?1")
        .bind(snapshot.0)
        .bind(slices)
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await?;
    // One that covers less than the current one stays beside it, complete and superseded: `trim` takes it.
    sqlx::query(
        "UPDATE graphs SET snapshot = ?2 WHERE key = ?1 AND deleted_at IS NULL \
         AND coalesce((SELECT covers FROM snapshots WHERE id = graphs.snapshot), -1) <= ?3",
    )
    .bind(key.0)
    .bind(snapshot.0)
    .bind(row.try_get::<i64, _>("covers")?)
    .execute(connection)
    .await?;
    Ok(())
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

fn snapshot_gone(snapshot: SnapshotId) -> StoreError {
    StoreError::Gone(format!("snapshot {}", snapshot.0))
}

fn invalid(what: String) -> StoreError {
    sqlx::Error::InvalidArgument(what).into()
}
