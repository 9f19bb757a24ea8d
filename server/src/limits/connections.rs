//! How many connections this node serves.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

/// Counts connections of all transports against the node's limit. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: AtomicUsize,
    max: usize,
    emptied: Notify,
}

/// One connection's place; dropping it frees the place.
#[derive(Debug)]
pub struct ConnectionPermit(Arc<Inner>);

impl Connections {
    /// Room for `max` connections; 0 = no limit.
    pub fn new(max: usize) -> Self {
        Self(Arc::new(Inner { open: AtomicUsize::new(0), max, emptied: Notify::new() }))
    }

    /// Takes a place, if one is free.
    pub fn admit(&self, _ip: IpAddr, _client: Option<&str>) -> Option<ConnectionPermit> {
        let max = if self.0.max == 0 { usize::MAX } else { self.0.max };
        self.0
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < max).then_some(open + 1))
            .is_ok()
            .then(|| ConnectionPermit(self.0.clone()))
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Waits until none is open.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.0.emptied.notified();
            if self.open() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// The limit; 0 = none.
    pub fn max(&self) -> usize {
        self.0.max
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}
