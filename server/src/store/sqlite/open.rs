//! Opening: every way in which a database can be unfit is found here, and said in words, before anything is written.

use std::{path::Path, time::Duration};

use parking_lot::Mutex;
use sqlx::{
    ConnectOptions, Connection,
    migrate::{MigrateError, Migrator},
    sqlite::{
        SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
        SqliteSynchronous,
    },
};

use super::{
    SqliteStore,
    checkpoint::WAL_BYTES_MAX,
    connection::SoloConnection,
    place::{Place, file_read_only, folder_not_writable, not_a_database, unusable},
};
use crate::store::StoreError;

static MIGRATOR: Migrator = sqlx::migrate!("../migrations/sqlite");

/// "SYNP" in the file's header says whose database it is.
const APPLICATION_ID: i64 = 0x5359_4E50;

/// Connections for reading. A load is mostly waiting for its rows' thread, so a few more than cores are enough.
const READERS_MAX: u32 = 4;

/// How long a statement waits for another process, a backup tool say, that holds a lock on the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long appends may wait for readers of the old log when it has to start over.
const CHECKPOINT_BUSY_TIMEOUT: Duration = Duration::from_millis(50);

/// How long a read waits for one of the connections.
const READER_WAIT_MAX: Duration = Duration::from_secs(10);

/// What bringing a database up to date did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// Migrations applied now, as `1 graphs and journal`, in order.
    pub applied: Vec<String>,
    /// The version that the database has now.
    pub version: i64,
}

impl SqliteStore {
    /// Opens the database, making it and its folder if they are not there, and brings it up to date.
    ///
    /// Takes `sqlite:relative.db`, `sqlite://relative.db`, `sqlite:///absolute.db` or a bare path. Everything that is wrong
    /// with the place or the file is [`StoreError::Unusable`] and tells the operator what to do.
    pub async fn open(path_or_url: &str) -> Result<Self, StoreError> {
        Self::open_at(Place::claim(path_or_url, true)?).await
    }

    /// Like [`SqliteStore::open`], but a missing database is an error.
    pub async fn open_existing_only(path_or_url: &str) -> Result<Self, StoreError> {
        Self::open_at(Place::claim(path_or_url, false)?).await
    }

    /// Makes the database if need be, brings it up to date, and closes it again.
    pub async fn migrate_only(path_or_url: &str) -> Result<MigrationReport, StoreError> {
        let place = Place::claim(path_or_url, true)?;
        let (connection, report) = prepare(&place).await?;
        connection.close().await?;
        Ok(report)
    }

    async fn open_at(place: Place) -> Result<Self, StoreError> {
        let (mut writer, report) = prepare(&place).await?;
        let Place { path, lock, .. } = place;
        for migration in &report.applied {
            tracing::info!(migration, "the database schema was brought up to date");
        }
        let page_bytes: i64 = sqlx::query_scalar("PRAGMA page_size")
            .fetch_one(&mut writer)
            .await?;
        let last_snapshot: i64 = sqlx::query_scalar(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'snapshots'",
        )
        .fetch_one(&mut writer)
        .await?;
        let checkpoint_options = write_options(&path).busy_timeout(CHECKPOINT_BUSY_TIMEOUT);
        let checkpointer = checkpoint_options.connect().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(READER_WAIT_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(read_options(&path))
            .await?;
        Ok(Self {
            writer: SoloConnection::new(writer, write_options(&path)),
            checkpointer: SoloConnection::new(checkpointer, checkpoint_options),
            readers,
            page_bytes: u64::try_from(page_bytes).unwrap_or(0),
            first_own_snapshot: last_snapshot + 1,
            path,
            lock: Mutex::new(Some(lock)),
        })
    }
}

/// Checks the file, makes it a Synapti database of this version, and answers the connection that did it.
async fn prepare(place: &Place) -> Result<(SqliteConnection, MigrationReport), StoreError> {
    let name = |error: StoreError| name_failure(place, error);
    let version_before = match place.exists {
        true => examine(&place.path).await.map_err(name)?,
        false => 0,
    };
    let mut connection = connect_writer(place).await.map_err(name)?;
    if !place.exists {
        place.sync_folder()?;
    }
    MIGRATOR
        .run(&mut connection)
        .await
        .map_err(|error| name_migration_failure(place, error))?;
    let applied = MIGRATOR
        .iter()
        .filter(|migration| migration.version > version_before);
    let report = MigrationReport {
        applied: applied
            .map(|migration| format!("{} {}", migration.version, migration.description))
            .collect(),
        version: newest_known(),
    };
    Ok((connection, report))
}

/// Reads whose database it is and of which version, without changing it. Answers zero for an empty one.
async fn examine(path: &Path) -> Result<i64, StoreError> {
    let mut connection = read_options(path).connect().await?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut connection)
        .await?;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .fetch_all(&mut connection)
            .await?;
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
        version = check_versions(path, &applied)?;
    }
    connection.close().await?;
    Ok(version)
}

