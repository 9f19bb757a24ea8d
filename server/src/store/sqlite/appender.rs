//! The commit path's own connection, on its own thread.
//!
//! A commit is on everybody's way, so it is made with as few changes of threads as there can be: one to hand the batch
//! over, one to tell that it is on disk. All else that writes uses the other connection, and never at the same time.

use std::{path::PathBuf, sync::mpsc, thread};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::{checkpoint::WAL_BYTES_MAX, checksum::record_crc, filing, open::BUSY_TIMEOUT};
use crate::store::{JournalRecord, StoreError};

const INSERT: &str = "INSERT INTO journal (id, graph, at, crc, topic, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Batches that wait for the thread at most: one, and those of callers that have given up.
const JOBS_MAX: usize = 16;

/// The thread's handle; it ends when this is dropped.
pub(super) struct Appender {
    jobs: mpsc::SyncSender<Job>,
    ended: oneshot::Receiver<()>,
}

struct Job {
    batch: Vec<JournalRecord>,
    /// The newest record; `None` when it has to be read from the file.
    newest: Option<i64>,
    done: oneshot::Sender<rusqlite::Result<i64>>,
}

impl Appender {
    /// Starts the thread; it opens the file when there is something to write.
    pub(super) fn start(path: PathBuf) -> std::io::Result<Self> {
        let (jobs, lane) = mpsc::sync_channel(JOBS_MAX);
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("sqlite-appender".to_owned()).spawn(move || {
            run(&path, &lane);
            // Whoever started it may not wait for its end.
            let _ = end.send(());
        })?;
        Ok(Self { jobs, ended })
    }

    /// Commits a batch, numbered from one after `newest`; answers the first number. Given up half way, the batch may
    /// still be committed, but before any later one.
    pub(super) async fn append(&self, batch: &[JournalRecord], newest: Option<i64>) -> Result<i64, StoreError> {
        let (done, answer) = oneshot::channel();
        let job = Job { batch: batch.to_vec(), newest, done };
        self.jobs
            .try_send(job)
            .map_err(|_| StoreError::Unusable("the database's thread is busy or gone".to_owned()))?;
        let answer = answer.await.map_err(|_| StoreError::Unusable("the database's thread ended".to_owned()))?;
        answer.map_err(StoreError::from)
    }

    /// Finishes what was handed over and closes the connection.
    pub(super) async fn close(self) {
        drop(self.jobs);
        // It ends without a word only in a panic, which has been reported.
        let _ = self.ended.await;
    }
}

fn run(path: &PathBuf, lane: &mpsc::Receiver<Job>) {
    let mut connection = None;
    while let Ok(Job { batch, newest, done }) = lane.recv() {
        let result = opened(&mut connection, path).and_then(|connection| commit(connection, &batch, newest));
        if result.is_err() {
            // Closing rolls back whatever was begun, so that nobody has to know in which state the error left it.
            connection = None;
        }
        // A caller that gave up hears nothing.
        let _ = done.send(result);
    }
}

fn opened<'a>(connection: &'a mut Option<Connection>, path: &PathBuf) -> rusqlite::Result<&'a mut Connection> {
    if connection.is_none() {
        // It never makes the file, and is used by this thread alone.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let fresh = Connection::open_with_flags(path, flags)?;
        fresh.busy_timeout(BUSY_TIMEOUT)?;
        fresh.pragma_update(None, "synchronous", "FULL")?;
        fresh.pragma_update(None, "foreign_keys", true)?;
        fresh.pragma_update(None, "wal_autocheckpoint", 0)?;
        fresh.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX as i64)?;
        fresh.pragma_update(None, "trusted_schema", false)?;
        *connection = Some(fresh);
    }
    connection.as_mut().ok_or(rusqlite::Error::InvalidQuery)
}

fn commit(connection: &mut Connection, batch: &[JournalRecord], newest: Option<i64>) -> rusqlite::Result<i64> {
    if let (Some(newest), [record]) = (newest, batch) {
        insert(connection, newest + 1, record)?;
        return Ok(newest + 1);
    }
    // What somebody else is still writing is waited for here.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let first = match newest {
        Some(newest) => newest,
        None => transaction.query_row(filing::NEWEST, [], |row| row.get(0))?,
    } + 1;
    for (id, record) in (first..).zip(batch) {
        insert(&transaction, id, record)?;
    }
    transaction.commit()?;
    Ok(first)
}

fn insert(connection: &Connection, id: i64, record: &JournalRecord) -> rusqlite::Result<()> {
    let JournalRecord { key, update, topic, at } = record;
    let row = params![id, key.0, at.as_microsecond(), record_crc(*key, update), topic, &update[..]];
    connection.prepare_cached(INSERT)?.execute(row).map(|_| ())
}
