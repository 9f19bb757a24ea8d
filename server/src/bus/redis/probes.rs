//! Clients that other nodes have found at their limit, until somebody looks for their dead connections here.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::{Notify, futures::Notified};

/// Clients that may wait; who is not among them is asked for again.
const WAITING_MAX: usize = 1024;

/// A bounded queue without repetitions.
#[derive(Debug, Default)]
pub(super) struct Probes {
    waiting: Mutex<VecDeque<Box<str>>>,
    arrived: Notify,
}

impl Probes {
    pub fn put(&self, client: &str) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX && !waiting.iter().any(|other| **other == *client) {
            waiting.push_back(client.into());
            self.arrived.notify_one();
        }
    }

    pub fn take(&self) -> Option<Box<str>> {
        self.waiting.lock().pop_front()
    }

    pub fn arrived(&self) -> Notified<'_> {
        self.arrived.notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_waits_once_and_the_queue_is_bounded() {
        let probes = Probes::default();
        (0..3).for_each(|_| probes.put("ann"));
        assert_eq!((probes.take().as_deref(), probes.take()), (Some("ann"), None));
        (0..2 * WAITING_MAX).for_each(|number| probes.put(&number.to_string()));
        assert_eq!(std::iter::from_fn(|| probes.take()).count(), WAITING_MAX);
    }
}
