//! The commit path: creating graphs, appending records, deleting graphs.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, sqlite::SqliteConnection};
use synapti_protocol::graph_id::GraphId;

use super::{SqliteStore, checksum::record_crc, read};
use crate::store::{GraphKey, JournalRecord, Lookup, RecordId, StoreError};

/// Records in one INSERT: at 5 variables each far below `SQLite`'s 32,766, and beyond it one more statement costs nothing.
const STATEMENT_ROWS_MAX: usize = 1_000;

/// Bytes of updates that are copied to the database's thread at once, so that a big batch is not in memory twice.
const STATEMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Prepared statements are kept for batches up to this many rows; preparing a longer one is little beside running it.
const PREPARED_ROWS_MAX: usize = 32;

impl SqliteStore {
    pub(super) async fn create_graph(
        &self,
        id: &GraphId,
        topic: &str,
        at: Timestamp,
    ) -> Result<(Lookup, bool), StoreError> {
        let mut lease = self.writer.lease().await?;
        let made = sqlx::query(
            "INSERT INTO graphs (id, topic, created_at, modified_at) VALUES (?1, ?2, ?3, ?3) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id.as_str())
        .bind(topic)
        .bind(at.as_microsecond())
        .execute(lease.connection())
        .await?;
        let lookup = read::find(lease.connection(), id).await?;
        lease.give_back();
        Ok((lookup, made.rows_affected() == 1))
    }

    pub(super) async fn append_batch(&self, batch: &[JournalRecord]) -> Result<Vec<RecordId>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut lease = self.writer.lease().await?;
        let connection = lease.connection();
        let first_rows = statement_rows(batch);
        let mut ids = Vec::with_capacity(batch.len());
        if first_rows == batch.len() {
            insert(connection, batch, &mut ids).await?;
        } else {
            sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
            let mut rest = batch;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(statement_rows(rest));
                insert(connection, now, &mut ids).await?;
                rest = later;
            }
            sqlx::query("COMMIT").execute(&mut *connection).await?;
        }
        lease.give_back();
        Ok(ids)
    }

    pub(super) async fn tombstone_graph(&self, key: GraphKey, at: Timestamp) -> Result<(), StoreError> {
        let mut lease = self.writer.lease().await?;
        sqlx::query(
            "UPDATE graphs SET deleted_at = ?2, topic = '', snapshot = NULL WHERE key = ?1 AND deleted_at IS NULL",
        )
        .bind(key.0)
        .bind(at.as_microsecond())
        .execute(lease.connection())
        .await?;
        lease.give_back();
        Ok(())
    }
}

/// How many of the first records fit one statement: at least one.
fn statement_rows(records: &[JournalRecord]) -> usize {
    let mut bytes = 0usize;
    let fitting = records
        .iter()
        .take(STATEMENT_ROWS_MAX)
        .take_while(|record| {
            bytes = bytes.saturating_add(record.update.len());
            bytes <= STATEMENT_BYTES_MAX
        })
        .count();
    fitting.clamp(1, records.len())
}

/// Inserts the records with one statement and adds their ids.
async fn insert(
    connection: &mut SqliteConnection,
    records: &[JournalRecord],
    ids: &mut Vec<RecordId>,
) -> Result<(), StoreError> {
    let mut builder = QueryBuilder::<Sqlite>::new("INSERT INTO updates (graph, at, crc, topic, data) ");
    builder.push_values(records, |mut row, record| {
        row.push_bind(record.key.0)
            .push_bind(record.at.as_microsecond())
            .push_bind(record_crc(record.key, &record.update))
            .push_bind(record.topic.as_deref())
            .push_bind(&record.update[..]);
    });
    let done = builder.build().persistent(records.len() <= PREPARED_ROWS_MAX).execute(connection).await?;
    // One statement holds the write lock from its first row to its last, so AUTOINCREMENT numbers its rows without gaps.
    let rows = i64::try_from(records.len()).unwrap_or(i64::MAX);
    if i64::try_from(done.rows_affected()) != Ok(rows) {
        let inserted = done.rows_affected();
        return Err(sqlx::Error::Protocol(format!("{inserted} of {rows} records were inserted")).into());
    }
    let last = done.last_insert_rowid();
    ids.extend((last - rows + 1..=last).map(RecordId));
    Ok(())
}
