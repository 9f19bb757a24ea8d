//! Rates of many parties, each with a key, in bounded memory.

use std::{
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use governor::{RateLimiter, middleware::NoOpMiddleware, state::keyed::DashMapStateStore};
use tokio::time::Instant;

use super::{
    clock::{Moment, RuntimeClock},
    rate::quota,
};

/// Parties that are remembered at most. An entry takes about 100 bytes.
const KEYS_MAX: usize = 100_000;

/// Calls between two sweeps: an entry of a party that has its whole burst again says nothing.
const SWEEP_EVERY_CALLS: u64 = 10_000;

/// For each key so much a second, and a burst.
#[derive(Debug)]
pub struct KeyedRate<K: Hash + Eq + Clone>(Option<Limited<K>>);

#[derive(Debug)]
struct Limited<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, RuntimeClock, NoOpMiddleware<Moment>>,
    calls: AtomicU64,
    keys_max: usize,
}

/// When to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComeBackAfter(pub Duration);

impl<K: Hash + Eq + Clone> KeyedRate<K> {
    /// So much a second for each; 0 = no limit.
    pub fn new(per_second: u32) -> Self {
        Self::with_keys_max(per_second, KEYS_MAX)
    }

    fn with_keys_max(per_second: u32, keys_max: usize) -> Self {
        Self(quota(per_second).map(|quota| Limited {
            limiter: RateLimiter::dashmap_with_clock(quota, RuntimeClock),
            calls: AtomicU64::new(0),
            keys_max,
        }))
    }

    /// Takes one.
    ///
    /// # Errors
    /// When to come back; also for somebody new while so many are remembered that there is no place for one more.
    pub fn take(&self, key: &K) -> Result<(), ComeBackAfter> {
        let Some(limited) = &self.0 else { return Ok(()) };
        limited.sweep();
        if limited.limiter.len() >= limited.keys_max {
            limited.limiter.retain_recent();
            if limited.limiter.len() >= limited.keys_max {
                return Err(ComeBackAfter(Duration::from_secs(1)));
            }
        }
        let again = |moment: Moment| ComeBackAfter(moment.instant().saturating_duration_since(Instant::now()));
        limited.limiter.check_key(key).map_err(|not_until| again(not_until.earliest_possible()))
    }
}

impl<K: Hash + Eq + Clone> Limited<K> {
    fn sweep(&self) {
        if self.calls.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY_CALLS == SWEEP_EVERY_CALLS - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_key_has_its_own_share() {
        let rate = KeyedRate::new(2);
        assert_eq!((0..20).filter(|_| rate.take(&"ann").is_ok()).count(), 8);
        let ComeBackAfter(after) = rate.take(&"ann").unwrap_err();
        assert!(after > Duration::ZERO && after <= Duration::from_millis(500), "{after:?}");
        assert!(rate.take(&"bob").is_ok());
        advance(after).await;
        assert!(rate.take(&"ann").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_were_quiet_are_forgotten() {
        let rate = KeyedRate::new(10);
        for key in 0..5_000u64 {
            rate.take(&key).unwrap();
        }
        advance(Duration::from_secs(5)).await;
        for _ in 0..=SWEEP_EVERY_CALLS {
            let _ = rate.take(&1);
        }
        assert_eq!(rate.0.unwrap().limiter.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_frees_itself() {
        let rate = KeyedRate::with_keys_max(10, 100);
        let admitted = (0..1_000u64).filter(|key| rate.take(key).is_ok()).count();
        assert_eq!(admitted, 100);
        advance(Duration::from_secs(5)).await;
        assert!(rate.take(&2_000).is_ok());
    }
}
