//! What becomes of a run's nodes once it is over: people accept them, reject them, or take the whole run back.

use synapti_crdt::map::{RunOutcome, Settled, Settlement, Verdict};

use super::{Jobs, saga::Saga};
use crate::{
    room::RoomError,
    store::{JobId, JobRecord, JobStatus, StoreError},
};

/// How often the note of it is tried when others note something at the same time.
const NOTE_TRIES: usize = 8;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// It is under way.
    #[error("the job is still running: wait for its end, or stop it first")]
    Running,
    /// The map could not be edited.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Jobs {
    /// Accepts, rejects or takes back nodes of a run: all, or those that are named.
    pub async fn settle(
        &self,
        record: &JobRecord,
        what: Verdict,
        nodes: Option<Vec<String>>,
    ) -> Result<Settled, SettleError> {
        // Single proposals can be accepted while others are still growing.
        let is_over = !matches!(record.status, JobStatus::Queued | JobStatus::Running);
        if !is_over && (nodes.is_none() || what == Verdict::Undo) {
            return Err(SettleError::Running);
        }
        let wrote = Saga::read(&record.state).wrote(false);
        let settlement = Settlement { run: record.id.to_string(), what, nodes, wrote };
        let outcome = self.hub.settle_run(&record.graph, settlement).await?;
        let RunOutcome::Settled(settled) = outcome else { return Ok(Settled::default()) };
        if is_over && !settled.changed.is_empty() {
            self.note(record.id, what, &settled).await?;
        }
        Ok(settled)
    }

    /// Notes in the job what became of its nodes.
    async fn note(&self, id: JobId, what: Verdict, settled: &Settled) -> Result<(), StoreError> {
        for _ in 0..NOTE_TRIES {
            let Some(record) = self.job(id).await? else { return Ok(()) };
            let mut saga = Saga::read(&record.state);
            let (changed, verdicts) = (settled.changed.len(), &mut saga.verdicts);
            match what {
                Verdict::Accept => verdicts.accepted += changed,
                Verdict::Reject => verdicts.rejected += changed,
                Verdict::Undo => verdicts.undone += changed,
            }
            verdicts.kept = settled.kept.len();
            if self.store.jobs().amend(id, record.revision, &saga.write(), self.clock.now()).await? {
                self.changed(id);
                return Ok(());
            }
        }
        tracing::warn!(job = %id, "what became of a run's nodes could not be noted");
        Ok(())
    }
}
