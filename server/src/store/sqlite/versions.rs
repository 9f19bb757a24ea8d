//! Versions: snapshots that are kept, with what is said of them.

use jiff::Timestamp;
use sqlx::{
    Row,
    sqlite::{SqliteConnection, SqliteRow},
};

use super::{
    SqliteStore,
    checksum::version_crc,
    compact::{complete, snapshot_gone},
    load::name_damage,
    read::{damaged, gone},
    snapshot::SnapshotRow,
};
use crate::store::{
    GraphKey, NewVersion, Purpose, RecordId, SnapshotId, StoreError, VersionId, VersionKind, VersionRecord,
};

/// Rows that one page of a listing may have.
const LIST_ROWS_MAX: u32 = 1_000;

impl SqliteStore {
    pub(super) async fn keep_version(
        &self,
        snapshot: SnapshotId,
        slices: u32,
        bytes: u64,
        version: &NewVersion,
    ) -> Result<VersionRecord, StoreError> {
        let mut lease = self.writer.lease().await?;
        sqlx::query("BEGIN IMMEDIATE").execute(lease.connection()).await?;
        // An error here leaves the transaction open; the lease is not given back then, which rolls it back.
        let kept = keep(lease.connection(), snapshot, (slices, bytes), version).await?;
        sqlx::query("COMMIT").execute(lease.connection()).await?;
        lease.give_back();
        Ok(kept)
    }

    pub(super) async fn list_versions(
        &self,
        key: GraphKey,
        before: Option<VersionId>,
        limit: u32,
    ) -> Result<Vec<VersionRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT v.* FROM versions v JOIN graphs g ON g.key = v.graph \
             WHERE v.graph = ?1 AND v.id < ?2 AND g.deleted_at IS NULL ORDER BY v.id DESC LIMIT ?3",
        )
        .bind(key.0)
        .bind(before.map_or(i64::MAX, |version| version.0))
        .bind(limit.clamp(1, LIST_ROWS_MAX))
        .fetch_all(&self.readers)
        .await
        .map_err(|error| name_damage(key, error.into()))?;
        let mut versions = Vec::with_capacity(rows.len());
        for row in &rows {
            match version_of(row) {
                Ok(kept) => versions.push(kept.record),
                // One damaged row must not hide the others.
                Err(error) => tracing::error!(%error, "a version is left out of a listing"),
            }
        }
        Ok(versions)
    }

    pub(super) async fn read_version(
        &self,
        key: GraphKey,
        version: VersionId,
    ) -> Result<Option<(VersionRecord, Vec<u8>)>, StoreError> {
        // One view: the version may be removed and trimmed meanwhile.
        let mut view = self.readers.begin().await?;
        let read = read(&mut view, key, version).await.map_err(|error| name_damage(key, error))?;
        view.commit().await?;
        Ok(read)
    }

    pub(super) async fn give_name(
        &self,
        key: GraphKey,
        version: VersionId,
        name: &str,
    ) -> Result<Option<VersionRecord>, StoreError> {
        let mut lease = self.writer.lease().await?;
        sqlx::query("BEGIN IMMEDIATE").execute(lease.connection()).await?;
        let named = rename(lease.connection(), key, version, name).await?;
        sqlx::query("COMMIT").execute(lease.connection()).await?;
        lease.give_back();
        Ok(named)
    }

    pub(super) async fn drop_versions(&self, key: GraphKey, versions: &[VersionId]) -> Result<u64, StoreError> {
        let mut lease = self.writer.lease().await?;
        sqlx::query("BEGIN IMMEDIATE").execute(lease.connection()).await?;
        let mut removed = 0;
        for version in versions {
            let done = sqlx::query("DELETE FROM versions WHERE id = ?1 AND graph = ?2")
                .bind(version.0)
                .bind(key.0)
                .execute(lease.connection())
                .await?;
            removed += done.rows_affected();
        }
        sqlx::query("COMMIT").execute(lease.connection()).await?;
        lease.give_back();
        Ok(removed)
    }
}

/// A row of the table, checked.
pub(super) struct Kept {
    pub(super) snapshot: SnapshotId,
    pub(super) record: VersionRecord,
}

