//! How a run ends, whatever happened, and what stays of it.

use std::{sync::Arc, sync::atomic::AtomicBool};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        Jobs,
        error::JobError,
        held::{Ending, Held},
        request::JobRequest,
        saga::{Saga, Step},
        scheduler::Entry,
    },
    End, Run, SHOWN_CHARS_MAX, Writer, late,
};
use crate::{
    ai::reader::clean,
    room::state::RunShown,
    store::{JobChange, JobEnd, JobRecord, JobStatus},
};

/// How often a node takes a job before it is given up: what makes a server fall over must not do so for ever.
pub(in crate::ai::jobs) const ATTEMPTS_MAX: u32 = 5;

/// The fence of a job's first lease.
const FIRST_FENCE: i64 = 1;

/// Does a job that this node has taken, to its end.
pub(in crate::ai::jobs) async fn run(jobs: Jobs, record: JobRecord, held: Arc<Held>, entry: Entry) {
    let saga = Arc::new(Mutex::new(Saga::read(&record.state)));
    let done = perform(&jobs, &record, &held, &saga).await;
    let id = record.id;
    let (status, result, error) = match done {
        Ok(result) => {
            saga.lock().step = Step::Done;
            (JobStatus::Succeeded, Some(result.to_string()), None)
        }
        Err(End::Stopped) => (JobStatus::Cancelled, None, None),
        Err(End::Failed(error)) => {
            tracing::info!(job = %id, code = error.code, message = error.message, "a run of the AI failed");
            (JobStatus::Failed, None, serde_json::to_string(&error).ok())
        }
        Err(End::Draining) => {
            let state = Some(saga.lock().write());
            let change = JobChange { progress: None, state };
            // What was not written down is missing in the report, and nowhere else.
            let _ = jobs.store.jobs().save(held.lease, &change, jobs.clock.now()).await;
            if let Err(error) = jobs.store.jobs().give_back(held.lease, jobs.clock.now()).await {
                tracing::warn!(job = %id, %error, "a job could not be given back; it goes on when its lease has ended");
            }
            return;
        }
        Err(End::Lost | End::Halted) => {
            tracing::warn!(job = %id, "another node may have this run now; nothing more of it is written here");
            let wrote = saga.lock().wrote(true);
            // What is left to do needs no place.
            drop(entry);
            return late::clean_up(&jobs, &record, held.lease, wrote).await;
        }
    };
    let end = JobEnd { status, result, error, state: saga.lock().write() };
    match jobs.store.jobs().finish(held.lease, &end, jobs.clock.now()).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(job = %id, "a run was over for another node before it was here"),
        Err(error) => {
            tracing::error!(job = %id, %error, "how a run ended could not be saved; it goes on when its lease has ended");
        }
    }
    jobs.changed(id);
}

async fn perform(jobs: &Jobs, record: &JobRecord, held: &Arc<Held>, saga: &Arc<Mutex<Saga>>) -> Result<Value, End> {
    let request: JobRequest = serde_json::from_str(&record.request).map_err(|_| {
        End::Failed(JobError::new(
            "job_unreadable",
            "this job was made by another version of the server: ask for it again",
        ))
    })?;
    if let JobRequest::Generate(_) = &request {
        // The first edit makes a map of it.
        jobs.hub.ensure(&record.graph).await?;
    }
    let doing = doing(jobs, record, &request).await?;
    let shown = RunShown {
        job: record.id.to_string(),
        kind: record.kind.as_str(),
        node: match &request {
            JobRequest::Expand(request) => Some(request.node.clone()),
            JobRequest::Generate(_) | JobRequest::Coherence(_) => None,
        },
        doing: doing.clone(),
        step: Step::Queued.as_str(),
        progress: record.progress,
    };
    let place = jobs.hub.show_run(&record.graph, shown).await?;
    let writer = Writer::new(jobs.hub.clone(), record.graph.clone(), record.id.to_string(), held.clone(), saga.clone());
    let run = Run {
        jobs: jobs.clone(),
        record: record.clone(),
        request,
        writer,
        saga: saga.clone(),
        place,
        halted: CancellationToken::new(),
        is_resumed: held.lease.fence > FIRST_FENCE,
        doing,
        saved: Mutex::new(Instant::now()),
        has_unsaved: AtomicBool::new(false),
        recent: Mutex::new(None),
        has_told_meta: AtomicBool::new(false),
        has_saved_ids: AtomicBool::new(false),
    };
    if record.stop_asked {
        held.end(Ending::Stopped);
    }
    let ended = if record.attempts > ATTEMPTS_MAX {
        run.resume().await?;
        let message = format!("it was tried {ATTEMPTS_MAX} times, and each time the server that did it stopped");
        Err(End::Failed(JobError::new("gave_up", message)))
    } else {
        run.perform().await
    };
    if let Err(End::Failed(_)) = &ended {
        // Half a map is of no use to anybody who did not say so.
        match run.writer.take_back().await {
            Ok(settled) => saga.lock().written.retain(|id| !settled.changed.contains(id)),
            Err(error) => tracing::warn!(job = %record.id, code = error.code, "what a failed run has written stays"),
        }
    }
    ended
}

/// What a run does, in words that people see.
async fn doing(jobs: &Jobs, record: &JobRecord, request: &JobRequest) -> Result<String, End> {
    let short = |title: &str| clean(title, SHOWN_CHARS_MAX);
    Ok(match request {
        JobRequest::Generate(request) => format!("growing “{}”", short(&request.topic)),
        JobRequest::Coherence(_) => "checking the map".to_owned(),
        JobRequest::Expand(request) => {
            let map = jobs.hub.map(&record.graph).await?;
            let title = map.nodes.get(&request.node).map_or(String::new(), |node| short(&node.title));
            format!("expanding “{title}”")
        }
    })
}
