//! Snapshots, written in slices beside the appends: to take the place of records, or to be kept as versions.

use sqlx::{Row, postgres::PgConnection};

use super::{
    PostgresStore,
    lease::View,
    load::read_snapshot,
    refusal::{gone, invalid, is_corruption},
};
use crate::store::{
    GraphKey, Purpose, RecordId, SNAPSHOT_SLICE_BYTES_MAX, SnapshotId, StoreError, checksum::slice_crc,
};

impl PostgresStore {
    pub(super) async fn start_snapshot(
        &self,
        key: GraphKey,
        covers: RecordId,
        purpose: Purpose,
    ) -> Result<Option<SnapshotId>, StoreError> {
        if purpose == Purpose::Version {
            return self.insert_snapshot(key, covers, purpose).await.map(Some);
        }
        if !self.turns.take(key).await? {
            return Ok(None);
        }
        let begun = self.insert_snapshot(key, covers, purpose).await;
        match &begun {
            Ok(snapshot) => self.turns.is_for(*snapshot).await,
            Err(_) => self.turns.give_up(None).await,
        }
        begun.map(Some)
    }

    async fn insert_snapshot(
        &self,
        key: GraphKey,
        covers: RecordId,
        purpose: Purpose,
    ) -> Result<SnapshotId, StoreError> {
        let mut lease = self.lease().await?;
        let begun = insert(lease.connection(), key, covers, purpose).await;
        lease.settle(begun)
    }

    pub(super) async fn add_slice(&self, snapshot: SnapshotId, index: u32, slice: &[u8]) -> Result<(), StoreError> {
        let added = self.write_slice(snapshot, index, slice).await;
        if added.is_err() {
            self.turns.give_up(Some(snapshot)).await;
        }
        added
    }

    async fn write_slice(&self, snapshot: SnapshotId, index: u32, slice: &[u8]) -> Result<(), StoreError> {
        if slice.len() > SNAPSHOT_SLICE_BYTES_MAX {
            let bytes = slice.len();
            return Err(invalid(format!("a snapshot slice of {bytes} bytes is above {SNAPSHOT_SLICE_BYTES_MAX}")));
        }
        let mut lease = self.lease().await?;
        let written = write(lease.connection(), snapshot, index, slice).await;
        lease.settle(written)
    }

    pub(super) async fn finish_snapshot(
        &self,
        snapshot: SnapshotId,
        slices: u32,
        bytes: u64,
    ) -> Result<(), StoreError> {
        let replaced = self.readable_current(snapshot).await?;
        let mut lease = self.lease().await?;
        lease.begin(View::Newest).await?;
        let made = make_current(lease.connection(), snapshot, slices, bytes, replaced).await;
        let made = lease.end(made).await;
        self.turns.give_up(Some(snapshot)).await;
        made
    }
}

