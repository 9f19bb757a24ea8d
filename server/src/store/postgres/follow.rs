//! What other nodes have written.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use sqlx::Row;

use super::{ANSWERED_WITHIN, PostgresStore, read::timestamp, refusal::gone, within};
use crate::store::{
    Covered, GraphKey, Head, RecordId, SINCE_BYTES_MAX, SINCE_RECORDS_MAX, SharedLog, Since, StoreError,
    checksum::record_crc,
};

const HEADS: &str =
    "SELECT key, records, modified_at, deleted_at IS NOT NULL AS is_deleted FROM graphs WHERE key = ANY($1)";

const COVERED: &str = "SELECT s.covers, s.bytes, g.records FROM graphs g JOIN snapshots s ON s.id = g.snapshot \
    WHERE g.key = $1 AND g.deleted_at IS NULL";

/// One statement sees one state of the graph: its count, and the records that make it up. The row comes also without records.
const SINCE: &str = "SELECT g.records, g.modified_at, g.deleted_at IS NOT NULL AS is_deleted, j.id, j.crc, j.data FROM graphs g \
    LEFT JOIN LATERAL (SELECT id, crc, data FROM journal WHERE graph = g.key AND id > $2 ORDER BY id LIMIT $3) j ON true \
    WHERE g.key = $1 ORDER BY j.id";

#[async_trait]
impl SharedLog for PostgresStore {
    async fn heads(&self, keys: &[GraphKey]) -> Result<Vec<Head>, StoreError> {
        let keys: Vec<i64> = keys.iter().map(|key| key.0).collect();
        let rows = within(ANSWERED_WITHIN, async {
            let mut lease = self.lease().await?;
            let rows = sqlx::query(HEADS).bind(keys).fetch_all(lease.connection()).await.map_err(StoreError::from);
            lease.settle(rows)
        });
        let rows = rows.await?;
        let head = |row: &sqlx::postgres::PgRow| {
            let key = GraphKey(row.try_get("key")?);
            Ok(Head {
                key,
                modified_at: timestamp(key, row.try_get("modified_at")?)?,
                last: RecordId(row.try_get("records")?),
                is_deleted: row.try_get("is_deleted")?,
            })
        };
        rows.iter().map(head).collect()
    }

    async fn covered(&self, key: GraphKey) -> Result<Option<Covered>, StoreError> {
        let row = within(ANSWERED_WITHIN, async {
            let mut lease = self.lease().await?;
            let row = sqlx::query(COVERED).bind(key.0).fetch_optional(lease.connection()).await;
            lease.settle(row.map_err(StoreError::from))
        });
        let Some(row) = row.await? else { return Ok(None) };
        Ok(Some(Covered {
            covers: RecordId(row.try_get("covers")?),
            last: RecordId(row.try_get("records")?),
            bytes: row.try_get::<i64, _>("bytes")?.unsigned_abs(),
        }))
    }

    async fn since(&self, key: GraphKey, after: RecordId) -> Result<Since, StoreError> {
        let read = async {
            let mut lease = self.lease().await?;
            let read = read_since(lease.connection(), key, after).await;
            lease.settle(read)
        };
        within(ANSWERED_WITHIN, read).await
    }
}

async fn read_since(
    connection: &mut sqlx::postgres::PgConnection,
    key: GraphKey,
    RecordId(after): RecordId,
) -> Result<Since, StoreError> {
    let mut rows = sqlx::query(SINCE).bind(key.0).bind(after).bind(SINCE_RECORDS_MAX).fetch(connection);
    let (mut updates, mut bytes, mut up_to, mut graph) = (Vec::new(), 0, after, None);
    while let Some(row) = rows.try_next().await? {
        if row.try_get("is_deleted")? {
            return Err(gone(key));
        }
        graph = Some((row.try_get::<i64, _>("records")?, row.try_get::<i64, _>("modified_at")?));
        let Some(id) = row.try_get::<Option<i64>, _>("id")? else { break };
        let data: Vec<u8> = row.try_get("data")?;
        if id != up_to + 1 || row.try_get::<i64, _>("crc")? != i64::from(record_crc(key, &data)) {
            return Ok(Since::Load);
        }
        bytes += data.len();
        if bytes > SINCE_BYTES_MAX && !updates.is_empty() {
            break;
        }
        up_to = id;
        updates.push(Bytes::from(data));
    }
    let (last, modified_at) = graph.ok_or_else(|| gone(key))?;
    let modified_at = timestamp(key, modified_at)?;
    let is_cut = updates.len() as i64 >= SINCE_RECORDS_MAX || bytes > SINCE_BYTES_MAX;
    // Without records where there should be some, they have gone into a snapshot.
    if up_to < last && !is_cut {
        return Ok(Since::Load);
    }
    Ok(Since::Records { updates, up_to: RecordId(up_to), has_more: up_to < last, modified_at })
}
