//! A process that is gone holds nothing.

use synapti_server::store::{JobStatus, JobStore as _, SqliteStore};

use super::{any, done, found, job, limited, put, step, take};
use crate::{
    fixture::{Home, at, crash_copy},
    postgres,
};

#[tokio::test]
async fn leases_in_a_file_end_with_their_process_and_what_was_saved_stays() {
    let home = Home::new();
    let store = home.open().await;
    let asked = put(&*store, &job("ada", "map", 1)).await;
    let waits = put(&*store, &job("ada", "map", 2)).await;
    let (_, lease) = take(&*store, &any(3)).await;
    assert!(store.jobs().save(lease, &step(0.5, "half"), at(4)).await.unwrap());
    let crashed = crash_copy(&home, usize::MAX);
    drop(store);

    // Long before the lease would have ended.
    let store = crashed.open().await;
    assert!(!store.jobs().save(lease, &step(0.7, "late"), at(5)).await.unwrap());
    assert!(!store.jobs().finish(lease, &done(), at(5)).await.unwrap());
    let (again, newer) = take(&*store, &limited(5, 1, 1)).await;
    assert_eq!((again.id, again.attempts, again.state.as_str()), (asked.id, 2, "half"));
    assert_eq!(store.jobs().claim(&limited(5, 1, 1)).await.unwrap(), None);
    assert!(store.jobs().finish(newer, &done(), at(6)).await.unwrap());
    assert_eq!(take(&*store, &limited(6, 1, 1)).await.0.id, waits.id);
}

#[tokio::test]
async fn a_file_opened_to_look_at_it_shows_jobs_and_changes_none() {
    let home = Home::new();
    let store = home.open().await;
    let asked = put(&*store, &job("ada", "map", 1)).await;
    let (_, lease) = take(&*store, &any(2)).await;
    let looking = SqliteStore::open_read_only(&home.url()).await.unwrap();
    assert_eq!(found(&looking, asked.id).await.status, JobStatus::Running);
    assert!(looking.save(lease, &step(0.5, "half"), at(3)).await.is_err());
    assert!(looking.ask_stop(asked.id, at(3)).await.is_err());
    assert!(store.jobs().save(lease, &step(0.5, "half"), at(3)).await.unwrap());
}

#[tokio::test]
async fn leases_on_a_server_outlive_their_connection_until_their_time() {
    let home = postgres::Home::new();
    let (one, two) = (home.open().await, home.open().await);
    let asked = put(&*one, &job("ada", "map", 1)).await;
    let (_, lease) = take(&*one, &any(2)).await;
    drop(one);
    assert_eq!(two.jobs().claim(&any(3)).await.unwrap(), None);
    home.raw("UPDATE jobs SET lease_ends = clock_timestamp()").await;
    let (again, _) = take(&*two, &any(3)).await;
    assert_eq!((again.id, again.attempts), (asked.id, 2));
    assert!(!two.jobs().finish(lease, &done(), at(4)).await.unwrap());
}

#[tokio::test]
async fn a_file_has_no_other_node_to_hear_of() {
    let store = Home::new();
    assert_eq!(store.open().await.jobs().next_change().await, None);
}
