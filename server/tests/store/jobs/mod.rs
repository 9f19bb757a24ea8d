//! The queue of jobs: one story on every backend.

mod bounds;
mod crash;
mod leases;
mod life;
mod queue;
mod races;
mod spending;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use synapti_server::store::{
    Claim, JobChange, JobEnd, JobId, JobKind, JobLease, JobRecord, JobStatus, NewJob, Store, Submitted,
};
use uuid::{Builder, Uuid};

use crate::fixture::{at, graph_id};

/// Longer than any test.
pub const LONG: Duration = Duration::from_hours(10);

/// An id as the server makes them: a later one is larger.
pub fn job_id(second: i64) -> JobId {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let mut counter = [0; 10];
    counter[2..].copy_from_slice(&MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let millis = u64::try_from(at(second).as_millisecond()).unwrap();
    JobId(Builder::from_unix_timestamp_millis(millis, &counter).into_uuid())
}

/// A job of a client in a map.
pub fn job(client: &str, graph: &str, second: i64) -> NewJob {
    NewJob {
        id: job_id(second),
        graph: graph_id(graph),
        kind: JobKind::Expand,
        client: client.to_owned(),
        request: format!("{{\"second\":{second}}}"),
        idempotency: None,
        at: at(second),
    }
}

/// As the caller called it, with a hash of what was asked.
pub fn named(mut job: NewJob, name: &str, hash: &str) -> NewJob {
    job.idempotency = Some((name.to_owned(), hash.to_owned()));
    job
}

/// Takes whatever there is.
pub fn any(second: i64) -> Claim {
    limited(second, 0, 0)
}

pub fn limited(second: i64, per_client_max: u32, per_graph_max: u32) -> Claim {
    Claim { node: Uuid::from_u128(7), lasts: LONG, per_client_max, per_graph_max, attempts_max: 3, now: at(second) }
}

/// A claim whose leases are over when they begin.
pub fn brief(mut claim: Claim) -> Claim {
    claim.lasts = Duration::ZERO;
    claim
}

/// Puts a job into the queue.
pub async fn put(store: &dyn Store, job: &NewJob) -> JobRecord {
    match store.jobs().submit(job, None, 0).await.unwrap() {
        Submitted::New(record, None) => *record,
        other => panic!("{other:?}"),
    }
}

/// Takes the next job, which is there.
pub async fn take(store: &dyn Store, claim: &Claim) -> (JobRecord, JobLease) {
    store.jobs().claim(claim).await.unwrap().expect("a job is there")
}

pub async fn found(store: &dyn Store, job: JobId) -> JobRecord {
    store.jobs().job(job).await.unwrap().expect("the job is there")
}

pub fn done() -> JobEnd {
    JobEnd {
        status: JobStatus::Succeeded,
        result: Some("{\"nodes\":3}".to_owned()),
        error: None,
        state: "{\"step\":\"done\"}".to_owned(),
    }
}

pub fn step(progress: f64, state: &str) -> JobChange {
    JobChange { progress: Some(progress), state: Some(state.to_owned()) }
}
