//! Creating graphs, appending records, deleting graphs.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use synapti_protocol::graph_id::GraphId;

use super::{SqliteStore, UNKNOWN, read, refusal::unusable};
use crate::store::{GraphKey, JournalRecord, Lookup, RecordId, StoreError};

impl SqliteStore {
    pub(super) async fn create_graph(
        &self,
        id: &GraphId,
        topic: &str,
        at: Timestamp,
    ) -> Result<(Lookup, bool), StoreError> {
        let mut lease = self.writer.lease().await?;
        if self.are_graphs_in_doubt {
            let found = read::find(lease.connection(), id).await?;
            lease.give_back();
            return match found {
                // Made anew it would be empty, in the place of one that may be there.
                Lookup::Missing => Err(unusable(
                    "the table of maps is damaged, so no new map is made: run `synapti check` and restore a backup"
                        .to_owned(),
                )),
                found => Ok((found, false)),
            };
        }
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
