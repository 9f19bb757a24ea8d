//! Reading a snapshot: every slice is checked.

use futures_util::TryStreamExt;
use sqlx::{
    Row,
    sqlite::{SqliteConnection, SqliteRow},
};

use super::{
    checksum::{slice_crc, snapshot_crc},
    read::damaged,
};
use crate::store::{GraphKey, Purpose, StoreError};

/// Memory reserved on the word of a snapshot's row; a bigger snapshot grows beyond it slice by slice.
const RESERVED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A complete snapshot, as its row says.
pub(super) struct SnapshotRow {
    pub(super) id: i64,
    pub(super) covers: i64,
    /// How many of the graph's records it covers.
    pub(super) records: i64,
    slices: i64,
    bytes: i64,
    /// Of the row and its slices, unless it is from before there was one.
    crc: Option<i64>,
}

impl SnapshotRow {
    /// A complete snapshot of the graph, made for this purpose.
    pub(super) async fn find(
        view: &mut SqliteConnection,
        key: GraphKey,
        id: i64,
        purpose: Purpose,
    ) -> Result<Self, StoreError> {
        let row = sqlx::query(
            "SELECT id, covers, records, slices, bytes, crc FROM snapshots \
             WHERE id = ?1 AND graph = ?2 AND complete = 1 AND for_version = ?3",
        )
        .bind(id)
        .bind(key.0)
        .bind(purpose == Purpose::Version)
        .fetch_optional(view)
        .await?
        .ok_or_else(|| damaged(key, format!("its snapshot {id} is missing or incomplete")))?;
        Ok(Self::of(&row)?)
    }

    /// Reads its bytes.
    pub(super) async fn load(&self, view: &mut SqliteConnection, key: GraphKey) -> Result<Vec<u8>, StoreError> {
        // The row is believed only so far: damage must not become an allocation that ends the process.
        let declared = usize::try_from(self.bytes).unwrap_or(0);
        let mut state = Vec::with_capacity(declared.min(RESERVED_BYTES_MAX));
        self.read(view, key, |slice| state.extend_from_slice(slice)).await?;
        Ok(state)
    }

    /// Hands on slice by slice what has been checked. An error is [`StoreError::Damaged`], or the database's own.
    pub(super) async fn read(
        &self,
        view: &mut SqliteConnection,
        key: GraphKey,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        let Self { id, slices, bytes, .. } = *self;
        let (mut next, mut have, mut crcs): (u32, usize, Vec<i64>) = (0, 0, Vec::new());
        let mut rows = sqlx::query("SELECT idx, crc, data FROM snapshot_slices WHERE snapshot = ?1 ORDER BY idx")
            .bind(id)
            .fetch(view);
        while let Some(row) = rows.try_next().await? {
            let data: &[u8] = row.try_get("data")?;
            if row.try_get::<i64, _>("idx")? != i64::from(next) {
                return Err(damaged(key, format!("slice {next} of snapshot {id} is missing")));
            }
            let crc = i64::from(slice_crc(key, next, data));
            if row.try_get::<i64, _>("crc")? != crc {
                return Err(damaged(key, format!("slice {next} of snapshot {id} does not match its checksum")));
            }
            take(data);
            crcs.push(crc);
            have += data.len();
            next += 1;
        }
        if i64::from(next) != slices || i64::try_from(have) != Ok(bytes) {
            return Err(damaged(key, format!("snapshot {id} has {next} of {slices} slices, {have} of {bytes} bytes")));
        }
        let crc = i64::from(snapshot_crc([key.0, id, self.covers, self.records], crcs));
        if self.crc.is_some_and(|stored| stored != crc) {
            return Err(damaged(key, format!("snapshot {id} does not match its checksum")));
        }
        Ok(())
    }

    fn of(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            covers: row.try_get("covers")?,
            records: row.try_get("records")?,
            slices: row.try_get("slices")?,
            bytes: row.try_get("bytes")?,
            crc: row.try_get("crc")?,
        })
    }
}
