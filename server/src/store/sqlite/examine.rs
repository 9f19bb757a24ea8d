//! Whose database a file is, and of which version: found out before anything is written to it.

use std::path::Path;

use sqlx::{ConnectOptions, Connection};

use super::{open::read_options, refusal::unusable};
use crate::store::StoreError;

/// "SYNP" in the file's header says whose database it is.
pub(super) const APPLICATION_ID: i64 = 0x5359_4E50;

/// Reads whose database it is and of which version, without changing it. Answers zero for an empty one.
pub(super) async fn examine(path: &Path, newest_known: i64) -> Result<i64, StoreError> {
    let mut connection = read_options(path).connect().await?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut connection).await?;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(&mut connection).await?;
    if application != APPLICATION_ID && (application != 0 || !tables.is_empty()) {
        return Err(unusable(format!(
            "{} is the database of another application (id {application}): name another place",
            path.display()
        )));
    }
    let mut version = 0;
    if tables.iter().any(|table| table == "_sqlx_migrations") {
        let applied: Vec<(i64, bool)> =
            sqlx::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut connection)
                .await?;
        version = check_versions(path, &applied, newest_known)?;
    }
    connection.close().await?;
    Ok(version)
}

fn check_versions(path: &Path, applied: &[(i64, bool)], newest_known: i64) -> Result<i64, StoreError> {
    let path = path.display();
    if let Some((version, _)) = applied.iter().find(|(_, success)| !success) {
        return Err(unusable(format!(
            "{path} is half migrated (version {version} did not finish): restore it from the backup made before the upgrade"
        )));
    }
    let version = applied.last().map_or(0, |(version, _)| *version);
    if version > newest_known {
        return Err(unusable(format!(
            "{path} is from a newer version of synapti (schema {version}, this program knows {newest_known}): \
             run the newer program, or restore the backup made before the upgrade"
        )));
    }
    Ok(version)
}
