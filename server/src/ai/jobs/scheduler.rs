//! Takes jobs out of the queue, keeps their leases, and hears what happens to them on other nodes.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::{
    Jobs,
    held::{Ending, Held, RENEW_EVERY},
    run,
};
use crate::store::{JobId, JobLease, JobRecord, JobStatus, StoreError};

/// How often the queue is looked at when nobody says that there is something: leases of dead nodes end without a word.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often old jobs are removed, and after how long.
const TRIM_EVERY: Duration = Duration::from_hours(1);
const KEPT_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 30);

/// Rows that are removed at a time.
const TRIM_ROWS: u32 = 500;

/// How long a node that stops waits for its runs to put themselves away.
const DRAINED_WITHIN: Duration = Duration::from_secs(5);

impl Jobs {
    /// Takes and does jobs until `stop`; then gives back what is not done.
    pub async fn work(self, stop: CancellationToken) {
        let ticker = |every| {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut look, mut renew, mut trim) = (ticker(LOOK_EVERY), ticker(RENEW_EVERY), ticker(TRIM_EVERY));
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.wake.notified() => self.take().await,
                _ = look.tick() => self.take().await,
                _ = renew.tick() => self.renew().await,
                _ = trim.tick() => self.trim().await,
                change = self.store.jobs().next_change() => match change {
                    Some(change) => self.hear(change).await,
                    // There is no other node.
                    None => self.wait_alone(&stop, &mut look, &mut renew, &mut trim).await,
                },
            }
        }
        self.drain().await;
    }

    /// The same where only this process has the queue.
    async fn wait_alone(
        &self,
        stop: &CancellationToken,
        look: &mut tokio::time::Interval,
        renew: &mut tokio::time::Interval,
        trim: &mut tokio::time::Interval,
    ) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.notified() => self.take().await,
                _ = look.tick() => self.take().await,
                _ = renew.tick() => self.renew().await,
                _ = trim.tick() => self.trim().await,
            }
        }
    }

    /// Takes jobs as long as there are some and this node has room.
    async fn take(&self) {
        while let Ok(place) = self.places.clone().try_acquire_owned() {
            let asked = Instant::now();
            match self.store.jobs().claim(&self.claim()).await {
                Ok(Some((record, lease))) => self.begin(record, lease, asked, place),
                Ok(None) => return,
                Err(error) => return complain("the queue of the AI's jobs cannot be read", &error),
            }
        }
    }

    /// Begins with a job that is this node's.
    pub(super) fn begin(&self, record: JobRecord, lease: JobLease, asked: Instant, place: OwnedSemaphorePermit) {
        let held = Arc::new(Held::new(lease, asked));
        self.running.lock().insert(record.id, held.clone());
        if self.stopping.is_cancelled() {
            held.end(Ending::Draining);
        }
        // Dropped also by a panic: the lease is renewed no more then, and another attempt begins.
        let entry = Entry { jobs: self.clone(), held: held.clone(), _place: place };
        let jobs = self.clone();
        self.tracker.spawn(async move {
            run::run(jobs, record, held, entry).await;
        });
    }

    async fn renew(&self) {
        let leases: Vec<JobLease> = self.running.lock().values().map(|held| held.lease).collect();
        if leases.is_empty() {
            return;
        }
        let asked = Instant::now();
        match self.store.jobs().renew(&leases, &self.claim()).await {
            Ok(renewed) => {
                let running = self.running.lock();
                for renewed in renewed {
                    let Some(held) = running.get(&renewed.lease.job) else { continue };
                    if !renewed.is_held {
                        held.end(Ending::Lost);
                    } else if renewed.stop_asked {
                        held.end(Ending::Stopped);
                    } else {
                        held.renewed(asked);
                    }
                }
            }
            Err(error) => complain("the leases of the AI's jobs cannot be renewed", &error),
        }
    }

    /// A job has changed through another node, or some may have.
    async fn hear(&self, change: Option<JobId>) {
        let Some(id) = change else {
            self.renew().await;
            self.take().await;
            return;
        };
        self.changed(id);
        let is_ours = self.running.lock().contains_key(&id);
        let is_new = match self.store.jobs().job(id).await {
            Ok(Some(job)) if is_ours && job.stop_asked => {
                self.end(id, Ending::Stopped);
                false
            }
            Ok(Some(job)) => job.status == JobStatus::Queued,
            Ok(None) | Err(_) => false,
        };
        if is_new {
            self.take().await;
        }
    }

    async fn trim(&self) {
        let before = self.clock.now().saturating_sub(KEPT_FOR).unwrap_or(jiff::Timestamp::MIN);
        loop {
            match self.store.jobs().trim_jobs(before, TRIM_ROWS).await {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => return,
                Err(error) => return complain("old jobs of the AI cannot be removed", &error),
            }
        }
    }

    /// Gives back what is not done, so that another node, or the next start, goes on with it.
    async fn drain(&self) {
        self.stopping.cancel();
        self.places.close();
        for held in self.running.lock().values() {
            held.end(Ending::Draining);
        }
        self.tracker.close();
        if tokio::time::timeout(DRAINED_WITHIN, self.tracker.wait()).await.is_err() {
            tracing::warn!("some runs of the AI did not end in time; they go on when their leases have ended");
        }
    }
}

/// A run among those of this node.
pub(super) struct Entry {
    jobs: Jobs,
    held: Arc<Held>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let id = self.held.lease.job;
        let mut running = self.jobs.running.lock();
        // This node may have taken the job anew meanwhile.
        if running.get(&id).is_some_and(|held| Arc::ptr_eq(held, &self.held)) {
            running.remove(&id);
        }
        drop(running);
        self.jobs.wake.notify_one();
    }
}

fn complain(what: &str, error: &StoreError) {
    tracing::warn!(%error, "{what}");
}
