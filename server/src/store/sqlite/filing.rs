//! Moving records from where commits append them to where they are found by graph.
//!
//! A commit writes to `journal` alone. Beside the commits, its rows move in slices to `updates`, are counted in `graphs`
//! and change what listings show. Whoever needs that done asks for it; who only reads one graph reads both tables.

use std::sync::atomic::Ordering;

use sqlx::{Row, sqlite::SqliteConnection};

use super::{SqliteStore, UNKNOWN};
use crate::store::StoreError;

/// Records moved at once: appends wait a millisecond or two for it.
const SLICE_ROWS_MIN: i64 = 256;

/// Records moved at once when filing is behind: as many as a commit may bring.
const SLICE_ROWS_MAX: i64 = 4_096;

/// Sets what the graph's row says of its newest records. With one `max` the other columns are those of its row.
const TOUCH: &str = "UPDATE graphs SET modified_at = filed.at, records = graphs.records + filed.records FROM \
     (SELECT graph, at, count(*) AS records, max(id) FROM journal WHERE id <= ?1 GROUP BY graph) AS filed \
     WHERE key = filed.graph AND deleted_at IS NULL";

const RENAME: &str = "UPDATE graphs SET topic = named.topic FROM \
     (SELECT graph, topic, max(id) FROM journal WHERE id <= ?1 AND topic IS NOT NULL GROUP BY graph) AS named \
     WHERE key = named.graph AND deleted_at IS NULL";

const MOVE: &str = "INSERT INTO updates (id, graph, at, crc, topic, data) \
     SELECT id, graph, at, crc, topic, data FROM journal WHERE id <= ?1 ORDER BY id";

/// The number of the newest record, filed or not.
pub(super) const NEWEST: &str = "SELECT max(coalesce((SELECT max(id) FROM journal), 0), \
     coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'updates'), 0))";

/// How many records are not filed, the first and the last of them, and the newest that is.
pub(super) const SPAN: &str = "SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0), \
     coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'updates'), 0) FROM journal";

impl SqliteStore {
    /// Moves every record that was appended before the call, and no more: others may come as fast as these go.
    pub(super) async fn file_records(&self) -> Result<(), StoreError> {
        let mut target = self.newest_record.load(Ordering::Acquire);
        while self.filed_to.load(Ordering::Acquire) < target {
            let mut lease = self.writer.lease().await?;
            if target == UNKNOWN {
                target = newest(lease.connection()).await?;
            }
            let behind = target - self.filed_to.load(Ordering::Acquire);
            let rows = (behind / 4).clamp(SLICE_ROWS_MIN, SLICE_ROWS_MAX);
            // Nothing is new: without this transaction the records are where they were, and the next commit flushes the log.
            let filed = file_slice(lease.unflushed().await?, rows).await?;
            // Where none are left all is filed, whatever became of them.
            self.filed_to.fetch_max(filed.unwrap_or(target), Ordering::AcqRel);
            lease.give_back_flushing().await?;
        }
        Ok(())
    }
}

/// The newest record that is filed.
pub(super) async fn filed_to(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'updates'")
        .fetch_one(connection)
        .await
}

/// The newest record, filed or not.
pub(super) async fn newest(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(NEWEST).fetch_one(connection).await
}

/// Moves the oldest records in one transaction; answers the newest of them, if there are any. An error leaves the transaction
/// open: the caller does not give the connection back, which rolls it back and loses its settings.
async fn file_slice(connection: &mut SqliteConnection, rows: i64) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let filed = next_slice(connection, rows).await?;
    if let Some(last) = filed {
        for statement in [TOUCH, RENAME, MOVE, "DELETE FROM journal WHERE id <= ?1"] {
            sqlx::query(statement).bind(last).execute(&mut *connection).await?;
        }
    }
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(filed)
}

/// The last of the oldest records that are not filed.
async fn next_slice(connection: &mut SqliteConnection, rows: i64) -> Result<Option<i64>, sqlx::Error> {
    let filed = filed_to(connection).await?;
    let slice = sqlx::query(
        "SELECT count(*) AS records, min(id) AS first, max(id) AS last FROM \
         (SELECT id FROM journal ORDER BY id LIMIT ?1)",
    )
    .bind(rows)
    .fetch_one(&mut *connection)
    .await?;
    let records: i64 = slice.try_get("records")?;
    if records == 0 {
        return Ok(None);
    }
    let (first, last): (i64, i64) = (slice.try_get("first")?, slice.try_get("last")?);
    if (first, last) != (filed + 1, filed + records) {
        let missing = last - filed - records;
        tracing::error!(
            missing,
            after = filed,
            before = last,
            "records of the journal are missing: the file is damaged"
        );
        // Once the others are filed nothing else tells of them.
        sqlx::query("UPDATE identity SET records_missing = records_missing + max(?1, 1)")
            .bind(missing)
            .execute(connection)
            .await?;
    }
    Ok(Some(last))
}
