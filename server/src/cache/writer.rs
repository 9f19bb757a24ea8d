//! What writes to disk and to Redis, so that nobody waits for it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    disk::Disk,
    entry::Entry,
    format::{self, KeyHash},
};
use crate::{
    bus::{SharedCache, SharedCacheState},
    clock::Clock,
    telemetry::metrics,
};

/// Entries that may wait to be written; what comes beyond is in memory alone.
const WAITING_MAX: usize = 1024;

/// Bytes of them.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// The tiers below memory.
#[derive(Debug)]
pub(super) struct Depths {
    disk: Option<Disk>,
    shared: Option<SharedCache>,
    clock: Clock,
}

/// The way to them.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Write>,
    waiting_bytes: Arc<Semaphore>,
    turn: Arc<Turn>,
}

/// Keeps what was put before a clearing from being written after it.
#[derive(Debug, Default)]
struct Turn {
    /// Counts clearings.
    era: AtomicU64,
    /// Held while something is written, or everything is removed.
    writing: Mutex<()>,
}

struct Write {
    name: KeyHash,
    entry: Entry,
    era: u64,
    to_shared: bool,
    _waiting: OwnedSemaphorePermit,
}

impl Writer {
    pub fn start(depths: Arc<Depths>, tracker: &TaskTracker, stop: CancellationToken) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let turn = Arc::<Turn>::default();
        if let Some(disk) = depths.disk.clone() {
            tracker.spawn_blocking(move || disk.open());
        }
        tracker.spawn(run(depths, turn.clone(), waiting, stop));
        Self { queue, waiting_bytes: Arc::new(Semaphore::new(WAITING_BYTES_MAX)), turn }
    }

    /// To disk and to Redis.
    pub fn put(&self, name: KeyHash, entry: Entry) {
        self.queue(name, entry, true);
    }

    /// To disk alone: Redis has it.
    pub fn put_on_disk(&self, name: KeyHash, entry: Entry) {
        self.queue(name, entry, false);
    }

    /// Changes with each clearing.
    pub fn era(&self) -> u64 {
        self.turn.era.load(Ordering::SeqCst)
    }

    /// From here on nothing is written that was put before, and nothing at all while the guard is held.
    pub async fn begin_clear(&self) -> MutexGuard<'_, ()> {
        self.turn.era.fetch_add(1, Ordering::SeqCst);
        self.turn.writing.lock().await
    }

    fn queue(&self, name: KeyHash, entry: Entry, to_shared: bool) {
        let permits = (entry.packed.len() + format::HEADER_BYTES) as u32;
        let waiting = self.waiting_bytes.clone().try_acquire_many_owned(permits);
        let is_taken = waiting.is_ok_and(|waiting| {
            let era = self.era();
            self.queue.try_send(Write { name, entry, era, to_shared, _waiting: waiting }).is_ok()
        });
        if !is_taken {
            metrics::get().cache.dropped.increment(1);
        }
    }
}

#[cfg(test)]
impl Writer {
    /// Waits until all that was put is written, or was left out.
    pub async fn is_idle(&self) {
        drop(self.waiting_bytes.acquire_many(WAITING_BYTES_MAX as u32).await);
    }

    /// Nothing is written meanwhile.
    pub async fn hold(&self) -> MutexGuard<'_, ()> {
        self.turn.writing.lock().await
    }
}

async fn run(depths: Arc<Depths>, turn: Arc<Turn>, mut waiting: mpsc::Receiver<Write>, stop: CancellationToken) {
    while let Some(Some(write)) = stop.run_until_cancelled(waiting.recv()).await {
        let _writing = turn.writing.lock().await;
        if turn.era.load(Ordering::SeqCst) == write.era {
            depths.write(write).await;
        }
    }
}

impl Depths {
    pub fn new(disk: Option<Disk>, shared: Option<SharedCache>, clock: Clock) -> Self {
        Self { disk, shared, clock }
    }

    pub async fn disk_entry(&self, name: KeyHash) -> Option<Entry> {
        self.disk.as_ref()?.get(name).await
    }

    pub async fn shared_entry(&self, name: KeyHash) -> Option<Entry> {
        let bytes = self.shared.as_ref()?.get(&name.to_string()).await?;
        let now = self.clock.now();
        // What somebody else has put there is replaced by the next answer.
        format::decode(name, &bytes, now).ok()
    }

    /// Entries removed from disk and from Redis.
    pub async fn clear(&self) -> (u64, u64) {
        let disk = async { if let Some(disk) = &self.disk { disk.clear().await } else { 0 } };
        let shared = async { if let Some(shared) = &self.shared { shared.clear().await } else { 0 } };
        tokio::join!(disk, shared)
    }

    /// Waits until what is on disk is known, or cannot be.
    #[cfg(test)]
    pub async fn disk_is_open(&self) {
        if let Some(disk) = &self.disk {
            disk.is_open().await;
        }
    }

    pub fn disk_bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, Disk::bytes)
    }

    pub fn is_disk_well(&self) -> bool {
        self.disk.as_ref().is_none_or(Disk::is_well)
    }

    pub fn shared_state(&self) -> SharedCacheState {
        self.shared.as_ref().map_or(SharedCacheState::Off, SharedCache::state)
    }

    async fn write(&self, write: Write) {
        let bytes = Bytes::from(format::encode(write.name, &write.entry));
        let on_disk = async {
            if let Some(disk) = &self.disk {
                disk.put(write.name, bytes.clone()).await;
            }
        };
        let to_shared = async {
            if let Some(shared) = self.shared.as_ref().filter(|_| write.to_shared) {
                shared.put(&write.name.to_string(), &bytes, write.entry.left(self.clock.now())).await;
            }
        };
        tokio::join!(on_disk, to_shared);
    }
}
