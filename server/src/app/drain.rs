//! Taking the parts down, in order.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;

use super::App;
use crate::{journal::JournalEnd, telemetry::metrics};

/// How long requests under way and background work may take to finish.
const REQUESTS_FINISH_WITHIN: Duration = Duration::from_secs(3);

/// What shutdown may take beyond the grace time, for what is under way to reach the disk.
const FLUSHED_WITHIN: Duration = Duration::from_secs(10);

/// The same when the store is behind already: two more attempts, then what is left is spilled.
const FLUSHED_WITHIN_WHEN_BEHIND: Duration = Duration::from_millis(2_500);

/// How long the store may take to close.
const STORE_CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// The same, and for what else is under way, once the store has been given up.
const GIVEN_UP_WITHIN: Duration = Duration::from_millis(500);

impl App {
    /// Takes everything down: sessions over the grace time, then rooms, then the bus, then the journal, then the store.
    pub(super) async fn drain(self) -> anyhow::Result<()> {
        let grace = self.config.shutdown_grace;
        tracing::info!(grace_seconds = grace.as_secs_f64(), "draining: no new sessions, clients are sent to reconnect");
        metrics::get().draining.set(1.0);
        self.draining.cancel();
        if timeout(grace, self.sessions.emptied()).await.is_err() {
            tracing::warn!(sessions = self.sessions.open(), "some clients did not go within the grace time");
        }
        self.connections.close();
        self.rooms_closing.cancel();
        let _ = timeout(REQUESTS_FINISH_WITHIN, self.connections.wait()).await;
        self.rooms.close();
        let within = if self.journal.is_behind() { FLUSHED_WITHIN_WHEN_BEHIND } else { FLUSHED_WITHIN };
        let flushed = async {
            self.rooms.wait().await;
            self.journal.barrier().await;
        };
        let is_flushed = timeout(within, flushed).await.is_ok();
        // Rooms have said their last to the other nodes.
        self.bus.close().await;
        self.giving_up.cancel();
        let Self { store, journal, journal_end, rooms, background, .. } = self;
        drop(journal);
        let end = journal_end.await.context("the journal failed");
        background.close();
        // A store that took no edits is not waited for long: what it lacks has been set aside.
        let has_store = matches!(end, Ok(JournalEnd::Saved));
        let patience = |wait: Duration| if has_store { wait } else { wait.min(GIVEN_UP_WITHIN) };
        let _ = timeout(patience(REQUESTS_FINISH_WITHIN), background.wait()).await;
        let _ = timeout(patience(STORE_CLOSES_WITHIN), store.close()).await;
        match end? {
            JournalEnd::Saved if is_flushed || rooms.is_empty() => tracing::info!("stopped; everything is saved"),
            JournalEnd::Saved => anyhow::bail!("stopped before every map had handed its last edits over"),
            JournalEnd::Spilled { records, path } if !rooms.is_empty() => anyhow::bail!(
                "stopped before every map had handed its last edits over; {records} batches that had been are in {}",
                path.display()
            ),
            JournalEnd::Spilled { records, path } => tracing::warn!(
                records,
                path = %path.display(),
                "stopped; the database took no more edits: they are in this file, which the next start reads"
            ),
            JournalEnd::Lost { records, error } => {
                anyhow::bail!("stopped with {records} batches of edits that could not be saved, nor set aside: {error}")
            }
        }
        Ok(())
    }
}
