//! Copying the write-ahead log into the main file, off the commit path.

use sqlx::sqlite::SqliteConnection;

use super::SqliteStore;
use crate::store::StoreError;

/// Above this the log is made to start over, even if appends have to wait a moment for it: commits into a file that does
/// not grow are cheaper, and a log without bound would make reads slow and the next start slower.
const WAL_RESTART_BYTES: u64 = 4 * 1024 * 1024;

/// A log that had to grow beyond this is cut when it starts over.
pub(super) const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What the log adds to each page.
const WAL_FRAME_HEADER_BYTES: u64 = 24;

impl SqliteStore {
    /// Files what was appended, and copies the log. The log also when filing fails: on a full disk only a log that starts
    /// over makes room for it.
    pub(super) async fn keep_house(&self) -> Result<(), StoreError> {
        let filed = self.file_records().await;
        self.copy_log().await.and(filed)
    }

    async fn copy_log(&self) -> Result<(), StoreError> {
        let mut lease = self.checkpointer.lease().await?;
        let frames = checkpoint(lease.connection(), Mode::Passive).await?;
        if frames.saturating_mul(self.page_bytes + WAL_FRAME_HEADER_BYTES) > WAL_RESTART_BYTES {
            // Nearly all was copied just now without keeping anyone waiting. With the writer held still the little that
            // came since is copied too, and the log starts over, unless a reader needs the old one longer than the
            // connection's short busy timeout: then the next call tries again.
            let writer = self.writer.lease().await?;
            checkpoint(lease.connection(), Mode::Restart).await?;
            writer.give_back();
        }
        lease.give_back();
        Ok(())
    }
}

enum Mode {
    /// Copies what it can without waiting for anyone.
    Passive,
    /// Copies everything and lets the next commit write from the start of the log.
    Restart,
}

/// Answers the number of frames in the log.
async fn checkpoint(connection: &mut SqliteConnection, mode: Mode) -> Result<u64, StoreError> {
    let sql = match mode {
        Mode::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Mode::Restart => "PRAGMA wal_checkpoint(RESTART)",
    };
    let (_busy, frames, _copied): (i64, i64, i64) = sqlx::query_as(sql).fetch_one(connection).await?;
    Ok(u64::try_from(frames).unwrap_or(0))
}
