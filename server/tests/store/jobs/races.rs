//! Many who take jobs at once.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;
use synapti_server::store::{JobId, JobRecord, JobStatus, SharedStore, Submitted};
use tokio::{sync::watch, task::JoinSet};

use super::{done, found, job, limited, put, step};
use crate::{fixture::at, postgres};

const JOBS: i64 = 60;
const WORKERS: usize = 9;
const PER_CLIENT_MAX: u32 = 2;
const PER_GRAPH_MAX: u32 = 1;

/// What runs right now, by the workers' own account.
#[derive(Default)]
struct Running {
    clients: HashMap<String, u32>,
    graphs: HashMap<String, u32>,
    taken: HashSet<JobId>,
}

impl Running {
    fn begins(&mut self, job: &JobRecord) {
        assert!(self.taken.insert(job.id), "{:?} was taken twice", job.id);
        let client = self.clients.entry(job.client.clone()).or_default();
        *client += 1;
        assert!(*client <= PER_CLIENT_MAX, "{} jobs of {} run", client, job.client);
        let graph = self.graphs.entry(job.graph.to_string()).or_default();
        *graph += 1;
        assert!(*graph <= PER_GRAPH_MAX, "{} jobs in {} run", graph, job.graph);
    }

    /// Noted before the store hears of it: a place is free only afterwards.
    fn ends(&mut self, job: &JobRecord) {
        *self.clients.get_mut(&job.client).unwrap() -= 1;
        *self.graphs.get_mut(job.graph.as_str()).unwrap() -= 1;
    }
}

fn asked(second: i64) -> synapti_server::store::NewJob {
    job(["ada", "bob", "cleo"][second as usize % 3], ["one", "two", "three", "four"][second as usize % 4], second)
}

/// Takes jobs until all have ended; half of the jobs come while others are being taken, and may be taken as they come.
async fn work(store: SharedStore, worker: i64, running: Arc<Mutex<Running>>, ended: watch::Sender<usize>) {
    let claim = limited(100, PER_CLIENT_MAX, PER_GRAPH_MAX);
    let mut mine = (JOBS / 2..JOBS).filter(|second| second % WORKERS as i64 == worker).map(asked);
    let mut ends = ended.subscribe();
    while *ends.borrow_and_update() < JOBS as usize {
        let submitted = match mine.next() {
            Some(job) => match store.jobs().submit(&job, Some(&claim), 0).await.unwrap() {
                Submitted::New(record, lease) => lease.map(|lease| (*record, lease)),
                other => panic!("{other:?}"),
            },
            None => None,
        };
        let taken = match submitted {
            Some(taken) => Some(taken),
            None => store.jobs().claim(&claim).await.unwrap(),
        };
        let Some((job, lease)) = taken else {
            // Nothing may be taken before one more has ended.
            ends.changed().await.unwrap();
            continue;
        };
        running.lock().begins(&job);
        assert!(store.jobs().save(lease, &step(0.5, "half"), at(101)).await.unwrap());
        assert!(store.jobs().renew(&[lease], &claim).await.unwrap()[0].is_held);
        running.lock().ends(&job);
        assert!(store.jobs().finish(lease, &done(), at(102)).await.unwrap());
        ended.send_modify(|ended| *ended += 1);
    }
}

async fn nobody_gets_anothers_job_and_no_limit_is_exceeded(nodes: &[SharedStore]) {
    let mut ids = Vec::new();
    for second in 0..JOBS / 2 {
        ids.push(put(&*nodes[0], &asked(second)).await.id);
    }
    let running = Arc::new(Mutex::new(Running::default()));
    let ended = watch::Sender::new(0);
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(work(nodes[worker % nodes.len()].clone(), worker as i64, running.clone(), ended.clone()));
    }
    workers.join_all().await;
    assert_eq!(running.lock().taken.len(), JOBS as usize);
    assert_eq!(nodes[0].jobs().job_counts().await.unwrap(), (0, 0));
    for id in ids {
        let job = found(&*nodes[0], id).await;
        assert_eq!((job.status, job.attempts), (JobStatus::Succeeded, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_on_one_file() {
    let home = crate::fixture::Home::new();
    nobody_gets_anothers_job_and_no_limit_is_exceeded(&[home.open().await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_on_three_nodes() {
    let home = postgres::Home::new();
    let nodes = [home.open().await, home.open().await, home.open().await];
    nobody_gets_anothers_job_and_no_limit_is_exceeded(&nodes).await;
}

/// Requests under one name at the same moment, on all nodes.
#[tokio::test(flavor = "multi_thread")]
async fn one_name_makes_one_job_on_three_nodes() {
    let home = postgres::Home::new();
    let nodes = [home.open().await, home.open().await, home.open().await];
    for round in 0..5 {
        let mut asking = JoinSet::new();
        for node in nodes.iter().chain(&nodes) {
            let node = node.clone();
            let job = super::named(job("ada", "map", round), &round.to_string(), "#");
            asking.spawn(async move { node.jobs().submit(&job, None, 0).await.unwrap() });
        }
        let mut made = 0;
        let mut ids = HashSet::new();
        for submitted in asking.join_all().await {
            match submitted {
                Submitted::New(record, _) => {
                    made += 1;
                    ids.insert(record.id);
                }
                Submitted::Known(record) => {
                    ids.insert(record.id);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((made, ids.len()), (1, 1));
    }
}
