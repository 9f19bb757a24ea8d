//! The folder of the cache: its files are called by a hash and end in `.entry`, and nothing else in it is touched.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use bytes::Bytes;
use jiff::Timestamp;

use super::format::{ENTRY_BYTES_MAX, KeyHash};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// How files end that are whole, and such that are being written.
const ENTRY: &str = "entry";
const PARTIAL: &str = "partial";

/// Locked by the process that uses the folder.
const LOCK: &str = "lock";

/// The files of one cache.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Names of files that are being written differ by this.
    writes: AtomicU64,
}

/// The folder is this process's own while it lives.
#[derive(Debug)]
pub(super) struct FolderLock(#[expect(dead_code, reason = "held open, so that it stays locked")] File);

/// A file as the folder lists it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub name: KeyHash,
    pub bytes: u64,
    /// When it was written or asked for, in µs since 1970.
    pub at_us: i64,
}

impl Folder {
    pub fn new(path: PathBuf) -> Self {
        Self { path, writes: AtomicU64::new(0) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder if need be, and keeps other processes out of it.
    pub fn lock(&self) -> io::Result<FolderLock> {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.path)?;
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(self.path.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock(file)),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(ErrorKind::ResourceBusy, "another process uses it")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The whole files, up to so many; those beyond, and what a crash left half written, are removed.
    pub fn list(&self, files_max: usize) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for file in fs::read_dir(&self.path)? {
            let file = file?;
            let Some((name, is_whole)) = parse(&file.file_name().to_string_lossy()) else { continue };
            if !is_whole || listed.len() >= files_max {
                let _ = fs::remove_file(file.path());
                continue;
            }
            // It may be gone again.
            let Ok(about) = file.metadata() else { continue };
            let at = about.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
            listed.push(Listed { name, bytes: about.len(), at_us: at.map_or(0, Timestamp::as_microsecond) });
        }
        Ok(listed)
    }

    /// The bytes of a file, and notes that it was asked for.
    pub fn read(&self, name: KeyHash, now: Timestamp) -> io::Result<Bytes> {
        let mut file = File::open(self.file(name))?;
        let mut bytes = Vec::new();
        (&mut file).take(ENTRY_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        // On a disk that is read-only the order of last time stays.
        let _ = file.set_modified(SystemTime::from(now));
        Ok(bytes.into())
    }

    /// Writes a file as a whole or not at all.
    pub fn write(&self, name: KeyHash, bytes: &[u8], now: Timestamp) -> io::Result<()> {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let partial = self.path.join(format!("{name}.{number}.{PARTIAL}"));
        let written = write_new(&partial, bytes, now).and_then(|()| fs::rename(&partial, self.file(name)));
        if written.is_err() {
            let _ = fs::remove_file(&partial);
        }
        written
    }

    /// Whether there was one.
    pub fn remove(&self, name: KeyHash) -> io::Result<bool> {
        match fs::remove_file(self.file(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn file(&self, name: KeyHash) -> PathBuf {
        self.path.join(format!("{name}.{ENTRY}"))
    }
}

fn write_new(path: &Path, bytes: &[u8], now: Timestamp) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    // Not flushed: what a crash of the machine cuts is found by its checksum.
    file.set_modified(SystemTime::from(now))
}

/// A name of ours, and whether the file is whole.
fn parse(name: &str) -> Option<(KeyHash, bool)> {
    let (hash, rest) = name.split_once('.')?;
    let hash = KeyHash::parse(hash)?;
    if rest == ENTRY {
        return Some((hash, true));
    }
    let number = rest.strip_suffix(PARTIAL)?.strip_suffix('.')?;
    number.parse::<u64>().ok().map(|_| (hash, false))
}
