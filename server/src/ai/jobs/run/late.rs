//! What an edit that came too late has left. A node that stood still, or whose database was away, may have had an edit on its way when its
//! lease ended; it is saved in the end, when another node has long done the job.

use std::time::Duration;

use synapti_crdt::map::{IdRange, Settlement, Verdict};
use tokio::time::sleep;

use super::{super::Jobs, own_nodes, writer::prefix};
use crate::{
    ai::jobs::saga::Saga,
    store::{JobLease, JobRecord, JobStatus},
};

/// How often is looked whether the job is over, and how often at most: an hour in all.
const LOOK_EVERY: Duration = Duration::from_secs(3);
const LOOKS_MAX: usize = 1_200;

/// Once the job is over, takes away what this attempt has left in the map and nobody counts as written.
pub(super) async fn clean_up(jobs: &Jobs, record: &JobRecord, lease: JobLease, wrote: Vec<IdRange>) {
    for _ in 0..LOOKS_MAX {
        match jobs.store.jobs().job(record.id).await {
            Ok(None) => return,
            Ok(Some(job)) if !matches!(job.status, JobStatus::Queued | JobStatus::Running) => {
                if take_away(jobs, &job, lease, &wrote).await {
                    return;
                }
            }
            // It is not over, or the database is away.
            Ok(Some(_)) | Err(_) => {}
        }
        if jobs.stopping.run_until_cancelled(sleep(LOOK_EVERY)).await.is_none() {
            return;
        }
    }
}

/// Whether that is done.
async fn take_away(jobs: &Jobs, job: &JobRecord, lease: JobLease, wrote: &[IdRange]) -> bool {
    let run = job.id.to_string();
    let own = format!("{}-", prefix(&run, lease.fence));
    let written = Saga::read(&job.state).written;
    let Ok(map) = jobs.hub.map(&job.graph).await else { return false };
    let left: Vec<String> =
        own_nodes(&map, &run).filter(|id| id.starts_with(&own) && !written.contains(id)).cloned().collect();
    if left.is_empty() {
        return true;
    }
    let settlement = Settlement { run, what: Verdict::Undo, nodes: Some(left), wrote: wrote.to_vec() };
    jobs.hub.settle_run(&job.graph, settlement).await.is_ok()
}
