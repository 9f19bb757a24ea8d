//! Removal of rows that nothing needs any more, in slices that keep out of the appends' way.

use sqlx::{AssertSqlSafe, Row};

use super::{SqliteStore, read::gone};
use crate::store::{GraphKey, StoreError, budget::Budget};

/// Data deleted by one call: its pages are visited one by one while appends wait (about a millisecond).
const TRIM_BYTES_MAX: i64 = 1024 * 1024;

/// What of a graph's rows may go.
struct Disposable {
    /// Everything.
    is_deleted: bool,
    /// Records up to this id.
    records_to: i64,
}

/// Snapshots that nothing needs, to be bound to the first one that this process began (?2). Once in it a snapshot stays in it,
/// so what is deleted after it was read needs no transaction around both. Of those that are incomplete only the newest for its
/// purpose can be the one that is being written now, and none of those from before this start can.
const DISPOSABLE: &str = "s.id IS NOT g.snapshot AND s.id IS NOT g.previous_snapshot \
     AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.snapshot = s.id) \
     AND (g.deleted_at IS NOT NULL OR s.complete = 1 OR s.id < ?2 OR s.id < (SELECT max(n.id) FROM snapshots n \
          WHERE n.graph = s.graph AND n.for_version = s.for_version))";

/// The newest record that nothing needs: the snapshot before the current one covers it.
const RECORDS_TO: &str = "CASE WHEN g.deleted_at IS NOT NULL THEN 9223372036854775807 \
     ELSE coalesce((SELECT p.covers FROM snapshots p JOIN snapshots c ON c.id = g.snapshot AND c.covers >= p.covers \
                    WHERE p.id = g.previous_snapshot AND p.complete = 1 AND c.complete = 1), 0) END";

impl SqliteStore {
    pub(super) async fn trim_graph(&self, key: GraphKey, rows_max: u32) -> Result<bool, StoreError> {
        self.file_records().await?;
        let disposable = self.disposable(key).await?;
        let mut budget = Budget { rows: i64::from(rows_max), bytes: TRIM_BYTES_MAX };
        if disposable.is_deleted {
            self.trim_versions(key, &mut budget).await?;
        }
        self.trim_records(key, &disposable, &mut budget).await?;
        self.trim_snapshots(key, &mut budget).await?;
        self.has_disposable(key, &disposable).await
    }

    /// Graphs with something to trim, by the same rules.
    pub(super) async fn untidy_graphs(&self, limit: u32) -> Result<Vec<GraphKey>, StoreError> {
        self.file_records().await?;
        let keys = sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!(
            "SELECT g.key FROM graphs g WHERE EXISTS (SELECT 1 FROM updates u WHERE u.graph = g.key AND u.id <= {RECORDS_TO}) \
                OR EXISTS (SELECT 1 FROM snapshots s WHERE s.graph = g.key AND {DISPOSABLE}) \
                OR (g.deleted_at IS NOT NULL AND EXISTS (SELECT 1 FROM versions v WHERE v.graph = g.key)) \
             LIMIT ?1"
        )))
        .bind(limit)
        .bind(self.first_own_snapshot)
        .fetch_all(&self.readers)
        .await?;
        Ok(keys.into_iter().map(GraphKey).collect())
    }

    /// Reads what may go. All of it only grows until the deletes run, so no transaction has to hold them together.
    async fn disposable(&self, key: GraphKey) -> Result<Disposable, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT g.deleted_at IS NOT NULL AS is_deleted, {RECORDS_TO} AS records_to FROM graphs g WHERE g.key = ?1"
        )))
        .bind(key.0)
        .fetch_optional(&self.readers)
        .await?
        .ok_or_else(|| gone(key))?;
        Ok(Disposable { is_deleted: row.try_get("is_deleted")?, records_to: row.try_get("records_to")? })
    }

    async fn trim_versions(&self, key: GraphKey, budget: &mut Budget) -> Result<(), StoreError> {
        let mut lease = self.writer.lease().await?;
        let trimmed = sqlx::query(
            "DELETE FROM versions WHERE id IN (SELECT id FROM versions WHERE graph = ?1 ORDER BY id LIMIT ?2)",
        )
        .bind(key.0)
        .bind(budget.rows)
        .execute(lease.unflushed().await?)
        .await?;
        lease.give_back_flushing().await?;
        budget.rows -= trimmed.rows_affected() as i64;
        Ok(())
    }

    async fn trim_records(
        &self,
        key: GraphKey,
        disposable: &Disposable,
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        let rows = sqlx::query_as::<_, (i64, i64)>(
            "SELECT id, length(data) FROM updates WHERE graph = ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
        )
        .bind(key.0)
        .bind(disposable.records_to)
        .bind(budget.rows)
        .fetch_all(&self.readers)
        .await?;
        let Some(last) = budget.take(&rows) else {
            return Ok(());
        };
        let mut lease = self.writer.lease().await?;
        sqlx::query("DELETE FROM updates WHERE graph = ?1 AND id <= ?2")
            .bind(key.0)
            .bind(last)
            .execute(lease.unflushed().await?)
            .await?;
        lease.give_back_flushing().await?;
        Ok(())
    }

    async fn trim_snapshots(&self, key: GraphKey, budget: &mut Budget) -> Result<(), StoreError> {
        while budget.is_left() {
            let Some(snapshot) = self.oldest_disposable_snapshot(key).await? else {
                break;
            };
            let rows = sqlx::query_as::<_, (i64, i64)>(
                "SELECT idx, length(data) FROM snapshot_slices WHERE snapshot = ?1 ORDER BY idx LIMIT ?2",
            )
            .bind(snapshot)
            .bind(budget.rows)
            .fetch_all(&self.readers)
            .await?;
            let mut lease = self.writer.lease().await?;
            if let Some(last) = budget.take(&rows) {
                sqlx::query("DELETE FROM snapshot_slices WHERE snapshot = ?1 AND idx <= ?2")
                    .bind(snapshot)
                    .bind(last)
                    .execute(lease.unflushed().await?)
                    .await?;
            } else {
                budget.rows -= 1;
                sqlx::query("DELETE FROM snapshots WHERE id = ?1")
                    .bind(snapshot)
                    .execute(lease.unflushed().await?)
                    .await?;
            }
            lease.give_back_flushing().await?;
        }
        Ok(())
    }

    async fn oldest_disposable_snapshot(&self, key: GraphKey) -> Result<Option<i64>, StoreError> {
        let id = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT s.id FROM snapshots s JOIN graphs g ON g.key = s.graph WHERE s.graph = ?1 AND {DISPOSABLE} \
             ORDER BY s.id LIMIT 1"
        )))
        .bind(key.0)
        .bind(self.first_own_snapshot)
        .fetch_optional(&self.readers)
        .await?;
        Ok(id)
    }

    async fn has_disposable(&self, key: GraphKey, disposable: &Disposable) -> Result<bool, StoreError> {
        let records: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM updates WHERE graph = ?1 AND id <= ?2)")
            .bind(key.0)
            .bind(disposable.records_to)
            .fetch_one(&self.readers)
            .await?;
        let versions: bool = sqlx::query_scalar("SELECT ?2 AND EXISTS (SELECT 1 FROM versions WHERE graph = ?1)")
            .bind(key.0)
            .bind(disposable.is_deleted)
            .fetch_one(&self.readers)
            .await?;
        Ok(records || versions || self.oldest_disposable_snapshot(key).await?.is_some())
    }
}
