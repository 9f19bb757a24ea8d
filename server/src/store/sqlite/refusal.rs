//! Failures in words that tell the operator what to do.

use std::{io, path::Path};

use sqlx::migrate::MigrateError;

use crate::store::StoreError;

/// Result codes, from <https://www.sqlite.org/rescode.html>.
const BUSY: u32 = 5;
const READ_ONLY: u32 = 8;
const IO_FAILURE: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANNOT_OPEN: u32 = 14;
const NOT_A_DATABASE: u32 = 26;

/// Turns what `SQLite` says while it opens a file into what the operator can do about it.
pub(super) fn name_failure(path: &Path, error: StoreError) -> StoreError {
    let StoreError::Backend(error) = error else {
        return error;
    };
    let file = path.display();
    match primary_code(&error) {
        Some(READ_ONLY) => file_read_only(path, &error.to_string()),
        Some(IO_FAILURE) => unusable(format!(
            "cannot read or write {file} or the -wal and -shm files beside it ({error}): check the disk, and that it is not full"
        )),
        Some(CORRUPT) => unusable(format!("{file} is damaged ({error}): restore it from a backup")),
        Some(FULL) => unusable(format!("{file} cannot grow: the disk is full ({error})")),
        Some(CANNOT_OPEN) => unusable(format!(
            "cannot open {file} or the -wal and -shm files beside it ({error}): \
             they and their folder must be writable for the user that runs synapti"
        )),
        Some(NOT_A_DATABASE) => not_a_database(path),
        Some(BUSY) => unusable(format!("{file} is locked by another program ({error}): stop that one first")),
        _ => unusable(format!("cannot open {file}: {error}")),
    }
}

pub(super) fn name_migration_failure(path: &Path, error: MigrateError) -> StoreError {
    let file = path.display();
    match error {
        MigrateError::VersionMismatch(version) => unusable(format!(
            "{file} was made by a different build of synapti (migration {version} is not the same): run the program that made it"
        )),
        MigrateError::VersionMissing(version) => unusable(format!(
            "{file} is from another version of synapti (this program does not know migration {version}): run that one"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => name_failure(path, error.into()),
        other => unusable(format!("cannot bring {file} up to date: {other}")),
    }
}

/// `SQLite`'s word for damage, for those who can go on without what it concerns; all else is an error as before.
pub(super) fn corruption(error: sqlx::Error) -> Result<String, StoreError> {
    if is_corruption(&error) { Ok(error.to_string()) } else { Err(error.into()) }
}

pub(super) fn unusable(message: String) -> StoreError {
    StoreError::Unusable(message)
}

pub(super) fn not_a_database(path: &Path) -> StoreError {
    unusable(format!(
        "{} is not a database: move it away or name another place; if it was a Synapti database, restore it from a backup",
        path.display()
    ))
}

pub(super) fn file_read_only(path: &Path, why: &str) -> StoreError {
    unusable(format!("{} is read-only ({why}): make it writable for the user that runs synapti", path.display()))
}

pub(super) fn folder_not_writable(folder: &Path, why: &str) -> StoreError {
    unusable(format!("the folder {} is not writable ({why}): the database needs to make files in it", folder.display()))
}

pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> StoreError {
    unusable(format!("cannot {what} {}: {error}", path.display()))
}

/// Whether the file itself is not what was written: `SQLite` says so, or a column holds what it cannot.
pub(super) fn is_corruption(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::ColumnDecode { .. }) || matches!(primary_code(error), Some(CORRUPT | NOT_A_DATABASE))
}

/// `SQLite`'s result code without its extension.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xFF)
}
