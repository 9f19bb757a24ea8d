//! Removal of rows that nothing needs any more, in slices that keep out of the appends' way.

use sqlx::Row;

use super::{SqliteStore, read::gone};
use crate::store::{GraphKey, StoreError};

/// Data deleted by one call: its pages are visited one by one while appends wait (about a millisecond).
const TRIM_BYTES_MAX: i64 = 1024 * 1024;

/// What of a graph's rows may go.
struct Disposable {
    /// Records up to this id.
    records_to: i64,
    /// The current snapshot, which stays; zero is none.
    current: i64,
    /// Incomplete snapshots below this id were abandoned.
    abandoned_below: i64,
}

/// How much of the caller's slice is left.
struct Budget {
    rows: i64,
    bytes: i64,
}

impl SqliteStore {
    pub(super) async fn trim_graph(&self, key: GraphKey, rows_max: u32) -> Result<bool, StoreError> {
        self.file_records().await?;
        let disposable = self.disposable(key).await?;
        let mut budget = Budget { rows: i64::from(rows_max), bytes: TRIM_BYTES_MAX };
        self.trim_records(key, &disposable, &mut budget).await?;
        self.trim_snapshots(key, &disposable, &mut budget).await?;
        self.has_disposable(key, &disposable).await
    }

    /// Graphs with something to trim, by the same rules as [`SqliteStore::disposable`].
    pub(super) async fn untidy_graphs(&self, limit: u32) -> Result<Vec<GraphKey>, StoreError> {
        self.file_records().await?;
        let keys = sqlx::query_scalar::<_, i64>(
            "SELECT g.key FROM graphs g LEFT JOIN snapshots s ON s.id = g.snapshot \
             WHERE EXISTS (SELECT 1 FROM updates u WHERE u.graph = g.key \
                           AND (g.deleted_at IS NOT NULL OR u.id <= coalesce(s.covers, 0))) \
                OR EXISTS (SELECT 1 FROM snapshots o WHERE o.graph = g.key \
                           AND (g.deleted_at IS NOT NULL OR (o.complete = 1 AND o.id <> g.snapshot) \
                                OR (o.complete = 0 AND o.id < ?1))) \
             LIMIT ?2",
        )
        .bind(self.first_own_snapshot)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        Ok(keys.into_iter().map(GraphKey).collect())
    }

    /// Reads what may go. All of it only grows until the deletes run, so no transaction has to hold them together.
    async fn disposable(&self, key: GraphKey) -> Result<Disposable, StoreError> {
        let row = sqlx::query(
            "SELECT g.deleted_at IS NOT NULL AS deleted, coalesce(s.id, 0) AS current, coalesce(s.covers, 0) AS covers, \
                    coalesce((SELECT max(id) FROM snapshots WHERE graph = g.key), 0) AS newest \
             FROM graphs g LEFT JOIN snapshots s ON s.id = g.snapshot WHERE g.key = ?1",
        )
        .bind(key.0)
        .fetch_optional(&self.readers)
        .await?
        .ok_or_else(|| gone(key))?;
        if row.try_get("deleted")? {
            return Ok(Disposable { records_to: i64::MAX, current: 0, abandoned_below: i64::MAX });
        }
        // Only the newest can be the one that is being written now, and none of those from before this start can.
        let newest: i64 = row.try_get("newest")?;
        Ok(Disposable {
            records_to: row.try_get("covers")?,
            current: row.try_get("current")?,
            abandoned_below: newest.max(self.first_own_snapshot),
        })
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
            .execute(lease.connection())
            .await?;
        lease.give_back();
        Ok(())
    }

    async fn trim_snapshots(
        &self,
        key: GraphKey,
        disposable: &Disposable,
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        while budget.rows > 0 && budget.bytes > 0 {
            let Some(snapshot) = self.oldest_disposable_snapshot(key, disposable).await? else {
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
                    .execute(lease.connection())
                    .await?;
            } else {
                budget.rows -= 1;
                sqlx::query("DELETE FROM snapshots WHERE id = ?1").bind(snapshot).execute(lease.connection()).await?;
            }
            lease.give_back();
        }
        Ok(())
    }

    async fn oldest_disposable_snapshot(
        &self,
        key: GraphKey,
        disposable: &Disposable,
    ) -> Result<Option<i64>, StoreError> {
        let id = sqlx::query_scalar(
            "SELECT id FROM snapshots WHERE graph = ?1 AND id <> ?2 AND (complete = 1 OR id < ?3) ORDER BY id LIMIT 1",
        )
        .bind(key.0)
        .bind(disposable.current)
        .bind(disposable.abandoned_below)
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
        Ok(records || self.oldest_disposable_snapshot(key, disposable).await?.is_some())
    }
}

impl Budget {
    /// The last of the `(id, bytes)` rows that still fits, after paying for it and those before. The first row always
    /// fits: else one bigger than the budget would stay for ever.
    fn take(&mut self, rows: &[(i64, i64)]) -> Option<i64> {
        let mut last = None;
        for &(id, bytes) in rows {
            if self.rows == 0 || (last.is_some() && bytes > self.bytes) {
                break;
            }
            self.rows -= 1;
            self.bytes -= bytes;
            last = Some(id);
        }
        last
    }
}
