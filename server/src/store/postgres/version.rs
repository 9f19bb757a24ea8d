//! Versions: snapshots that are kept. They are read from the replica where it knows enough.

use sqlx::{
    Row,
    postgres::{PgConnection, PgRow},
};

use super::{
    PostgresStore,
    lease::View,
    load::read_slices,
    read::timestamp,
    refusal::{damaged, gone},
    replica::newest_position,
    snapshot::{Finished, finish},
    text::storable,
};
use crate::store::{
    GraphKey, NewVersion, Purpose, RecordId, SnapshotId, StoreError, VersionId, VersionKind, VersionRecord,
};

/// Rows that one page of a list may have.
const ROWS_MAX: u32 = 1_000;

const LIST: &str = "SELECT v.id, v.kind, v.name, v.author, v.at, v.snapshot, s.covers, s.slices, s.bytes FROM versions v \
    JOIN snapshots s ON s.id = v.snapshot JOIN graphs g ON g.key = v.graph AND g.deleted_at IS NULL \
    WHERE v.graph = $1 AND v.id < $2 ORDER BY v.id DESC LIMIT $3";

const ONE: &str = "SELECT v.id, v.kind, v.name, v.author, v.at, v.snapshot, s.covers, s.slices, s.bytes FROM versions v \
    LEFT JOIN snapshots s ON s.id = v.snapshot AND s.graph = v.graph AND s.state = 'complete' \
    JOIN graphs g ON g.key = v.graph AND g.deleted_at IS NULL WHERE v.graph = $1 AND v.id = $2";

impl PostgresStore {
    pub(super) async fn keep_version(
        &self,
        snapshot: SnapshotId,
        slices: u32,
        bytes: u64,
        version: &NewVersion,
    ) -> Result<VersionRecord, StoreError> {
        let mut lease = self.lease().await?;
        lease.begin(View::Newest).await?;
        let kept = keep(lease.connection(), snapshot, slices, bytes, version).await;
        let kept = lease.end(kept).await;
        self.turns.give_up(Some(snapshot)).await;
        self.tell_replica().await;
        kept
    }

    pub(super) async fn list_versions(
        &self,
        key: GraphKey,
        before: Option<VersionId>,
        limit: u32,
    ) -> Result<Vec<VersionRecord>, StoreError> {
        if let Some(replica) = &self.replica
            && let Some(listed) = replica.ask(async |view| list(view, key, before, limit).await).await
        {
            return Ok(listed);
        }
        let mut lease = self.lease().await?;
        let listed = list(lease.connection(), key, before, limit).await;
        lease.settle(listed)
    }

    pub(super) async fn read_version(
        &self,
        key: GraphKey,
        version: VersionId,
    ) -> Result<Option<(VersionRecord, Vec<u8>)>, StoreError> {
        // What the replica does not know, another node may just have made.
        if let Some(replica) = &self.replica
            && let Some(Some(found)) = replica.ask(async |view| read(view, key, version).await).await
        {
            return Ok(Some(found));
        }
        let mut lease = self.lease().await?;
        lease.begin(View::Still).await?;
        let found = read(lease.connection(), key, version).await;
        lease.end(found).await
    }

    pub(super) async fn rename_version(
        &self,
        key: GraphKey,
        version: VersionId,
        name: &str,
    ) -> Result<Option<VersionRecord>, StoreError> {
        let mut lease = self.lease().await?;
        sqlx::query("UPDATE versions SET name = $3, kind = 'named' WHERE graph = $1 AND id = $2")
            .bind(key.0)
            .bind(version.0)
            .bind(storable(name))
            .execute(lease.connection())
            .await?;
        let row = sqlx::query(ONE).bind(key.0).bind(version.0).fetch_optional(lease.connection()).await?;
        lease.give_back();
        self.tell_replica().await;
        row.map(|row| version_record(key, &row)).transpose()
    }