/// Reads and checks a row of `versions`.
pub(super) fn version_of(row: &SqliteRow) -> Result<Kept, StoreError> {
    let key = GraphKey(row.try_get("graph")?);
    let id: i64 = row.try_get("id")?;
    let read = || -> Result<Option<Kept>, sqlx::Error> {
        let kind = VersionKind::parse(row.try_get("kind")?);
        let at = Timestamp::from_microsecond(row.try_get("at")?);
        let (Some(kind), Ok(at)) = (kind, at) else {
            return Ok(None);
        };
        let version = NewVersion { kind, name: row.try_get("name")?, author: row.try_get("author")?, at };
        let bytes: i64 = row.try_get("bytes")?;
        let (id, covers) = (VersionId(id), RecordId(row.try_get("covers")?));
        let record = VersionRecord { id, version, covers, bytes: bytes as u64 };
        let snapshot = SnapshotId(row.try_get("snapshot")?);
        let is_sound = row.try_get::<i64, _>("crc")? == i64::from(version_crc(key, snapshot, &record));
        Ok(is_sound.then_some(Kept { snapshot, record }))
    };
    read()
        .map_err(|error| name_damage(key, error.into()))?
        .ok_or_else(|| damaged(key, format!("version {id} does not match its checksum")))
}

async fn keep(
    connection: &mut SqliteConnection,
    snapshot: SnapshotId,
    size: (u32, u64),
    version: &NewVersion,
) -> Result<VersionRecord, StoreError> {
    let Some(begun) = complete(connection, snapshot, size, Purpose::Version).await? else {
        // The commit before this one succeeded, but its caller did not hear of it.
        let row = sqlx::query("SELECT * FROM versions WHERE snapshot = ?1").bind(snapshot.0);
        let row = row.fetch_optional(connection).await?.ok_or_else(|| snapshot_gone(snapshot))?;
        return Ok(version_of(&row)?.record);
    };
    let is_live: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM graphs WHERE key = ?1 AND deleted_at IS NULL)")
            .bind(begun.key.0)
            .fetch_one(&mut *connection)
            .await?;
    if !is_live {
        return Err(gone(begun.key));
    }
    let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'versions'")
        .fetch_one(&mut *connection)
        .await?;
    let record =
        VersionRecord { id: VersionId(newest + 1), version: version.clone(), covers: begun.covers, bytes: size.1 };
    write(connection, begun.key, snapshot, &record).await?;
    Ok(record)
}

/// Writes the whole row, so that its checksum is of what stands in it.
async fn write(
    connection: &mut SqliteConnection,
    key: GraphKey,
    snapshot: SnapshotId,
    record: &VersionRecord,
) -> Result<(), StoreError> {
    let VersionRecord { id, version, covers, bytes } = record;
    sqlx::query(
        "INSERT INTO versions (id, graph, snapshot, covers, bytes, kind, name, author, at, crc) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, crc = excluded.crc",
    )
    .bind(id.0)
    .bind(key.0)
    .bind(snapshot.0)
    .bind(covers.0)
    .bind(*bytes as i64)
    .bind(version.kind.as_str())
    .bind(version.name.as_deref())
    .bind(version.author.as_deref())
    .bind(version.at.as_microsecond())
    .bind(version_crc(key, snapshot, record))
    .execute(connection)
    .await?;
    Ok(())
}

async fn find(
    connection: &mut SqliteConnection,
    key: GraphKey,
    version: VersionId,
) -> Result<Option<Kept>, StoreError> {
    let row = sqlx::query(
        "SELECT v.* FROM versions v JOIN graphs g ON g.key = v.graph \
         WHERE v.id = ?1 AND v.graph = ?2 AND g.deleted_at IS NULL",
    )
    .bind(version.0)
    .bind(key.0)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(version_of).transpose()
}

async fn read(
    view: &mut SqliteConnection,
    key: GraphKey,
    version: VersionId,
) -> Result<Option<(VersionRecord, Vec<u8>)>, StoreError> {
    let Some(kept) = find(view, key, version).await? else {
        return Ok(None);
    };
    let state = SnapshotRow::find(view, key, kept.snapshot.0, Purpose::Version).await?.load(view, key).await?;
    if state.len() as u64 != kept.record.bytes {
        return Err(damaged(key, format!("the state of version {} has another size than it had", version.0)));
    }
    Ok(Some((kept.record, state)))
}

async fn rename(
    connection: &mut SqliteConnection,
    key: GraphKey,
    version: VersionId,
    name: &str,
) -> Result<Option<VersionRecord>, StoreError> {
    let Some(mut kept) = find(connection, key, version).await? else {
        return Ok(None);
    };
    kept.record.version.kind = VersionKind::Named;
    kept.record.version.name = Some(name.to_owned());
    write(connection, key, kept.snapshot, &kept.record).await?;
    Ok(Some(kept.record))
}
