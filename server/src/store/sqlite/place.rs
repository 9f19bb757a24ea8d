//! Where the database file is, whether it can be used there, and who else uses it.

use std::{
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    file::inspect,
    refusal::{cannot, folder_not_writable, unusable},
};
use crate::store::StoreError;

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
        check_kind(&path)?;
        if !create && !path.exists() {
            return Err(unusable(format!("there is no database at {}", path.display())));
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

    /// Makes the file's name durable after it was created: `SQLite` syncs the file, not the folder.
    pub(super) fn sync_folder(&self) -> Result<(), StoreError> {
        sync_folder(self.folder())
    }
}

/// The absolute path of an existing database, found without opening it: a program that closes a file drops the locks that
/// `SQLite` holds on it in the same process.
pub(super) fn find(path_or_url: &str) -> Result<PathBuf, StoreError> {
    let path = parse(path_or_url)?;
    check_kind(&path)?;
    let metadata = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(unusable(format!("there is no database at {}", path.display())));
        }
        metadata => metadata.map_err(|error| cannot("read", &path, &error))?,
    };
    if metadata.len() == 0 {
        return Err(unusable(format!(
            "{} is empty: if there were maps in it, restore it from a backup",
            path.display()
        )));
    }
    fs::canonicalize(&path).map_err(|error| cannot("find", &path, &error))
}

/// Accepts `sqlite:relative.db`, `sqlite://relative.db`, `sqlite:///absolute.db` and a bare path. The rest of the text is
/// the path as it is, without percent decoding.
fn parse(path_or_url: &str) -> Result<PathBuf, StoreError> {
    let rest =
        path_or_url.strip_prefix("sqlite://").or_else(|| path_or_url.strip_prefix("sqlite:")).unwrap_or(path_or_url);
    if rest.starts_with(":memory:") || rest.contains("mode=memory") {
        return Err(unusable(
            "a database in memory would lose every map at the next stop: name a file, such as sqlite:data/synapti.db"
                .to_owned(),
        ));
    }
    if rest.contains("://") {
        return Err(unusable(format!("{rest} is not a path: name a file, such as sqlite:data/synapti.db")));
    }
    if let Some((path, parameters)) = rest.split_once('?') {
        return Err(unusable(format!("parameters are not supported here: write sqlite:{path} without ?{parameters}")));
    }
    if rest.is_empty() || rest.ends_with('/') || rest.contains('\0') {
        return Err(unusable(format!("{path_or_url:?} names no file: write, for example, sqlite:data/synapti.db")));
    }
    Ok(PathBuf::from(rest))
}

/// Before anything is made beside it: what is there must be a regular file.
fn check_kind(path: &Path) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(unusable(format!(
            "{} is a folder: name a file in it, such as {}",
            path.display(),
            path.join("synapti.db").display()
        ))),
        Ok(metadata) if !metadata.is_file() => {
            Err(unusable(format!("{} is not a regular file: name another place", path.display())))
        }
        // What cannot be read is named by the steps that follow.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Makes missing folders and answers the absolute path with links resolved, so that one file has one lock.
fn settle(path: &Path) -> Result<PathBuf, StoreError> {
    let absolute = std::path::absolute(path).map_err(|error| cannot("find", path, &error))?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(unusable(format!("{} names no file", path.display())));
    };
    make_folders(folder)?;
    let metadata = fs::metadata(folder).map_err(|error| cannot("read the folder", folder, &error))?;
    if metadata.permissions().readonly() {
        return Err(folder_not_writable(folder, "its permissions say read-only"));
    }
    match fs::canonicalize(&absolute) {
        Ok(canonical) => Ok(canonical),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = fs::canonicalize(folder).map_err(|error| cannot("find the folder", folder, &error))?;
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
    let lock_path = beside(path, ".lock");
    let file =
        File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(|error| {
            match error.kind() {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    folder_not_writable(path.parent().unwrap_or(path), &error.to_string())
                }
                _ => cannot("open the lock file", &lock_path, &error),
            }
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

/// The path with something added to its last part.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| cannot("flush the folder", folder, &error))
}
