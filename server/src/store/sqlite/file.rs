//! The database file as the operating system sees it.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::{
    place::beside,
    refusal::{cannot, file_read_only, not_a_database, unusable},
};
use crate::store::StoreError;

/// Every `SQLite` file with content begins with these bytes.
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Tells a file from another one that was put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let metadata = fs::metadata(path).map_err(|error| cannot("find", path, &error))?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// Answers whether there is a file, after checking that it can be written and looks like a database.
pub(super) fn inspect(path: &Path) -> Result<bool, StoreError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            check_no_orphaned_log(path)?;
            return Ok(false);
        }
        Err(error) => return Err(cannot("read", path, &error)),
    };
    // The superuser could write to it all the same, but somebody wanted that nobody does.
    if metadata.permissions().readonly() {
        return Err(file_read_only(path, "its permissions say so"));
    }
    if metadata.len() == 0 {
        check_no_orphaned_log(path)?;
    }
    let mut file = File::options().read(true).write(true).open(path).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => file_read_only(path, &error.to_string()),
        _ => cannot("open", path, &error),
    })?;
    let mut magic = [0u8; SQLITE_MAGIC.len()];
    match file.read_exact(&mut magic) {
        Ok(()) if &magic == SQLITE_MAGIC => Ok(true),
        // An empty file is a database without content to SQLite, and what a crash at the very first start leaves.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && metadata.len() == 0 => Ok(true),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(cannot("read", path, &error)),
        _ => Err(not_a_database(path)),
    }
}

/// `SQLite` throws away a log that it finds beside a missing or empty database: the last edits would be gone for good.
fn check_no_orphaned_log(path: &Path) -> Result<(), StoreError> {
    let log = beside(path, "-wal");
    if fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0) {
        return Err(unusable(format!(
            "{} is missing or empty, but its write-ahead log {} is there: put the database file back beside it, \
             or move the log away to start with an empty database",
            path.display(),
            log.display()
        )));
    }
    Ok(())
}
