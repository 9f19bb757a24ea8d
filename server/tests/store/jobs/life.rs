//! What becomes of a job from its request to its end, and after it.

use synapti_server::store::{JobChange, JobEnd, JobKind, JobStatus, Submitted};

use super::{any, brief, done, found, job, job_id, limited, put, step, take};
use crate::{
    fixture::{at, graph_id},
    place::{Place, stories},
};

stories! {
    a_job_is_kept_as_it_was_asked_for_and_as_it_went,
    a_job_that_failed_says_why,
    a_job_that_waits_is_stopped_at_once_one_that_runs_when_its_node_hears_of_it,
    a_stopped_job_whose_node_is_gone_is_handed_out_to_be_ended,
    a_job_given_back_is_first_again_and_the_attempt_does_not_count,
    a_job_given_back_after_it_was_stopped_is_cancelled,
    what_became_of_an_ended_job_is_noted_once,
    jobs_of_a_map_are_listed_newest_first,
}

async fn a_job_is_kept_as_it_was_asked_for_and_as_it_went(home: &impl Place) {
    let store = home.open().await;
    let asked = job("Åda 🐝", "map", 1);
    let queued = put(&*store, &asked).await;
    assert_eq!((queued.id, &queued.graph, queued.kind), (asked.id, &asked.graph, JobKind::Expand));
    assert_eq!((&queued.client, &queued.request), (&asked.client, &asked.request));
    assert_eq!((queued.status, queued.stop_asked, queued.attempts), (JobStatus::Queued, false, 0));
    assert_eq!((queued.state.as_str(), &queued.result, &queued.error), ("", &None, &None));
    assert_eq!((queued.created_at, queued.updated_at), (at(1), at(1)));
    assert_eq!(found(&*store, asked.id).await, queued);
    assert_eq!(store.jobs().job_counts().await.unwrap(), (1, 0));

    let (running, lease) = take(&*store, &any(2)).await;
    assert_eq!((running.id, running.status, running.attempts), (asked.id, JobStatus::Running, 1));
    assert!(running.revision > queued.revision && running.updated_at == at(2) && running.created_at == at(1));
    assert_eq!(found(&*store, asked.id).await, running);
    assert_eq!(store.jobs().job_counts().await.unwrap(), (0, 1));

    assert!(store.jobs().save(lease, &step(0.5, "{\"step\":\"children\"}"), at(3)).await.unwrap());
    let further = JobChange { progress: Some(0.75), state: None };
    assert!(store.jobs().save(lease, &further, at(4)).await.unwrap());
    let saved = found(&*store, asked.id).await;
    assert_eq!((saved.progress, saved.state.as_str()), (0.75, "{\"step\":\"children\"}"));
    assert!(saved.revision == running.revision + 2 && saved.updated_at == at(4));

    assert!(store.jobs().finish(lease, &done(), at(5)).await.unwrap());
    store.close().await;
    let store = home.open().await;
    let ended = found(&*store, asked.id).await;
    assert_eq!((ended.status, ended.progress), (JobStatus::Succeeded, 1.0));
    assert_eq!(
        (ended.result.as_deref(), ended.error, ended.state.as_str()),
        (Some("{\"nodes\":3}"), None, "{\"step\":\"done\"}")
    );
    assert_eq!((ended.request, ended.created_at, ended.updated_at), (asked.request, at(1), at(5)));
    assert_eq!(store.jobs().job_counts().await.unwrap(), (0, 0));
    assert_eq!(store.jobs().claim(&any(6)).await.unwrap(), None);
    assert_eq!(store.jobs().job(job_id(1)).await.unwrap(), None);
    assert_eq!(store.examine().await.unwrap(), Vec::<String>::new());
}

async fn a_job_that_failed_says_why(home: &impl Place) {
    let store = home.open().await;
    let asked = put(&*store, &job("ada", "map", 1)).await;
    let (_, lease) = take(&*store, &any(2)).await;
    assert!(store.jobs().save(lease, &step(0.5, "half"), at(3)).await.unwrap());
    let error = Some("{\"code\":\"ai_failed\"}".to_owned());
    let end = JobEnd { status: JobStatus::Failed, result: None, error: error.clone(), state: "half".to_owned() };
    assert!(store.jobs().finish(lease, &end, at(4)).await.unwrap());
    let failed = found(&*store, asked.id).await;
    assert_eq!((failed.status, failed.progress, failed.error, failed.result), (JobStatus::Failed, 0.5, error, None));
}

async fn a_job_that_waits_is_stopped_at_once_one_that_runs_when_its_node_hears_of_it(home: &impl Place) {
    let store = home.open().await;
    let runs = put(&*store, &job("ada", "map", 1)).await;
    let (_, lease) = take(&*store, &any(1)).await;
    let waits = put(&*store, &job("ada", "map", 2)).await;

    let stopped = store.jobs().ask_stop(waits.id, at(3)).await.unwrap().unwrap();
    assert_eq!((stopped.status, stopped.stop_asked, stopped.updated_at), (JobStatus::Cancelled, true, at(3)));
    assert_eq!(store.jobs().ask_stop(waits.id, at(4)).await.unwrap().unwrap(), stopped);
    assert_eq!(store.jobs().claim(&any(4)).await.unwrap(), None);

    let asked = store.jobs().ask_stop(runs.id, at(5)).await.unwrap().unwrap();
    assert_eq!((asked.status, asked.stop_asked), (JobStatus::Running, true));
    assert_eq!(store.jobs().ask_stop(runs.id, at(6)).await.unwrap().unwrap(), asked);
    let renewed = store.jobs().renew(&[lease], &any(6)).await.unwrap();
    assert!(renewed[0].is_held && renewed[0].stop_asked, "{renewed:?}");
    let end = JobEnd { status: JobStatus::Cancelled, ..done() };
    assert!(store.jobs().finish(lease, &end, at(7)).await.unwrap());
    let ended = found(&*store, runs.id).await;
    assert_eq!(ended.status, JobStatus::Cancelled);
    assert_eq!(store.jobs().ask_stop(runs.id, at(8)).await.unwrap().unwrap(), ended);

    let succeeds = put(&*store, &job("ada", "map", 9)).await;
    let (_, lease) = take(&*store, &any(9)).await;
    assert!(store.jobs().finish(lease, &done(), at(9)).await.unwrap());
    let ended = store.jobs().ask_stop(succeeds.id, at(10)).await.unwrap().unwrap();
    assert_eq!((ended.status, ended.stop_asked), (JobStatus::Succeeded, false));
    assert_eq!(store.jobs().ask_stop(job_id(1), at(10)).await.unwrap(), None);
}

