//! A job that this node has, for as long as it has it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::store::JobLease;

/// How long a lease lasts that is not renewed: so long a dead node's job waits.
pub(super) const LEASE: Duration = Duration::from_secs(10);

/// How often leases are renewed.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(3);

/// So long before its lease ends a node stops writing: clocks differ, and an edit takes a moment.
const MARGIN: Duration = Duration::from_secs(1);

/// Why a run ends before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Somebody wants it to.
    Stopped,
    /// The lease is gone: another node may have the job, and this one writes nothing more.
    Lost,
    /// The node stops.
    Draining,
}

/// The right to a job.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lease: JobLease,
    until: Mutex<Instant>,
    ending: Mutex<Option<Ending>>,
    ended: CancellationToken,
}

impl Held {
    /// A lease that was asked for at `asked`.
    pub(super) fn new(lease: JobLease, asked: Instant) -> Self {
        let until = Mutex::new(asked + LEASE.saturating_sub(MARGIN));
        Self { lease, until, ending: Mutex::new(None), ended: CancellationToken::new() }
    }

    /// It was renewed, as was asked for at `asked`.
    pub(super) fn renewed(&self, asked: Instant) {
        *self.until.lock() = asked + LEASE.saturating_sub(MARGIN);
    }

    /// Until when this node may write.
    pub(super) fn until(&self) -> Instant {
        *self.until.lock()
    }

    /// Ends the run. The first reason counts.
    pub(super) fn end(&self, why: Ending) {
        self.ending.lock().get_or_insert(why);
        self.ended.cancel();
    }

    /// Why it ends, if it does.
    pub(super) fn ending(&self) -> Option<Ending> {
        let ending = *self.ending.lock();
        // A process that stood still finds out by itself.
        ending.or_else(|| (Instant::now() >= self.until()).then_some(Ending::Lost))
    }

    /// Waits until it is to end.
    pub(super) async fn ended(&self) -> Ending {
        loop {
            if let Some(ending) = self.ending() {
                return ending;
            }
            let until = self.until();
            tokio::select! {
                () = self.ended.cancelled() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }
}
