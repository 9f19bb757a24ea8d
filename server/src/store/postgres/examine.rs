//! Looking for damage outside of single graphs. Pages and the inside of indexes are the server's business.

use super::{PostgresStore, lease::View};
use crate::store::StoreError;

/// Whole tables are read here.
const STATEMENT_MAX: &str = "SET LOCAL statement_timeout = '10min'";

/// Lines of one kind of finding; more of the same tell nothing new.
const FINDINGS: [&str; 8] = [
    "SELECT format('%s records of graph key %s, which does not exist', count(*), j.graph) FROM journal j \
     WHERE NOT EXISTS (SELECT FROM graphs g WHERE g.key = j.graph) GROUP BY j.graph ORDER BY j.graph LIMIT 100",
    "SELECT format('record %s of graph key %s is beyond the %s that the graph counts', max(j.id), g.key, g.records) \
     FROM graphs g JOIN journal j ON j.graph = g.key AND j.id > g.records GROUP BY g.key ORDER BY g.key LIMIT 100",
    "SELECT format('graph key %s names snapshot %s, which is not a complete one of its own', g.key, named) \
     FROM graphs g CROSS JOIN LATERAL unnest(ARRAY[g.snapshot, g.previous_snapshot]) AS named \
     WHERE named IS NOT NULL AND NOT EXISTS \
         (SELECT FROM snapshots s WHERE s.id = named AND s.graph = g.key AND s.state = 'complete') \
     ORDER BY g.key LIMIT 100",
    "SELECT format('%s slices of snapshot %s, which does not exist', count(*), l.snapshot) FROM snapshot_slices l \
     WHERE NOT EXISTS (SELECT FROM snapshots s WHERE s.id = l.snapshot) GROUP BY l.snapshot ORDER BY l.snapshot LIMIT 100",
    "SELECT format('snapshot %s is of graph key %s, which does not exist', s.id, s.graph) FROM snapshots s \
     WHERE NOT EXISTS (SELECT FROM graphs g WHERE g.key = s.graph) ORDER BY s.id LIMIT 100",
    "SELECT format('version %s of graph key %s has no complete snapshot of that graph', v.id, v.graph) FROM versions v \
     WHERE NOT EXISTS (SELECT FROM snapshots s WHERE s.id = v.snapshot AND s.graph = v.graph AND s.state = 'complete') \
     ORDER BY v.id LIMIT 100",
    "SELECT format('index %s is not valid: REINDEX INDEX %s', indexrelid::regclass, indexrelid::regclass) FROM pg_index \
     WHERE NOT indisvalid AND indrelid = ANY (ARRAY['graphs', 'journal', 'snapshots', 'snapshot_slices', 'versions', \
         'jobs', 'ai_spending']::regclass[])",
    "SELECT format('PostgreSQL found %s pages of this database that do not match their checksums', checksum_failures) \
     FROM pg_stat_database WHERE datname = current_database() AND checksum_failures > 0",
];

impl PostgresStore {
    pub(super) async fn find_damage(&self) -> Result<Vec<String>, StoreError> {
        let mut findings = Vec::new();
        let mut lease = self.lease().await?;
        lease.begin(View::Still).await?;
        sqlx::query(STATEMENT_MAX).execute(lease.connection()).await?;
        for statement in FINDINGS {
            let found: Vec<String> = sqlx::query_scalar(statement).fetch_all(lease.connection()).await?;
            findings.extend(found);
        }
        lease.end(Ok(findings)).await
    }
}
