//! The schema: whose it is, of which version, and bringing it up to date.

use sqlx::{
    migrate::{Migrate as _, Migrator},
    postgres::PgConnection,
};

use super::{
    place::Place,
    refusal::{name_failure, name_migration_failure, unusable},
};
use crate::store::{MigrationReport, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("../migrations/postgres");

/// The tables that the migrations make.
const TABLES: [&str; 8] =
    ["store", "graphs", "journal", "snapshots", "snapshot_slices", "versions", "jobs", "ai_spending"];

/// Checks whose schema it is and brings it up to date. One node at a time: the others wait at the migrations' lock, which goes
/// with the connection.
pub(super) async fn update(connection: &mut PgConnection, place: &Place) -> Result<MigrationReport, StoreError> {
    // Taken before the look: else a node that looks while another one migrates would see half of it. It counts how often it
    // is taken, and the migrator takes it once more.
    connection.lock().await.map_err(|error| name_migration_failure(place, error))?;
    let before = examine(connection, place).await?;
    // The server's notice that the migrator's table is there already would be in the log of every start.
    let quiet = sqlx::query("SET client_min_messages = warning").execute(&mut *connection).await;
    quiet.map_err(|error| name_failure(place, error.into()))?;
    // Not `run`, whose future cannot be sent between threads.
    let migrated = MIGRATOR.run_direct(None, &mut *connection, false).await;
    migrated.map_err(|error| name_migration_failure(place, error))?;
    connection.unlock().await.map_err(|error| name_migration_failure(place, error))?;
    let applied = MIGRATOR.iter().filter(|migration| migration.version > before);
    Ok(MigrationReport {
        applied: applied.map(|migration| format!("{} {}", migration.version, migration.description)).collect(),
        version: newest_known(),
    })
}

/// Checks that the schema is this version's, and changes nothing.
pub(super) async fn check_is_current(connection: &mut PgConnection, place: &Place) -> Result<(), StoreError> {
    match examine(connection, place).await? {
        version if version == newest_known() => Ok(()),
        0 => Err(unusable(format!("{place} holds no maps: there is nothing to check"))),
        version => Err(unusable(format!(
            "{place} has schema {version}, this program {}: run `synapti migrate` first",
            newest_known()
        ))),
    }
}

/// Whose schema it is and of which version, without changing it; zero for a database without one.
async fn examine(connection: &mut PgConnection, place: &Place) -> Result<i64, StoreError> {
    let failed = |error: sqlx::Error| name_failure(place, error.into());
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(quote_ident(name)) IS NOT NULL",
    )
    .bind(&TABLES[..])
    .persistent(false)
    .fetch_all(&mut *connection)
    .await
    .map_err(failed)?;
    let is_migrated: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .persistent(false)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let mut applied: Vec<(i64, bool)> = Vec::new();
    if is_migrated {
        applied = sqlx::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
            .persistent(false)
            .fetch_all(connection)
            .await
            .map_err(failed)?;
    }
    check_tables(place, &found, !applied.is_empty())?;
    check_versions(place, &applied)
}

fn check_tables(place: &Place, found: &[String], has_migrations: bool) -> Result<(), StoreError> {
    // Another application may well have a table `jobs`, but not all the others.
    let ours = found.iter().find(|table| *table == TABLES[0]);
    match (has_migrations, if has_migrations { ours } else { found.first() }) {
        (false, Some(table)) => Err(unusable(format!(
            "{place} has a table `{table}` that synapti did not make: give synapti a database of its own"
        ))),
        (true, None) => Err(unusable(format!(
            "{place} is another application's (its migrations are not ours): give synapti a database of its own"
        ))),
        _ => Ok(()),
    }
}

fn check_versions(place: &Place, applied: &[(i64, bool)]) -> Result<i64, StoreError> {
    if let Some((version, _)) = applied.iter().find(|(_, success)| !success) {
        return Err(unusable(format!(
            "{place} is half migrated (version {version} did not finish): restore it from the backup made before the upgrade"
        )));
    }
    let version = applied.last().map_or(0, |(version, _)| *version);
    let newest = newest_known();
    if version > newest {
        return Err(unusable(format!(
            "{place} is from a newer version of synapti (schema {version}, this program knows {newest}): \
             run the newer program, or restore the backup made before the upgrade"
        )));
    }
    Ok(version)
}

fn newest_known() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}
