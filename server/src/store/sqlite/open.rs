//! Opening: from a place to a store that is checked, migrated and ready.

use std::{fs::File, path::Path, sync::atomic::AtomicI64, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    SqliteStore,
    appender::Appender,
    checkpoint::WAL_BYTES_MAX,
    connection::SoloConnection,
    create::Creations,
    file::FileIdentity,
    filing,
    place::{self, Place},
    refusal::{cannot, name_failure, name_migration_failure, unusable},
    schema::{APPLICATION_ID, read_version},
};
use crate::store::StoreError;

static MIGRATOR: Migrator = sqlx::migrate!("../migrations/sqlite");

/// Connections for reading. A load is mostly waiting for its rows' thread, so a few more than cores are enough.
const READERS_MAX: u32 = 4;

/// How long a statement waits for another process, a backup tool say, that holds a lock on the file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

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

    /// Opens an existing database for reading only, also one that a server is using: it takes no lock and writes nothing.
    /// Everything that would write is an error afterwards.
    ///
    /// The schema must be this version's; all else is refused as by [`SqliteStore::open`].
    pub async fn open_read_only(path_or_url: &str) -> Result<Self, StoreError> {
        let path = place::find(path_or_url)?;
        let name = |error: StoreError| name_failure(&path, error);
        let (version, newest) = (read_version(&path, &MIGRATOR).await.map_err(name)?, newest_known());
        if version < newest {
            let file = path.display();
            return Err(unusable(format!(
                "{file} has schema version {version}, and this program reads version {newest}: \
                 make a backup and run `synapti migrate` first"
            )));
        }
        Self::connect_reading(&path).await.map_err(name)
    }

    async fn connect_reading(path: &Path) -> Result<Self, StoreError> {
        let readers = connect_readers(path).await?;
        Ok(Self {
            identity: read_identity(&readers).await?,
            appender: Mutex::new(None),
            writer: SoloConnection::absent(),
            checkpointer: SoloConnection::absent(),
            readers,
            // Nothing is filed here, and nothing is to be.
            newest_record: AtomicI64::new(0),
            filed_to: AtomicI64::new(0),
            page_bytes: 0,
            first_own_snapshot: 0,
            are_graphs_in_doubt: false,
            creations: Creations::default(),
            file: FileIdentity::of(path)?,
            path: path.to_owned(),
            lock: parking_lot::Mutex::new(None),
        })
    }

    async fn open_at(place: Place) -> Result<Self, StoreError> {
        let (writer, report) = prepare(&place).await?;
        for migration in &report.applied {
            tracing::info!(migration, "the database schema was brought up to date");
        }
        let store = Self::connect(&place.path, writer, place.lock).await;
        let mut store = store.map_err(|error| name_failure(&place.path, error))?;
        if let Some(what) = store.doubt_about_graphs().await? {
            tracing::error!(
                what,
                "the table of maps is damaged: no new map is made until it is repaired; run `synapti check` and restore a backup"
            );
            store.are_graphs_in_doubt = true;
        }
        // What an earlier process left; a full disk must not keep maps from being read.
        if let Err(error) = store.file_records().await {
            tracing::warn!(%error, "the newest records could not be filed yet");
        }
        if let Err(error) = store.end_old_leases().await {
            tracing::warn!(%error, "jobs that an earlier process was at go on when their leases end");
        }
        Ok(store)
    }

    async fn connect(path: &Path, mut writer: SqliteConnection, lock: File) -> Result<Self, StoreError> {
        let page_bytes: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut writer).await?;
        let last_snapshot: i64 =
            sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'snapshots'")
                .fetch_one(&mut writer)
                .await?;
        let checkpoint_options = write_options(path).busy_timeout(CHECKPOINT_BUSY_TIMEOUT);
        let checkpointer = checkpoint_options.connect().await?;
        let readers = connect_readers(path).await?;
        let filed_to = filing::filed_to(&mut writer).await?;
        let newest_record = filing::newest(&mut writer).await?;
        let appender = Appender::start(path.to_owned()).map_err(|error| cannot("start a thread for", path, &error))?;
        Ok(Self {
            identity: read_identity(&readers).await?,
            appender: Mutex::new(Some(appender)),
            writer: SoloConnection::new(writer, write_options(path)),
            checkpointer: SoloConnection::new(checkpointer, checkpoint_options),
            readers,
            newest_record: AtomicI64::new(newest_record),
            filed_to: AtomicI64::new(filed_to),
            page_bytes: u64::try_from(page_bytes).unwrap_or(0),
            first_own_snapshot: last_snapshot + 1,
            are_graphs_in_doubt: false,
            creations: Creations::default(),
            file: FileIdentity::of(path)?,
            path: path.to_owned(),
            lock: parking_lot::Mutex::new(Some(lock)),
        })
    }
}

async fn connect_readers(path: &Path) -> Result<SqlitePool, sqlx::Error> {
    SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(READER_WAIT_MAX)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(read_options(path))
        .await
}

async fn read_identity(readers: &SqlitePool) -> Result<Uuid, StoreError> {
    let text: Option<String> = sqlx::query_scalar("SELECT uuid FROM identity").fetch_optional(readers).await?;
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| unusable("the database has lost its identity: restore it from a backup".to_owned()))
}

/// Checks the file, makes it a Synapti database of this version, and answers the connection that did it.
async fn prepare(place: &Place) -> Result<(SqliteConnection, MigrationReport), StoreError> {
    let name = |error: StoreError| name_failure(&place.path, error);
    let version_before = if place.exists { read_version(&place.path, &MIGRATOR).await.map_err(name)? } else { 0 };
    let mut connection = connect_writer(place).await.map_err(name)?;
    if !place.exists {
        place.sync_folder()?;
    }
    MIGRATOR.run(&mut connection).await.map_err(|error| name_migration_failure(&place.path, error))?;
    let applied = MIGRATOR.iter().filter(|migration| migration.version > version_before);
    let report = MigrationReport {
        applied: applied.map(|migration| format!("{} {}", migration.version, migration.description)).collect(),
        version: newest_known(),
    };
    Ok((connection, report))
}

/// Opens for writing and proves that writing works by a real commit.
async fn connect_writer(place: &Place) -> Result<SqliteConnection, StoreError> {
    let mut connection = write_options(&place.path).create_if_missing(!place.exists).connect().await?;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(unusable(format!(
            "{} is on a file system without a write-ahead log (journal mode {mode}): use a local disk",
            place.path.display()
        )));
    }
    // SQLite writes the header page for this even when the value stays the same.
    sqlx::query(AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}"))).execute(&mut connection).await?;
    Ok(connection)
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

pub(super) fn read_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT)
}

fn newest_known() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}
