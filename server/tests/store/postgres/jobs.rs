//! What nodes tell each other of jobs.

use std::pin::pin;

use futures_util::poll;
use synapti_server::store::{JobId, JobStatus, SharedStore};

use super::Home;
use crate::{
    fixture::at,
    jobs::{any, brief, done, found, job, put, step, take},
};

/// Hears of this job next, whatever it was.
async fn hears(nodes: &[SharedStore], job: JobId) {
    for node in nodes {
        assert_eq!(node.jobs().next_change().await, Some(Some(job)));
    }
}

/// The first thing that a node hears is that it has to look at all.
async fn listeners(home: &Home) -> [SharedStore; 2] {
    let nodes = [home.open().await, home.open().await];
    for node in &nodes {
        assert_eq!(node.jobs().next_change().await, Some(None));
    }
    nodes
}

#[tokio::test]
async fn each_change_is_heard_on_all_nodes_once_it_is_committed() {
    let home = Home::new();
    let node = home.open().await;
    let others = listeners(&home).await;
    let asked = put(&*node, &job("ada", "map", 1)).await.id;
    hears(&others, asked).await;
    let (_, lease) = take(&*node, &any(2)).await;
    hears(&others, asked).await;
    assert!(node.jobs().save(lease, &step(0.5, "half"), at(3)).await.unwrap());
    hears(&others, asked).await;
    assert_eq!(found(&*others[0], asked).await.state, "half");
    assert!(node.jobs().give_back(lease, at(4)).await.unwrap());
    hears(&others, asked).await;
    let (_, lease) = take(&*others[0], &any(5)).await;
    hears(&others, asked).await;
    others[1].jobs().ask_stop(asked, at(6)).await.unwrap();
    hears(&others, asked).await;
    assert!(others[0].jobs().finish(lease, &done(), at(7)).await.unwrap());
    hears(&others, asked).await;
    let ended = found(&*others[1], asked).await;
    assert_eq!(ended.status, JobStatus::Succeeded);
    assert!(node.jobs().amend(asked, ended.revision, "accepted", at(8)).await.unwrap());
    hears(&others, asked).await;

    // Nothing is told of what is only renewed, of what changed nothing, and of what a node took as it came.
    let own = job("ada", "map", 9);
    node.jobs().submit(&own, Some(&brief(any(9))), 0).await.unwrap();
    assert!(!node.jobs().amend(asked, ended.revision, "late", at(9)).await.unwrap());
    node.jobs().ask_stop(asked, at(9)).await.unwrap();
    let (_, lease) = take(&*node, &any(9)).await;
    hears(&others, own.id).await;
    node.jobs().renew(&[lease], &any(9)).await.unwrap();
    let last = put(&*node, &job("ada", "map", 10)).await.id;
    hears(&others, last).await;
}

#[tokio::test]
async fn a_wait_that_is_given_up_misses_nothing() {
    let home = Home::new();
    let node = home.open().await;
    let [other, _] = listeners(&home).await;
    for second in 0..20 {
        {
            let mut waiting = pin!(other.jobs().next_change());
            assert!(poll!(&mut waiting).is_pending());
        }
        let asked = put(&*node, &job("ada", "map", second)).await.id;
        hears(std::slice::from_ref(&other), asked).await;
    }
}

#[tokio::test]
async fn a_connection_that_was_cut_is_made_again_and_all_is_looked_at() {
    let home = Home::new();
    let node = home.open().await;
    let others = listeners(&home).await;
    for round in 0..3 {
        let mut connection = home.connect().await;
        let cut: i64 = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        assert_eq!(cut, 2);
        for other in &others {
            assert_eq!(other.jobs().next_change().await, Some(None), "round {round}");
        }
        let asked = put(&*node, &job("ada", "map", round)).await.id;
        hears(&others, asked).await;
    }
}

#[tokio::test]
async fn nobody_waits_for_changes_once_the_store_is_closed() {
    let home = Home::new();
    let [other, silent] = listeners(&home).await;
    let waiting = async {
        assert_eq!(other.jobs().next_change().await, None);
        assert_eq!(other.jobs().next_change().await, None);
    };
    let open = other.pool_size().open;
    assert!(open > silent.pool_size().idle);
    tokio::join!(waiting, other.close());
    assert_eq!(other.pool_size().open, 0);
}
