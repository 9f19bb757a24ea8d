//! Moving records from where commits append them to where they are found by graph.
//!
//! A commit writes to `journal` alone. Beside the commits, its rows move in slices to `updates`, are counted in `graphs`
//! and change what listings show. Whoever needs that done asks for it; who only reads one graph reads both tables.

use std::sync::atomic::Ordering;

use sqlx::{Row, sqlite::SqliteConnection};

use super::SqliteStore;
use crate::store::StoreError;

/// Records moved at once: appends wait a millisecond or two for it.
const SLICE_ROWS: i64 = 256;

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

impl SqliteStore {
    /// Moves every record that was appended before the call.
    pub(super) async fn file_records(&self) -> Result<(), StoreError> {
        let newest = self.newest_record.load(Ordering::Acquire);
        while self.filed_to.load(Ordering::Acquire) < newest {
            let mut lease = self.writer.lease().await?;
            let filed = file_slice(lease.connection()).await?;
            lease.give_back();
            // None are left: after a failed commit the newest is not known.
            let Some(filed) = filed else { break };
            self.filed_to.fetch_max(filed, Ordering::AcqRel);
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
/// open: the caller does not give the connection back, which rolls it back.
async fn file_slice(connection: &mut SqliteConnection) -> Result<Option<i64>, sqlx::Error> {
    let filed = filed_to(connection).await?;
    let slice = sqlx::query(
        "SELECT count(*) AS records, min(id) AS first, max(id) AS last FROM \
         (SELECT id FROM journal ORDER BY id LIMIT ?1)",
    )
    .bind(SLICE_ROWS)
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
    }
    // Nothing is new, so nobody has to wait for a flush: without this transaction the records are where they were, and the
    // next commit flushes the log with it.
    sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut *connection).await?;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    for statement in [TOUCH, RENAME, MOVE, "DELETE FROM journal WHERE id <= ?1"] {
        sqlx::query(statement).bind(last).execute(&mut *connection).await?;
    }
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    sqlx::query("PRAGMA synchronous = FULL").execute(connection).await?;
    Ok(Some(last))
}