async fn a_stopped_job_whose_node_is_gone_is_handed_out_to_be_ended(home: &impl Place) {
    let store = home.open().await;
    let asked = put(&*store, &job("ada", "map", 1)).await;
    take(&*store, &brief(any(2))).await;
    let stopped = store.jobs().ask_stop(asked.id, at(3)).await.unwrap().unwrap();
    assert_eq!((stopped.status, stopped.stop_asked), (JobStatus::Running, true));
    let (again, lease) = take(&*store, &any(4)).await;
    assert_eq!((again.id, again.stop_asked, again.attempts), (asked.id, true, 2));
    assert!(store.jobs().finish(lease, &JobEnd { status: JobStatus::Cancelled, ..done() }, at(5)).await.unwrap());
}

async fn a_job_given_back_is_first_again_and_the_attempt_does_not_count(home: &impl Place) {
    let store = home.open().await;
    let first = put(&*store, &job("ada", "map", 1)).await;
    put(&*store, &job("ada", "map", 2)).await;
    let (_, lease) = take(&*store, &any(3)).await;
    assert!(store.jobs().save(lease, &step(0.5, "half"), at(3)).await.unwrap());
    assert!(store.jobs().give_back(lease, at(4)).await.unwrap());
    assert!(!store.jobs().give_back(lease, at(4)).await.unwrap());
    let back = found(&*store, first.id).await;
    assert_eq!((back.status, back.attempts, back.state.as_str()), (JobStatus::Queued, 0, "half"));
    assert_eq!(store.jobs().job_counts().await.unwrap(), (2, 0));
    let (again, newer) = take(&*store, &any(5)).await;
    assert_eq!((again.id, again.attempts), (first.id, 1));
    assert!(newer.fence > lease.fence);
    assert!(!store.jobs().finish(lease, &done(), at(6)).await.unwrap());
    assert!(store.jobs().finish(newer, &done(), at(6)).await.unwrap());
}

async fn a_job_given_back_after_it_was_stopped_is_cancelled(home: &impl Place) {
    let store = home.open().await;
    let asked = put(&*store, &job("ada", "map", 1)).await;
    let (_, lease) = take(&*store, &any(2)).await;
    store.jobs().ask_stop(asked.id, at(3)).await.unwrap();
    assert!(store.jobs().give_back(lease, at(4)).await.unwrap());
    assert_eq!(found(&*store, asked.id).await.status, JobStatus::Cancelled);
    assert_eq!(store.jobs().claim(&any(5)).await.unwrap(), None);
}

async fn what_became_of_an_ended_job_is_noted_once(home: &impl Place) {
    let store = home.open().await;
    let asked = put(&*store, &job("ada", "map", 1)).await;
    assert!(!store.jobs().amend(asked.id, asked.revision, "early", at(2)).await.unwrap());
    let (running, lease) = take(&*store, &any(2)).await;
    assert!(!store.jobs().amend(asked.id, running.revision, "early", at(2)).await.unwrap());
    assert!(store.jobs().finish(lease, &done(), at(3)).await.unwrap());
    let ended = found(&*store, asked.id).await;
    assert!(store.jobs().amend(asked.id, ended.revision, "accepted", at(4)).await.unwrap());
    assert!(!store.jobs().amend(asked.id, ended.revision, "rejected", at(5)).await.unwrap());
    let amended = found(&*store, asked.id).await;
    assert_eq!((amended.state.as_str(), amended.revision, amended.updated_at), ("accepted", ended.revision + 1, at(4)));
    assert_eq!((amended.status, amended.result), (ended.status, ended.result));
    assert!(!store.jobs().amend(job_id(1), 1, "nobody", at(6)).await.unwrap());
}

async fn jobs_of_a_map_are_listed_newest_first(home: &impl Place) {
    let store = home.open().await;
    let mut expected = Vec::new();
    for second in 0..7 {
        let graph = if second % 3 == 2 { "other" } else { "map" };
        let record = put(&*store, &job("ada", graph, second)).await;
        if graph == "map" {
            expected.insert(0, record.id);
        }
    }
    let (taken, _) = take(&*store, &limited(9, 1, 1)).await;
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store.jobs().jobs_of(&graph_id("map"), before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        assert!(page.len() <= 2);
        seen.extend(page.into_iter().map(|job| (job.id, job.status == JobStatus::Running)));
    }
    let expected: Vec<_> = expected.into_iter().map(|id| (id, id == taken.id)).collect();
    assert_eq!(seen, expected);
    assert!(store.jobs().jobs_of(&graph_id("never"), None, 10).await.unwrap().is_empty());

    let again = job("ada", "map", 20);
    assert!(matches!(store.jobs().submit(&again, None, 0).await.unwrap(), Submitted::New(_, None)));
    assert_eq!(store.jobs().jobs_of(&graph_id("map"), None, 1).await.unwrap()[0].id, again.id);
}