    pub(super) async fn drop_versions(&self, key: GraphKey, versions: &[VersionId]) -> Result<u64, StoreError> {
        let ids: Vec<i64> = versions.iter().map(|version| version.0).collect();
        let mut lease = self.lease().await?;
        let removed = sqlx::query("DELETE FROM versions WHERE graph = $1 AND id = ANY ($2)")
            .bind(key.0)
            .bind(ids)
            .execute(lease.connection())
            .await?;
        lease.give_back();
        self.tell_replica().await;
        Ok(removed.rows_affected())
    }

    /// Has the replica asked only once it has what was written by now.
    async fn tell_replica(&self) {
        let Some(replica) = &self.replica else { return };
        let position = async {
            let mut lease = self.lease().await?;
            let position = newest_position(lease.connection()).await?;
            lease.give_back();
            Ok(position)
        };
        Box::pin(replica.must_have(position)).await;
    }
}

async fn keep(
    connection: &mut PgConnection,
    snapshot: SnapshotId,
    slices: u32,
    bytes: u64,
    version: &NewVersion,
) -> Result<VersionRecord, StoreError> {
    let Finished { key, .. } = finish(connection, snapshot, Purpose::Version, slices, bytes).await?;
    // A version made by an earlier call, whose caller did not hear of it, stays as it is.
    sqlx::query(
        "INSERT INTO versions (graph, snapshot, kind, name, author, at) \
         SELECT key, $2, $3, $4, $5, $6 FROM graphs WHERE key = $1 AND deleted_at IS NULL ON CONFLICT (snapshot) DO NOTHING",
    )
    .bind(key.0)
    .bind(snapshot.0)
    .bind(version.kind.as_str())
    .bind(version.name.as_deref().map(storable))
    .bind(version.author.as_deref().map(storable))
    .bind(version.at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    let id: Option<i64> = sqlx::query_scalar("SELECT id FROM versions WHERE snapshot = $1")
        .bind(snapshot.0)
        .fetch_optional(&mut *connection)
        .await?;
    let row = sqlx::query(ONE).bind(key.0).bind(id).fetch_optional(connection).await?;
    version_record(key, &row.ok_or_else(|| gone(key))?)
}

async fn list(
    view: &mut PgConnection,
    key: GraphKey,
    before: Option<VersionId>,
    limit: u32,
) -> Result<Vec<VersionRecord>, StoreError> {
    let rows = sqlx::query(LIST)
        .bind(key.0)
        .bind(before.map_or(i64::MAX, |before| before.0))
        .bind(i64::from(limit.clamp(1, ROWS_MAX)))
        .fetch_all(view)
        .await?;
    rows.iter().map(|row| version_record(key, row)).collect()
}

async fn read(
    view: &mut PgConnection,
    key: GraphKey,
    version: VersionId,
) -> Result<Option<(VersionRecord, Vec<u8>)>, StoreError> {
    let Some(row) = sqlx::query(ONE).bind(key.0).bind(version.0).fetch_optional(&mut *view).await? else {
        return Ok(None);
    };
    let record = version_record(key, &row)?;
    let state = read_slices(view, key, row.try_get("snapshot")?, row.try_get("slices")?, row.try_get("bytes")?).await?;
    let state = state.map_err(|what| damaged(key, format!("version {}: {what}", version.0)))?;
    Ok(Some((record, state)))
}

fn version_record(key: GraphKey, row: &PgRow) -> Result<VersionRecord, StoreError> {
    let id: i64 = row.try_get("id")?;
    let kind: &str = row.try_get("kind")?;
    let Some(covers) = row.try_get("covers")? else {
        return Err(damaged(key, format!("the snapshot of version {id} is missing or incomplete")));
    };
    let bytes: i64 = row.try_get("bytes")?;
    Ok(VersionRecord {
        id: VersionId(id),
        version: NewVersion {
            kind: VersionKind::parse(kind)
                .ok_or_else(|| damaged(key, format!("version {id} is of no known kind: {kind:?}")))?,
            name: row.try_get("name")?,
            author: row.try_get("author")?,
            at: timestamp(key, row.try_get("at")?)?,
        },
        covers: RecordId(covers),
        bytes: u64::try_from(bytes).unwrap_or(0),
    })
}
