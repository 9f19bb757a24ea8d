//! Rates of clients whose sessions are single requests: what one of them may say in a second is counted over all of these.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use tokio::time::Instant;

use super::{Session, SessionLimits, pace::Pace};

/// Clients that are remembered at most; beyond that a request counts for itself.
const CLIENTS_MAX: usize = 10_000;

/// Calls between two sweeps.
const SWEEP_EVERY_CALLS: u64 = 1_000;

/// Who has said nothing for this long has the whole burst again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);

/// Rates by client.
#[derive(Debug)]
pub struct Paces {
    limits: SessionLimits,
    clients: DashMap<Box<str>, (Arc<Pace>, Instant)>,
    calls: AtomicU64,
}

impl Paces {
    /// Nobody has said anything.
    pub fn new(limits: SessionLimits) -> Self {
        Self { limits, clients: DashMap::new(), calls: AtomicU64::new(0) }
    }

    /// Has a session share the rates of its client; people without a name are not told apart, and share none.
    #[must_use]
    pub fn paced(&self, session: Session, client: Option<&str>) -> Session {
        match client.and_then(|client| self.of(client)) {
            Some(pace) => Session { pace, ..session },
            None => session,
        }
    }

    fn of(&self, client: &str) -> Option<Arc<Pace>> {
        if self.calls.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY_CALLS == SWEEP_EVERY_CALLS - 1 {
            self.clients.retain(|_, (pace, last)| Arc::strong_count(pace) > 1 || last.elapsed() < FORGOTTEN_AFTER);
        }
        let now = Instant::now();
        if let Some(mut known) = self.clients.get_mut(client) {
            known.1 = now;
            return Some(known.0.clone());
        }
        if self.clients.len() >= CLIENTS_MAX {
            return None;
        }
        let new = || (Arc::new(Pace::new(&self.limits)), now);
        Some(self.clients.entry(client.into()).or_insert_with(new).0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paces() -> Paces {
        let limits =
            SessionLimits { message_bytes_max: 0, sync_bytes_max: 0, messages_per_second: 10, bytes_per_second: 0 };
        Paces::new(limits)
    }

    #[tokio::test(start_paused = true)]
    async fn requests_of_one_client_share_a_rate_and_those_of_two_do_not() {
        let paces = paces();
        assert!(Arc::ptr_eq(&paces.of("ann").unwrap(), &paces.of("ann").unwrap()));
        assert!(!Arc::ptr_eq(&paces.of("ann").unwrap(), &paces.of("bob").unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_quiet_is_forgotten() {
        let paces = paces();
        let held = paces.of("held").unwrap();
        paces.of("quiet").unwrap();
        tokio::time::advance(FORGOTTEN_AFTER).await;
        for _ in 0..SWEEP_EVERY_CALLS {
            paces.of("busy").unwrap();
        }
        assert!(!paces.clients.contains_key("quiet"));
        assert!(Arc::ptr_eq(&held, &paces.of("held").unwrap()));
    }
}
