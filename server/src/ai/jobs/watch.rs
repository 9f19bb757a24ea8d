//! Waiting for a job to change.

use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, timeout_at},
};

use super::Jobs;
use crate::store::{JobId, JobRecord, JobStatus, StoreError};

/// How often a job is looked at of whose changes nothing is heard: another node may have it.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(2);

/// Somebody who follows one job.
#[derive(Debug)]
pub struct Watcher {
    jobs: Jobs,
    id: JobId,
    changes: broadcast::Receiver<JobId>,
}

impl Jobs {
    /// Begins to follow a job: changes from here on are not missed.
    pub fn watch(&self, id: JobId) -> Watcher {
        Watcher { jobs: self.clone(), id, changes: self.changes.subscribe() }
    }
}

impl Watcher {
    /// The job once it is newer than `revision`, or as it is at `until`; `None` when it is not there.
    pub async fn newer_than(&mut self, revision: i64, until: Instant) -> Result<Option<JobRecord>, StoreError> {
        self.until(until, |job| job.revision > revision).await
    }

    /// The job once it is over, or as it is at `until`.
    pub async fn over(&mut self, until: Instant) -> Result<Option<JobRecord>, StoreError> {
        self.until(until, |job| !matches!(job.status, JobStatus::Queued | JobStatus::Running)).await
    }

    async fn until(
        &mut self,
        until: Instant,
        is_it: impl Fn(&JobRecord) -> bool,
    ) -> Result<Option<JobRecord>, StoreError> {
        loop {
            let job = self.jobs.job(self.id).await?;
            let is_done = job.as_ref().is_none_or(&is_it);
            if is_done || Instant::now() >= until {
                return Ok(job);
            }
            let look = until.min(Instant::now() + LOOK_EVERY);
            // A change that was missed counts as one of this job.
            while let Ok(Ok(id)) = timeout_at(look, self.changes.recv()).await {
                if id == self.id {
                    break;
                }
            }
            if let Err(RecvError::Closed) = self.changes.try_recv().map_err(|error| match error {
                broadcast::error::TryRecvError::Closed => RecvError::Closed,
                _ => RecvError::Lagged(0),
            }) {
                return Ok(job);
            }
        }
    }
}
