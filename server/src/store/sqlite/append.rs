//! Appending records, deleting graphs.

use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::{SqliteStore, UNKNOWN};
use crate::store::{GraphKey, JournalRecord, RecordId, StoreError};

impl SqliteStore {
    pub(super) async fn append_batch(&self, batch: &[JournalRecord]) -> Result<Vec<RecordId>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        // Commits would go on into a file that nobody finds again.
        self.check_in_place()?;
        // Nobody else writes meanwhile.
        let lease = self.writer.lease().await?;
        let newest = self.newest_record.load(Ordering::Acquire);
        // Whether a commit that fails is on disk, only the file knows.
        self.newest_record.store(UNKNOWN, Ordering::Release);
        let appended = match &*self.appender.lock().await {
            Some(appender) => appender.append(batch, (newest != UNKNOWN).then_some(newest)).await,
            None => Err(sqlx::Error::PoolClosed.into()),
        };
        if let Ok(first) = appended {
            self.newest_record.store(first + batch.len() as i64 - 1, Ordering::Release);
        }
        lease.give_back();
        let first = appended?;
        Ok((first..first + batch.len() as i64).map(RecordId).collect())
    }

    pub(super) async fn tombstone_graph(&self, key: GraphKey, at: Timestamp) -> Result<(), StoreError> {
        let mut lease = self.writer.lease().await?;
        sqlx::query(
            "UPDATE graphs SET deleted_at = ?2, topic = '', snapshot = NULL, previous_snapshot = NULL \
             WHERE key = ?1 AND deleted_at IS NULL",
        )
        .bind(key.0)
        .bind(at.as_microsecond())
        .execute(lease.connection())
        .await?;
        lease.give_back();
        Ok(())
    }
}
