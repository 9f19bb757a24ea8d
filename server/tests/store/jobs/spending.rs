//! What was used up, and what is removed by age.

use jiff::Timestamp;
use synapti_server::store::{JobStore, Spent};

use super::{any, done, job, named, put, take};
use crate::{
    fixture::{at, graph_id},
    place::{Place, stories},
};

stories! {
    spending_adds_up_by_day_client_and_map,
    sums_stop_at_the_largest_number,
    what_is_old_goes_in_slices_and_the_rest_stays,
}

const DAY: i64 = 24 * 60 * 60;

fn spent(tokens: u64, micro_dollars: u64) -> Spent {
    Spent { tokens, micro_dollars }
}

async fn spending_adds_up_by_day_client_and_map(home: &impl Place) {
    let store = home.open().await;
    let (one, two) = (graph_id("one"), graph_id("two"));
    let jobs = store.jobs();
    assert_eq!(jobs.spent("ada", &one, at(0)).await.unwrap(), (Spent::default(), Spent::default()));
    jobs.spend("ada", &one, spent(10, 1), at(0)).await.unwrap();
    jobs.spend("ada", &two, spent(20, 2), at(60)).await.unwrap();
    jobs.spend("bob", &one, spent(40, 4), at(120)).await.unwrap();
    jobs.spend("ada", &one, spent(80, 8), at(2 * DAY)).await.unwrap();
    // A client who is called like a map is still another.
    jobs.spend("one", &graph_id("ada"), spent(160, 16), at(0)).await.unwrap();
    assert_eq!(jobs.spent("ada", &one, at(5)).await.unwrap(), (spent(30, 3), spent(50, 5)));
    assert_eq!(jobs.spent("bob", &two, at(5)).await.unwrap(), (spent(40, 4), spent(20, 2)));
    assert_eq!(jobs.spent("ada", &one, at(2 * DAY)).await.unwrap(), (spent(80, 8), spent(80, 8)));
    assert_eq!(jobs.spent("ada", &one, at(-2 * DAY)).await.unwrap(), (Spent::default(), Spent::default()));
    let midnight = Timestamp::from_second(at(0).as_second().div_euclid(DAY) * DAY + DAY).unwrap();
    let last_moment = Timestamp::from_microsecond(midnight.as_microsecond() - 1).unwrap();
    assert_eq!(jobs.spent("ada", &one, last_moment).await.unwrap().0, spent(30, 3));
    assert_eq!(jobs.spent("ada", &one, midnight).await.unwrap().0, Spent::default());
    store.close().await;
    let store = home.open().await;
    assert_eq!(store.jobs().spent("ada", &one, at(5)).await.unwrap(), (spent(30, 3), spent(50, 5)));
}

async fn sums_stop_at_the_largest_number(home: &impl Place) {
    let store = home.open().await;
    let one = graph_id("one");
    for _ in 0..3 {
        store.jobs().spend("ada", &one, spent(u64::MAX, u64::MAX), at(0)).await.unwrap();
    }
    let (client, map) = store.jobs().spent("ada", &one, at(0)).await.unwrap();
    assert!(client.tokens > 1 << 60 && client == map, "{client:?}");
}

async fn what_is_old_goes_in_slices_and_the_rest_stays(home: &impl Place) {
    let store = home.open().await;
    let jobs = store.jobs();
    assert!(!jobs.trim_jobs(at(100 * DAY), 10).await.unwrap());
    let mut old = Vec::new();
    for second in 0..5 {
        old.push(put(&*store, &named(job("ada", "map", second), &second.to_string(), "#")).await.id);
        let (_, lease) = take(&*store, &any(second)).await;
        assert!(jobs.finish(lease, &done(), at(second)).await.unwrap());
        jobs.spend("ada", &graph_id("map"), spent(1, 1), at(-second * DAY)).await.unwrap();
    }
    let unfinished = put(&*store, &job("ada", "map", 0)).await;
    let (_, running) = take(&*store, &any(1)).await;
    let waits = put(&*store, &job("ada", "map", 1)).await;
    let ended_later = put(&*store, &job("ada", "map", 0)).await;
    jobs.ask_stop(ended_later.id, at(4 * DAY)).await.unwrap();

    // Five jobs, and four days with two rows each.
    let before = at(5);
    assert!(jobs.trim_jobs(before, 2).await.unwrap());
    assert_eq!((is_there(jobs, old[0]).await, is_there(jobs, old[4]).await), (false, true), "the oldest first");
    let mut calls = 1;
    while jobs.trim_jobs(before, 2).await.unwrap() {
        calls += 1;
        assert!(calls < 10);
    }
    assert_eq!(calls, 3);
    for id in old {
        assert!(!is_there(jobs, id).await);
    }
    for id in [unfinished.id, waits.id, ended_later.id] {
        assert!(is_there(jobs, id).await);
    }
    assert_eq!(running.job, unfinished.id);
    assert_eq!(jobs.spent("ada", &graph_id("map"), at(0)).await.unwrap().0, spent(1, 1));
    for day in 1..5 {
        assert_eq!(jobs.spent("ada", &graph_id("map"), at(-day * DAY)).await.unwrap().0, Spent::default());
    }
    // The name is free again.
    put(&*store, &named(job("ada", "map", 9), "0", "#other")).await;
}

async fn is_there(jobs: &dyn JobStore, id: synapti_server::store::JobId) -> bool {
    jobs.job(id).await.unwrap().is_some()
}
