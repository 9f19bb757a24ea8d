//! What is too large is refused before it is stored, and what is damaged is in nobody's way.

use synapti_server::store::{JOB_TEXT_BYTES_MAX, JobChange, JobEnd, JobStatus, Store, StoreError};

use super::{any, done, found, job, put, step, take};
use crate::{
    fixture::{Home, at, graph_id, raw},
    place::{Place, stories},
};

stories! {
    what_is_too_large_is_refused_and_nothing_changes,
    an_end_that_is_none_is_refused,
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Unusable(words)) => words,
        other => panic!("{other:?}"),
    }
}

async fn what_is_too_large_is_refused_and_nothing_changes(home: &impl Place) {
    let store = home.open().await;
    let (fits, large) = ("x".repeat(JOB_TEXT_BYTES_MAX), "x".repeat(JOB_TEXT_BYTES_MAX + 1));
    let mut asked = job("ada", "map", 1);
    asked.request.clone_from(&large);
    let words = refusal(store.jobs().submit(&asked, None, 0).await);
    assert!(words.contains("request of a job has 1048577 bytes") && words.contains("1048576"), "{words}");
    assert_eq!(store.jobs().job(asked.id).await.unwrap(), None);

    asked.request.clone_from(&fits);
    put(&*store, &asked).await;
    let (_, lease) = take(&*store, &any(2)).await;
    let change = JobChange { progress: None, state: Some(large.clone()) };
    assert!(refusal(store.jobs().save(lease, &change, at(3)).await).contains("state"));
    for (end, what) in [
        (JobEnd { result: Some(large.clone()), ..done() }, "result"),
        (JobEnd { error: Some(large.clone()), ..done() }, "error"),
        (JobEnd { state: large.clone(), ..done() }, "state"),
    ] {
        assert!(refusal(store.jobs().finish(lease, &end, at(3)).await).contains(what));
    }
    assert_eq!(found(&*store, asked.id).await.status, JobStatus::Running);
    let end = JobEnd { result: Some(fits.clone()), error: Some(fits.clone()), state: fits.clone(), ..done() };
    assert!(store.jobs().finish(lease, &end, at(4)).await.unwrap());
    let ended = found(&*store, asked.id).await;
    assert!(
        ended.request == fits && ended.state == fits && ended.result == Some(fits.clone()) && ended.error == Some(fits)
    );
    assert!(refusal(store.jobs().amend(asked.id, ended.revision, &large, at(5)).await).contains("state"));
    assert_eq!(found(&*store, asked.id).await.revision, ended.revision);
}

async fn an_end_that_is_none_is_refused(home: &impl Place) {
    let store = home.open().await;
    put(&*store, &job("ada", "map", 1)).await;
    let (_, lease) = take(&*store, &any(2)).await;
    for status in [JobStatus::Queued, JobStatus::Running] {
        assert!(refusal(store.jobs().finish(lease, &JobEnd { status, ..done() }, at(3)).await).contains("cannot end"));
    }
    for (given, stored) in [(f64::NAN, 0.0), (7.0, 1.0)] {
        assert!(store.jobs().save(lease, &step(given, "s"), at(3)).await.unwrap());
        assert!((found(&*store, lease.job).await.progress - stored).abs() < f64::EPSILON);
    }
    assert!(store.jobs().finish(lease, &done(), at(4)).await.unwrap());
}

/// The first of two jobs says that it is in a map whose id is none.
const HARM: &str = "UPDATE jobs SET graph = '~ no id ~' WHERE created_at = (SELECT min(created_at) FROM jobs)";

async fn a_damaged_job_is_set_aside(store: &dyn Store, ids: [synapti_server::store::JobId; 2]) {
    let words = refusal(store.jobs().job(ids[0]).await);
    assert!(words.contains(&ids[0].0.to_string()) && words.contains("synapti check"), "{words}");
    // Told once; then it is the next one's turn.
    assert_eq!(refusal(store.jobs().claim(&any(3)).await), words);
    assert_eq!(take(store, &any(3)).await.0.id, ids[1]);
    assert_eq!(store.jobs().claim(&any(3)).await.unwrap(), None);
    assert_eq!(store.jobs().job_counts().await.unwrap(), (0, 1));
    let listed = store.jobs().jobs_of(&graph_id("map"), None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[1]]);
}

#[tokio::test]
async fn a_damaged_job_in_a_file_is_told_and_set_aside() {
    let home = Home::new();
    let store = home.open().await;
    let ids = [put(&*store, &job("ada", "map", 1)).await.id, put(&*store, &job("ada", "map", 2)).await.id];
    store.close().await;
    drop(store);
    raw(&home.path(), HARM).await;
    a_damaged_job_is_set_aside(&*home.open().await, ids).await;
}

#[tokio::test]
async fn a_damaged_job_on_a_server_is_told_and_set_aside() {
    let home = crate::postgres::Home::new();
    let store = home.open().await;
    let ids = [put(&*store, &job("ada", "map", 1)).await.id, put(&*store, &job("ada", "map", 2)).await.id];
    home.raw(HARM).await;
    a_damaged_job_is_set_aside(&*store, ids).await;
}
