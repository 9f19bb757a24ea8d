//! Whose database a file is, and of which version: found out before anything is written to it.

use std::path::Path;

use sqlx::{
    ConnectOptions, Connection,
    migrate::{MigrateError, Migrator},
};

use super::{
    open::read_options,
    refusal::{name_migration_failure, unusable},
};
use crate::store::StoreError;

/// "SYNP" in the file's header says whose database it is.
pub(super) const APPLICATION_ID: i64 = 0x5359_4E50;

/// Reads whose database it is and of which version, without changing it. Answers zero for an empty one.
pub(super) async fn read_version(path: &Path, known: &Migrator) -> Result<i64, StoreError> {
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
        let applied: Vec<Applied> =
            sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut connection)
                .await?;
        version = check_versions(path, &applied, known)?;
    }
    connection.close().await?;
    Ok(version)
}

/// A migration's number, whether it ended well, and its checksum.
type Applied = (i64, bool, Vec<u8>);

fn check_versions(path: &Path, applied: &[Applied], known: &Migrator) -> Result<i64, StoreError> {
    if let Some((version, ..)) = applied.iter().find(|(_, success, _)| !success) {
        let path = path.display();
        return Err(unusable(format!(
            "{path} is half migrated (version {version} did not finish): restore it from the backup made before the upgrade"
        )));
    }
    let newest_known = known.iter().map(|migration| migration.version).max().unwrap_or(0);
    let newest = applied.last().map_or(0, |(version, ..)| *version);
    if newest > newest_known {
        let path = path.display();
        return Err(unusable(format!(
            "{path} is from a newer version of synapti (schema {newest}, this program knows {newest_known}): \
             run the newer program, or restore the backup made before the upgrade"
        )));
    }
    for (version, _, checksum) in applied {
        match known.iter().find(|migration| migration.version == *version) {
            None => return Err(name_migration_failure(path, MigrateError::VersionMissing(*version))),
            Some(migration) if *migration.checksum != **checksum => {
                return Err(name_migration_failure(path, MigrateError::VersionMismatch(*version)));
            }
            Some(_) => {}
        }
    }
    Ok(newest)
}
