//! The second tier: files, each of them checked whenever it is read. A disk that is full, read-only or slow is told of once,
//! and costs nothing but its help.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{
    entry::Entry,
    folder::{Folder, FolderLock},
    format::{self, KeyHash, NoEntry},
    index::Index,
};
use crate::{clock::Clock, telemetry::metrics};

/// Files in the folder.
const FILES_MAX: usize = 65_536;

/// Files that are read, written or removed at one time.
const AT_ONCE_MAX: usize = 16;

/// How long a look-up waits for the disk. One that hangs keeps [`AT_ONCE_MAX`] threads, and no more.
const READ_WITHIN: Duration = Duration::from_millis(500);

/// How long the writer waits for it.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// How long removing everything may take.
const CLEARED_WITHIN: Duration = Duration::from_secs(30);

/// Entries in files. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    bytes_max: u64,
    clock: Clock,
    state: Mutex<State>,
    /// Whether the last attempt to write went well, or none was made.
    is_well: AtomicBool,
    damaged: AtomicU64,
    at_once: Arc<Semaphore>,
    #[cfg(test)]
    opened: tokio_util::sync::CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    index: Index,
    /// None until the folder is ours; then everything in it is known.
    lock: Option<FolderLock>,
}

impl Disk {
    pub fn new(folder: PathBuf, bytes_max: u64, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            folder: Folder::new(folder),
            bytes_max,
            clock,
            state: Mutex::default(),
            is_well: AtomicBool::new(true),
            damaged: AtomicU64::new(0),
            at_once: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            #[cfg(test)]
            opened: tokio_util::sync::CancellationToken::new(),
        }))
    }

    /// Takes the folder and learns what is in it; until then there is nothing. Blocks.
    pub fn open(&self) {
        if let Err(error) = self.0.open() {
            self.0.fails("use", &error);
        }
        #[cfg(test)]
        self.0.opened.cancel();
    }

    #[cfg(test)]
    pub async fn is_open(&self) {
        self.0.opened.cancelled().await;
    }

    pub async fn get(&self, name: KeyHash) -> Option<Entry> {
        if !self.0.state.lock().index.has(name) {
            return None;
        }
        self.at_work(READ_WITHIN, move |inner| inner.read(name)).await.flatten()
    }

    pub async fn put(&self, name: KeyHash, bytes: Bytes) {
        self.at_work(WRITTEN_WITHIN, move |inner| inner.write(name, &bytes)).await;
    }

    /// Removes everything; how much there was.
    pub async fn clear(&self) -> u64 {
        self.at_work(CLEARED_WITHIN, Inner::clear).await.unwrap_or(0)
    }

    pub fn bytes(&self) -> u64 {
        self.0.state.lock().index.bytes()
    }

    /// Whether it does what it should.
    pub fn is_well(&self) -> bool {
        self.0.is_well.load(Ordering::Relaxed)
    }

    /// On a thread that may block, unless all of them hang.
    async fn at_work<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Option<T> {
        let inner = self.0.clone();
        let done = async {
            let place = inner.at_once.clone().acquire_owned().await.ok()?;
            let work = spawn_blocking(move || {
                let _place = place;
                work(&inner)
            });
            work.await.ok()
        };
        let done = timeout(within, done).await;
        if done.is_err() {
            let seconds = within.as_secs_f64();
            self.0.fails("use", &io::Error::new(ErrorKind::TimedOut, format!("no answer within {seconds} s")));
        }
        done.ok().flatten()
    }
}

impl Inner {
    fn open(&self) -> io::Result<()> {
        let lock = self.folder.lock()?;
        let listed = self.folder.list(FILES_MAX)?;
        let mut state = self.state.lock();
        for file in listed {
            state.index.put(file.name, file.bytes, file.at_us);
        }
        state.lock = Some(lock);
        let surplus = state.index.take_surplus(self.bytes_max, FILES_MAX);
        drop(state);
        self.remove(&surplus);
        Ok(())
    }

    fn read(&self, name: KeyHash) -> Option<Entry> {
        let now = self.clock.now();
        let bytes = match self.folder.read(name, now) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.state.lock().index.remove(name);
                if error.kind() != ErrorKind::NotFound {
                    self.fails("read from", &error);
                }
                return None;
            }
        };
        // The checksum covers what zlib wrote, so what passes it has a value.
        match format::decode(name, &bytes, now) {
            Ok(entry) => {
                self.state.lock().index.touch(name, now.as_microsecond());
                Some(entry)
            }
            Err(why) => {
                if why == NoEntry::Damaged {
                    self.is_damaged(name);
                }
                self.state.lock().index.remove(name);
                self.remove(&[name]);
                None
            }
        }
    }

    fn write(&self, name: KeyHash, bytes: &[u8]) {
        if self.state.lock().lock.is_none() {
            // Not ours, or not yet.
            return;
        }
        let now = self.clock.now();
        match self.folder.write(name, bytes, now) {
            Ok(()) => {
                let mut state = self.state.lock();
                state.index.put(name, bytes.len() as u64, now.as_microsecond());
                let surplus = state.index.take_surplus(self.bytes_max, FILES_MAX);
                drop(state);
                self.remove(&surplus);
                self.works();
            }
            Err(error) => self.fails("write to", &error),
        }
    }

    fn clear(&self) -> u64 {
        let mut state = self.state.lock();
        if state.lock.is_none() {
            return 0;
        }
        state.index.clear();
        drop(state);
        match self.folder.list(FILES_MAX) {
            Ok(listed) => self.remove(&listed.iter().map(|file| file.name).collect::<Vec<_>>()),
            Err(error) => {
                self.fails("clear", &error);
                0
            }
        }
    }

    /// How many there were.
    fn remove(&self, names: &[KeyHash]) -> u64 {
        let mut removed = 0;
        for name in names {
            match self.folder.remove(*name) {
                Ok(was_there) => removed += u64::from(was_there),
                Err(error) => self.fails("remove files from", &error),
            }
        }
        removed
    }

    fn is_damaged(&self, name: KeyHash) {
        metrics::get().cache.damaged.increment(1);
        if self.damaged.fetch_add(1, Ordering::Relaxed) == 0 {
            let folder = self.folder.path().display();
            tracing::warn!(%name, %folder, "a file of the cache is damaged and was removed; look after the disk if it happens again");
        }
    }

    fn works(&self) {
        if !self.is_well.swap(true, Ordering::Relaxed) {
            tracing::info!(folder = %self.folder.path().display(), "the cache on disk works again");
        }
    }

    /// Told once, until it works again.
    fn fails(&self, to: &str, error: &io::Error) {
        if self.is_well.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                folder = %self.folder.path().display(),
                %error,
                "cannot {to} the cache on disk and go on without it; give this process a folder of its own with free space (SYNAPTI_CACHE_FOLDER)"
            );
        }
    }
}
