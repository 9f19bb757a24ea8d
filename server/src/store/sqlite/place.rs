//! Where the database file is, whether it can be used there, and who else uses it.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use crate::store::StoreError;

/// Every `SQLite` file with content begins with these bytes.
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A place for a database that nobody else uses as long as `lock` lives.
pub(super) struct Place {
    /// The absolute path of the file.
    pub(super) path: PathBuf,
    /// Whether there is a file yet.
    pub(super) exists: bool,
    /// The lock on `<path>.lock`.
    pub(super) lock: File,
}

impl Place {
    /// Makes the folder if it may, takes the lock, and looks at the file without `SQLite`.
    pub(super) fn claim(path_or_url: &str, create: bool) -> Result<Self, StoreError> {
        let path = parse(path_or_url)?;
        if path.is_dir() {
            return Err(unusable(format!(
                "{} is a folder: name a file in it, such as {}",
                path.display(),
                path.join("synapti.db").display()
            )));
        }
        if !create && !path.exists() {
            return Err(unusable(format!(
                "there is no database at {}",
                path.display()
            )));
        }
        let path = settle(&path)?;
        // The lock comes before the file is opened: closing a file also drops the locks that SQLite holds on it
        // elsewhere in the same process.
        let lock = take_lock(&path)?;
        let exists = inspect(&path)?;
        Ok(Self { path, exists, lock })
    }

    /// The folder of the file.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Makes the file's name durable after it was created: SQLite syncs the file, not the folder.
    pub(super) fn sync_folder(&self) -> Result<(), StoreError> {
        sync_folder(self.folder())
    }
}

/// Accepts `sqlite:relative.db`, `sqlite://relative.db`, `sqlite:///absolute.db` and a bare path. The rest of the text is
/// the path as it is, without percent decoding.
fn parse(path_or_url: &str) -> Result<PathBuf, StoreError> {
    let rest = path_or_url
        .strip_prefix("sqlite://")
        .or_else(|| path_or_url.strip_prefix("sqlite:"))
        .unwrap_or(path_or_url);
    if rest.starts_with(":memory:") || rest.contains("mode=memory") {
        return Err(unusable(
            "a database in memory would lose every map at the next stop: name a file, such as sqlite:data/synapti.db"
                .to_owned(),
        ));
    }
    if rest.contains("://") {
        return Err(unusable(format!(
            "{rest} is not a path: name a file, such as sqlite:data/synapti.db"
        )));
    }
    if let Some((path, parameters)) = rest.split_once('?') {
        return Err(unusable(format!(
            "parameters are not supported here: write sqlite:{path} without ?{parameters}"
        )));
    }
    if rest.is_empty() || rest.contains('\0') {
        return Err(unusable(format!(
            "{path_or_url:?} names no file: write, for example, sqlite:data/synapti.db"
        )));
    }
    Ok(PathBuf::from(rest))
}

/// Makes missing folders and answers the absolute path with links resolved, so that one file has one lock.
fn settle(path: &Path) -> Result<PathBuf, StoreError> {
    let absolute = std::path::absolute(path).map_err(|error| cannot("find", path, &error))?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(unusable(format!("{} names no file", path.display())));
    };
    make_folders(folder)?;
    let metadata =
        fs::metadata(folder).map_err(|error| cannot("read the folder", folder, &error))?;
    if metadata.permissions().readonly() {
        return Err(folder_not_writable(folder, "its permissions say read-only"));
    }
    match fs::canonicalize(&absolute) {
        Ok(canonical) => Ok(canonical),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = fs::canonicalize(folder)
                .map_err(|error| cannot("find the folder", folder, &error))?;
            Ok(folder.join(name))
        }
        Err(error) => Err(cannot("find", path, &error)),
    }
}

/// Like `create_dir_all`, but the new folders are durable when it returns.
fn make_folders(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new("/"));
    make_folders(above)?;
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(above),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(cannot("make the folder", folder, &error)),
    }
}

fn take_lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                folder_not_writable(path.parent().unwrap_or(path), &error.to_string())
            }
            _ => cannot("open the lock file", &lock_path, &error),
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(unusable(format!(
            "{} is in use by another synapti process (it holds {}): stop that one first, or give this one its own file",
            path.display(),
            lock_path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(cannot("lock", &lock_path, &error)),
    }
}

/// Answers whether there is a file, after checking that it can be written and looks like a database.
fn inspect(path: &Path) -> Result<bool, StoreError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(cannot("read", path, &error)),
    };
    if !metadata.is_file() {
        return Err(unusable(format!(
            "{} is not a regular file: name another place",
            path.display()
        )));
    }
    // The superuser could write to it all the same, but somebody wanted that nobody does.
    if metadata.permissions().readonly() {
        return Err(file_read_only(path, "its permissions say so"));
    }
    let mut file =
        File::options()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|error| match error.kind() {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    file_read_only(path, &error.to_string())
                }
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

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| cannot("flush the folder", folder, &error))
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
    unusable(format!(
        "{} is read-only ({why}): make it writable for the user that runs synapti",
        path.display()
    ))
}

pub(super) fn folder_not_writable(folder: &Path, why: &str) -> StoreError {
    unusable(format!(
        "the folder {} is not writable ({why}): the database needs to make files in it",
        folder.display()
    ))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> StoreError {
    unusable(format!("cannot {what} {}: {error}", path.display()))
}