impl PostgresStore {
    /// The snapshot that this one is to replace, if every byte of it can be read. A damaged one must not become the previous
    /// one: the graph was read from the one before it then, which stays with its records.
    async fn readable_current(&self, replacing: SnapshotId) -> Result<Option<i64>, StoreError> {
        let mut lease = self.lease().await?;
        let current: Option<(i64, Option<i64>)> = sqlx::query_as(
            "SELECT g.key, g.snapshot FROM snapshots s JOIN graphs g ON g.key = s.graph WHERE s.id = $1",
        )
        .bind(replacing.0)
        .fetch_optional(lease.connection())
        .await?;
        let Some((key, Some(current))) = current else {
            lease.give_back();
            return Ok(None);
        };
        match read_snapshot(lease.connection(), GraphKey(key), current).await {
            Ok(read) => {
                lease.give_back();
                Ok(read.is_ok().then_some(current))
            }
            // A page that the server itself finds torn.
            Err(StoreError::Backend(error)) if is_corruption(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn insert(
    connection: &mut PgConnection,
    key: GraphKey,
    covers: RecordId,
    purpose: Purpose,
) -> Result<SnapshotId, StoreError> {
    let row = sqlx::query("SELECT records FROM graphs WHERE key = $1 AND deleted_at IS NULL")
        .bind(key.0)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| gone(key))?;
    let newest: i64 = row.try_get("records")?;
    let covers = covers.0;
    if covers > newest {
        return Err(invalid(format!("a snapshot cannot cover record {covers}: the newest is {newest}")));
    }
    let id = sqlx::query_scalar("INSERT INTO snapshots (graph, covers, for_version) VALUES ($1, $2, $3) RETURNING id")
        .bind(key.0)
        .bind(covers)
        .bind(purpose == Purpose::Version)
        .fetch_one(connection)
        .await?;
    Ok(SnapshotId(id))
}

async fn write(
    connection: &mut PgConnection,
    snapshot: SnapshotId,
    index: u32,
    slice: &[u8],
) -> Result<(), StoreError> {
    let graph: Option<i64> = sqlx::query_scalar("SELECT graph FROM snapshots WHERE id = $1")
        .bind(snapshot.0)
        .fetch_optional(&mut *connection)
        .await?;
    let key = GraphKey(graph.ok_or_else(|| snapshot_gone(snapshot))?);
    // The lock keeps the snapshot as it is until the slice is in: whoever dooms it waits, or was first.
    let written = sqlx::query(
        "INSERT INTO snapshot_slices (snapshot, idx, crc, data) \
         SELECT id, $2, $3, $4 FROM snapshots WHERE id = $1 AND state = 'writing' FOR SHARE \
         ON CONFLICT (snapshot, idx) DO UPDATE SET crc = excluded.crc, data = excluded.data",
    )
    .bind(snapshot.0)
    .bind(i64::from(index))
    .bind(i64::from(slice_crc(key, index, slice)))
    .bind(slice)
    .execute(connection)
    .await?;
    if written.rows_affected() == 0 { Err(snapshot_gone(snapshot)) } else { Ok(()) }
}

async fn make_current(
    connection: &mut PgConnection,
    snapshot: SnapshotId,
    slices: u32,
    bytes: u64,
    replaced: Option<i64>,
) -> Result<(), StoreError> {
    let Finished { key, covers, was_complete } =
        finish(connection, snapshot, Purpose::Compaction, slices, bytes).await?;
    if was_complete {
        // The commit before this one succeeded, but its caller did not hear of it.
        return Ok(());
    }
    // One that covers less than the current one stays beside it, complete and superseded: `trim` takes it. The one that is
    // replaced stays as well, if it can be read, with the records after it, until the next is whole.
    sqlx::query(
        "UPDATE graphs SET snapshot = $2, \
            previous_snapshot = CASE WHEN snapshot = $4 THEN snapshot ELSE previous_snapshot END \
         WHERE key = $1 AND deleted_at IS NULL \
         AND coalesce((SELECT covers FROM snapshots WHERE id = graphs.snapshot), -1) <= $3",
    )
    .bind(key.0)
    .bind(snapshot.0)
    .bind(covers.0)
    .bind(replaced)
    .execute(connection)
    .await?;
    Ok(())
}

/// A snapshot that is whole.
pub(super) struct Finished {
    pub(super) key: GraphKey,
    pub(super) covers: RecordId,
    /// Whether an earlier call made it so.
    pub(super) was_complete: bool,
}

/// Makes a snapshot complete, holding the graph's lock until the transaction ends. The graph's comes before the snapshot's:
/// all who need both take them in this order.
pub(super) async fn finish(
    connection: &mut PgConnection,
    snapshot: SnapshotId,
    purpose: Purpose,
    slices: u32,
    bytes: u64,
) -> Result<Finished, StoreError> {
    sqlx::query("SELECT key FROM graphs WHERE key = (SELECT graph FROM snapshots WHERE id = $1) FOR NO KEY UPDATE")
        .bind(snapshot.0)
        .fetch_optional(&mut *connection)
        .await?;
    let row = sqlx::query("SELECT graph, covers, state, for_version FROM snapshots WHERE id = $1 FOR UPDATE")
        .bind(snapshot.0)
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| snapshot_gone(snapshot))?;
    let state: &str = row.try_get("state")?;
    if state == "doomed" {
        return Err(snapshot_gone(snapshot));
    }
    if row.try_get::<bool, _>("for_version")? != (purpose == Purpose::Version) {
        return Err(invalid(format!("snapshot {} was begun for another purpose", snapshot.0)));
    }
    let was_complete = state == "complete";
    let finished =
        Finished { key: GraphKey(row.try_get("graph")?), covers: RecordId(row.try_get("covers")?), was_complete };
    if !was_complete {
        check_slices(connection, snapshot, slices, bytes).await?;
        sqlx::query("UPDATE snapshots SET state = 'complete', slices = $2, bytes = $3 WHERE id = $1")
            .bind(snapshot.0)
            .bind(i64::from(slices))
            .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
            .execute(connection)
            .await?;
    }
    Ok(finished)
}

/// Records are deleted because a snapshot covers them: it must be whole before it becomes current.
async fn check_slices(
    connection: &mut PgConnection,
    snapshot: SnapshotId,
    slices: u32,
    bytes: u64,
) -> Result<(), StoreError> {
    let (have_slices, ends_at, have_bytes): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(max(idx) + 1, 0), coalesce(sum(octet_length(data)), 0)::bigint \
         FROM snapshot_slices WHERE snapshot = $1",
    )
    .bind(snapshot.0)
    .fetch_one(connection)
    .await?;
    if (have_slices, ends_at) == (i64::from(slices), i64::from(slices)) && u64::try_from(have_bytes) == Ok(bytes) {
        return Ok(());
    }
    let id = snapshot.0;
    Err(invalid(format!("snapshot {id} has {have_slices} of {slices} slices, {have_bytes} of {bytes} bytes")))
}

pub(super) fn snapshot_gone(snapshot: SnapshotId) -> StoreError {
    StoreError::Gone(format!("snapshot {}", snapshot.0))
}
