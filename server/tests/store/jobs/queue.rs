//! Who is next.

use synapti_server::store::{JobStatus, Submitted};

use super::{any, brief, done, found, job, limited, named, put, take};
use crate::{
    fixture::at,
    place::{Place, stories},
};

stories! {
    jobs_are_taken_oldest_first,
    limits_of_clients_and_maps_let_others_pass,
    a_job_that_may_run_is_taken_as_it_comes,
    a_full_queue_takes_no_more,
    the_same_name_means_the_same_job,
    a_call_that_comes_twice_makes_one_job,
}

async fn jobs_are_taken_oldest_first(home: &impl Place) {
    let store = home.open().await;
    let mut made = Vec::new();
    for second in [3, 1, 2, 1] {
        made.push(put(&*store, &job("ada", "map", second)).await.id);
    }
    let mut taken = Vec::new();
    while let Some((record, _)) = store.jobs().claim(&any(4)).await.unwrap() {
        taken.push(record.id);
    }
    assert_eq!(taken, [made[1], made[3], made[2], made[0]]);
}

async fn limits_of_clients_and_maps_let_others_pass(home: &impl Place) {
    let store = home.open().await;
    let mut ids = Vec::new();
    let asked =
        [("ada", "one"), ("ada", "two"), ("ada", "three"), ("bob", "one"), ("", "one"), ("", "four"), ("", "five")];
    for (second, (client, graph)) in (0..).zip(asked) {
        ids.push(put(&*store, &job(client, graph, second)).await.id);
    }
    // Two for each client, one in each map; people without a name are not counted together.
    let claim = limited(10, 2, 1);
    let mut leases = Vec::new();
    for expected in [ids[0], ids[1], ids[5], ids[6]] {
        let (record, lease) = take(&*store, &claim).await;
        assert_eq!(record.id, expected);
        leases.push(lease);
    }
    assert_eq!(store.jobs().claim(&claim).await.unwrap(), None);
    assert_eq!(store.jobs().job_counts().await.unwrap(), (3, 4));

    // Ended or given back, it makes room.
    assert!(store.jobs().finish(leases[1], &done(), at(11)).await.unwrap());
    assert_eq!(take(&*store, &claim).await.0.id, ids[2]);
    assert!(store.jobs().finish(leases[0], &done(), at(11)).await.unwrap());
    assert_eq!(take(&*store, &claim).await.0.id, ids[3]);
    assert_eq!(store.jobs().claim(&claim).await.unwrap(), None);
    // Without limits nothing waits.
    assert_eq!(take(&*store, &any(12)).await.0.id, ids[4]);
}

async fn a_job_that_may_run_is_taken_as_it_comes(home: &impl Place) {
    let store = home.open().await;
    let claim = limited(1, 1, 0);
    let first = job("ada", "map", 1);
    let Submitted::New(record, Some(lease)) = store.jobs().submit(&first, Some(&claim), 1).await.unwrap() else {
        panic!("nobody else has one")
    };
    assert_eq!((record.id, record.status, record.attempts), (first.id, JobStatus::Running, 1));
    assert_eq!(found(&*store, first.id).await, *record);

    // Her limit is reached: it waits, and is in nobody else's way.
    let second = job("ada", "map", 2);
    let Submitted::New(waits, None) = store.jobs().submit(&second, Some(&claim), 1).await.unwrap() else {
        panic!("one is running")
    };
    assert_eq!(waits.status, JobStatus::Queued);
    let other = store.jobs().submit(&job("bob", "map", 3), Some(&claim), 1).await.unwrap();
    assert!(matches!(other, Submitted::New(_, Some(_))), "{other:?}");

    // An older one that may run goes first.
    assert!(store.jobs().finish(lease, &done(), at(4)).await.unwrap());
    let third = store.jobs().submit(&job("cleo", "map", 5), Some(&claim), 0).await.unwrap();
    assert!(matches!(&third, Submitted::New(record, None) if record.status == JobStatus::Queued), "{third:?}");
    assert_eq!(take(&*store, &claim).await.0.id, second.id);
}

async fn a_full_queue_takes_no_more(home: &impl Place) {
    let store = home.open().await;
    let waiting = [job("ada", "map", 1), job("bob", "map", 2)];
    for waits in &waiting {
        assert!(matches!(store.jobs().submit(waits, None, 2).await.unwrap(), Submitted::New(_, None)));
    }
    let refused = named(job("cleo", "map", 3), "mine", "#");
    assert_eq!(store.jobs().submit(&refused, None, 2).await.unwrap(), Submitted::QueueFull);
    assert_eq!(store.jobs().submit(&refused, Some(&any(3)), 2).await.unwrap(), Submitted::QueueFull);
    assert_eq!(store.jobs().job(refused.id).await.unwrap(), None);
    // What is in it is known all the same, and what runs takes no place.
    assert!(matches!(store.jobs().submit(&waiting[0], None, 2).await.unwrap(), Submitted::Known(_)));
    take(&*store, &any(4)).await;
    assert!(matches!(store.jobs().submit(&refused, None, 2).await.unwrap(), Submitted::New(_, None)));
    assert_eq!(store.jobs().job_counts().await.unwrap(), (2, 1));
}

async fn the_same_name_means_the_same_job(home: &impl Place) {
    let store = home.open().await;
    let asked = named(job("ada", "map", 1), "mine", "#1");
    let made = put(&*store, &asked).await;
    let again = named(job("ada", "map", 2), "mine", "#1");
    assert_eq!(store.jobs().submit(&again, Some(&any(2)), 0).await.unwrap(), Submitted::Known(Box::new(made)));
    let other = named(job("ada", "map", 3), "mine", "#2");
    assert_eq!(store.jobs().submit(&other, None, 0).await.unwrap(), Submitted::NameTaken);
    // Whoever only looks learns the same, and changes nothing.
    assert!(matches!(store.jobs().known(&again).await.unwrap(), Some(Submitted::Known(_))));
    assert_eq!(store.jobs().known(&other).await.unwrap(), Some(Submitted::NameTaken));
    let fresh = named(job("ada", "map", 4), "another", "#1");
    assert_eq!(store.jobs().known(&fresh).await.unwrap(), None);
    assert_eq!(store.jobs().job(fresh.id).await.unwrap(), None);
    let theirs = named(job("bob", "map", 4), "mine", "#1");
    put(&*store, &theirs).await;
    put(&*store, &named(job("ada", "map", 5), "another", "#1")).await;
    assert_eq!(store.jobs().job_counts().await.unwrap(), (3, 0));
    assert_eq!(store.jobs().job(again.id).await.unwrap(), None);

    // Also when it is over.
    let (_, lease) = take(&*store, &any(6)).await;
    assert!(store.jobs().finish(lease, &done(), at(6)).await.unwrap());
    let Submitted::Known(known) = store.jobs().submit(&again, None, 0).await.unwrap() else { panic!("it is known") };
    assert_eq!((known.id, known.status), (asked.id, JobStatus::Succeeded));
}

async fn a_call_that_comes_twice_makes_one_job(home: &impl Place) {
    let store = home.open().await;
    let asked = job("ada", "map", 1);
    put(&*store, &asked).await;
    take(&*store, &brief(any(1))).await;
    let again = store.jobs().submit(&asked, Some(&any(2)), 0).await.unwrap();
    assert!(matches!(&again, Submitted::Known(known) if known.id == asked.id), "{again:?}");
    assert_eq!(store.jobs().job_counts().await.unwrap(), (0, 1));
}
