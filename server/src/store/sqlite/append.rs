//! The commit path: creating graphs, appending records, deleting graphs.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, sqlite::SqliteConnection};
use synapti_protocol::graph_id::GraphId;

use super::{SqliteStore, UNKNOWN, checksum::record_crc, filing, read};
use crate::store::{GraphKey, JournalRecord, Lookup, RecordId, StoreError};

/// Records in one INSERT: at 6 variables each far below `SQLite`'s 32,766, and beyond it one more statement costs nothing.
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
        let newest = self.newest_record.load(Ordering::Acquire);
        // Whether a commit that fails is on disk, only the file knows.
        self.newest_record.store(UNKNOWN, Ordering::Release);
        let first = write(lease.connection(), batch, (newest != UNKNOWN).then_some(newest)).await?;
        let end = first + batch.len() as i64;
        self.newest_record.store(end - 1, Ordering::Release);
        lease.give_back();
        Ok((first..end).map(RecordId).collect())
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

/// Writes the records in one commit, numbered from one after `newest`; answers the first number.
async fn write(
    connection: &mut SqliteConnection,
    batch: &[JournalRecord],
    newest: Option<i64>,
) -> Result<i64, StoreError> {
    if let (Some(newest), true) = (newest, statement_rows(batch) == batch.len()) {
        insert(connection, batch, newest + 1).await?;
        return Ok(newest + 1);
    }
    // What an append that was given up may still be writing is waited for here.
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let first = match newest {
        Some(newest) => newest,
        None => filing::bounds(connection).await?.1,
    } + 1;
    let (mut rest, mut id) = (batch, first);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(statement_rows(rest));
        insert(connection, now, id).await?;
        id += now.len() as i64;
        rest = later;
    }
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(first)
}

/// Inserts the records with one statement.
async fn insert(connection: &mut SqliteConnection, records: &[JournalRecord], first: i64) -> Result<(), StoreError> {
    let mut builder = QueryBuilder::<Sqlite>::new("INSERT INTO journal (id, graph, at, crc, topic, data) ");
    builder.push_values(records.iter().zip(first..), |mut row, (record, id)| {
        row.push_bind(id)
            .push_bind(record.key.0)
            .push_bind(record.at.as_microsecond())
            .push_bind(record_crc(record.key, &record.update))
            .push_bind(record.topic.as_deref())
            .push_bind(&record.update[..]);
    });
    let done = builder.build().persistent(records.len() <= PREPARED_ROWS_MAX).execute(connection).await?;
    if done.rows_affected() != records.len() as u64 {
        let (inserted, rows) = (done.rows_affected(), records.len());
        return Err(sqlx::Error::Protocol(format!("{inserted} of {rows} records were inserted")).into());
    }
    Ok(())
}