fn check_versions(path: &Path, applied: &[(i64, bool)]) -> Result<i64, StoreError> {
    let path = path.display();
    if let Some((version, _)) = applied.iter().find(|(_, success)| !success) {
        return Err(unusable(format!(
            "{path} is half migrated (version {version} did not finish): restore it from the backup made before the upgrade"
        )));
    }
    let version = applied.last().map_or(0, |(version, _)| *version);
    let newest = newest_known();
    if version > newest {
        return Err(unusable(format!(
            "{path} is from a newer version of synapti (schema {version}, this program knows {newest}): \
             run the newer program, or restore the backup made before the upgrade"
        )));
    }
    Ok(version)
}

/// Opens for writing and proves that writing works by a real commit.
async fn connect_writer(place: &Place) -> Result<SqliteConnection, StoreError> {
    let mut connection = write_options(&place.path)
        .create_if_missing(!place.exists)
        .connect()
        .await?;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut connection)
        .await?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(unusable(format!(
            "{} is on a file system without a write-ahead log (journal mode {mode}): use a local disk",
            place.path.display()
        )));
    }
    // SQLite writes the header page for this even when the value stays the same.
    sqlx::query("PRAGMA application_id = 0x53594E50")
        .execute(&mut connection)
        .await?;
    Ok(connection)
}

fn newest_known() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// For the connections that write. They never make the file: if it was removed while in use, a new empty one in its
/// place would hide the loss.
fn write_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // Copying the log is `checkpoint`'s work; as part of a commit it would make that one commit slow.
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", WAL_BYTES_MAX.to_string())
        .pragma("temp_store", "memory")
        .pragma("trusted_schema", "off")
}

fn read_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
}

/// SQLite's result code without its extension.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xFF)
}

/// Turns what SQLite says while it opens a file into what the operator can do about it.
fn name_failure(place: &Place, error: StoreError) -> StoreError {
    let StoreError::Backend(error) = error else {
        return error;
    };
    let path = place.path.display();
    match primary_code(&error) {
        Some(8) => file_read_only(&place.path, &error.to_string()),
        Some(11) => unusable(format!(
            "{path} is damaged ({error}): restore it from a backup"
        )),
        Some(13) => unusable(format!("{path} cannot grow: the disk is full ({error})")),
        Some(14) => folder_not_writable(place.folder(), &error.to_string()),
        Some(26) => not_a_database(&place.path),
        Some(5) => unusable(format!(
            "{path} is locked by another program ({error}): stop that one first"
        )),
        _ => unusable(format!("cannot open {path}: {error}")),
    }
}

fn name_migration_failure(place: &Place, error: MigrateError) -> StoreError {
    let path = place.path.display();
    match error {
        MigrateError::VersionMismatch(version) => unusable(format!(
            "{path} was made by a different build of synapti (migration {version} is not the same): run the program that made it"
        )),
        MigrateError::VersionMissing(version) => unusable(format!(
            "{path} is from another version of synapti (this program does not know migration {version}): run that one"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            name_failure(place, error.into())
        }
        other => unusable(format!("cannot bring {path} up to date: {other}")),
    }
}
