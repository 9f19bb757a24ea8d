//! Who may change a job, and until when.

use synapti_server::store::{JobStatus, Renewed};

use super::{any, brief, done, found, job, limited, put, step, take};
use crate::{
    fixture::{Home, at},
    place::{Place, stories},
};

stories! {
    a_lease_that_ended_writes_nothing_and_its_job_is_taken_again,
    a_renewed_lease_lasts_as_long_as_the_renewal_says,
    a_job_taken_too_often_is_handed_out_to_be_failed,
    an_ended_lease_makes_room_within_the_limits,
}

async fn a_lease_that_ended_writes_nothing_and_its_job_is_taken_again(home: &impl Place) {
    let store = home.open().await;
    let asked = put(&*store, &job("ada", "map", 1)).await;
    put(&*store, &job("ada", "map", 2)).await;
    let (_, old) = take(&*store, &brief(any(3))).await;
    let before = found(&*store, asked.id).await;
    assert!(!store.jobs().save(old, &step(0.5, "late"), at(3)).await.unwrap());
    assert!(!store.jobs().finish(old, &done(), at(3)).await.unwrap());
    assert!(!store.jobs().give_back(old, at(3)).await.unwrap());
    let lost = Renewed { lease: old, is_held: false, stop_asked: false };
    assert_eq!(store.jobs().renew(&[old], &any(3)).await.unwrap(), [lost]);
    assert_eq!(found(&*store, asked.id).await, before);

    // In its old place, before the one that waits.
    let (again, new) = take(&*store, &any(4)).await;
    assert_eq!((again.id, again.attempts), (asked.id, 2));
    assert!(new.fence > old.fence && new.job == old.job);
    assert!(!store.jobs().save(old, &step(0.5, "late"), at(4)).await.unwrap());
    assert!(!store.jobs().finish(old, &done(), at(4)).await.unwrap());
    assert!(!store.jobs().give_back(old, at(4)).await.unwrap());
    let held = Renewed { lease: new, is_held: true, stop_asked: false };
    assert_eq!(store.jobs().renew(&[old, new], &any(4)).await.unwrap(), [lost, held]);
    assert_eq!(found(&*store, asked.id).await, again);
    assert!(store.jobs().finish(new, &done(), at(5)).await.unwrap());
    assert!(!store.jobs().save(new, &step(0.5, "late"), at(5)).await.unwrap());
    assert_eq!(store.jobs().renew(&[new], &any(5)).await.unwrap(), [Renewed { is_held: false, ..held }]);
    assert_eq!(found(&*store, asked.id).await.status, JobStatus::Succeeded);
}

async fn a_renewed_lease_lasts_as_long_as_the_renewal_says(home: &impl Place) {
    let store = home.open().await;
    put(&*store, &job("ada", "map", 1)).await;
    put(&*store, &job("ada", "map", 2)).await;
    let (one, two) = (take(&*store, &any(2)).await.1, take(&*store, &any(2)).await.1);
    assert!(store.jobs().renew(&[], &any(3)).await.unwrap().is_empty());
    let before = found(&*store, one.job).await;
    let renewed = store.jobs().renew(&[two, one], &any(3)).await.unwrap();
    assert!(renewed.iter().all(|renewed| renewed.is_held) && renewed[0].lease == two, "{renewed:?}");
    // A renewal is nobody's news.
    assert_eq!(found(&*store, one.job).await, before);
    assert!(store.jobs().renew(&[one], &brief(any(4))).await.unwrap()[0].is_held);
    assert!(!store.jobs().save(one, &step(0.5, "late"), at(4)).await.unwrap());
    assert!(store.jobs().save(two, &step(0.5, "fine"), at(4)).await.unwrap());
    assert_eq!(take(&*store, &any(5)).await.0.id, one.job);
    assert_eq!(store.jobs().claim(&any(5)).await.unwrap(), None);
}

async fn a_job_taken_too_often_is_handed_out_to_be_failed(home: &impl Place) {
    let store = home.open().await;
    put(&*store, &job("ada", "map", 1)).await;
    let mut fence = i64::MIN;
    for attempt in 1..=5 {
        let (record, lease) = take(&*store, &brief(any(attempt))).await;
        assert_eq!(i64::from(record.attempts), attempt);
        assert!(lease.fence > fence);
        fence = lease.fence;
    }
}

async fn an_ended_lease_makes_room_within_the_limits(home: &impl Place) {
    let store = home.open().await;
    let first = put(&*store, &job("ada", "map", 1)).await;
    let second = put(&*store, &job("ada", "map", 2)).await;
    take(&*store, &brief(limited(3, 1, 1))).await;
    let (again, _) = take(&*store, &limited(4, 1, 1)).await;
    assert_eq!(again.id, first.id);
    assert_eq!(store.jobs().claim(&limited(5, 1, 1)).await.unwrap(), None);
    assert_eq!(found(&*store, second.id).await.status, JobStatus::Queued);
}

/// The only process that has the file goes by its own clock.
#[tokio::test]
async fn a_lease_in_a_file_ends_by_the_caller_s_clock() {
    let home = Home::new();
    let store = home.open().await;
    let asked = put(&*store, &job("ada", "map", 1)).await;
    let ten_seconds = |second| {
        let mut claim = any(second);
        claim.lasts = std::time::Duration::from_secs(10);
        claim
    };
    let (_, lease) = take(&*store, &ten_seconds(100)).await;
    assert_eq!(store.jobs().claim(&any(109)).await.unwrap(), None);
    assert!(store.jobs().save(lease, &step(0.1, "a"), at(109)).await.unwrap());
    assert!(store.jobs().renew(&[lease], &ten_seconds(109)).await.unwrap()[0].is_held);
    assert!(store.jobs().save(lease, &step(0.2, "b"), at(118)).await.unwrap());
    assert!(!store.jobs().save(lease, &step(0.3, "c"), at(119)).await.unwrap());
    assert!(!store.jobs().renew(&[lease], &ten_seconds(119)).await.unwrap()[0].is_held);
    assert_eq!(take(&*store, &any(119)).await.0.id, asked.id);
    assert_eq!(found(&*store, asked.id).await.state, "b");
}
