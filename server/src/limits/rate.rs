//! So much a second, and four times as much at once.

use std::num::NonZeroU32;

use governor::{
    Quota, RateLimiter,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

use super::clock::{Moment, RuntimeClock};

/// What may come at once, in seconds' shares.
pub const BURST_SECONDS: u32 = 4;

/// A quota for `per_second`; `None` for 0, no limit.
pub(super) fn quota(per_second: u32) -> Option<Quota> {
    let per_second = NonZeroU32::new(per_second)?;
    let burst = per_second.saturating_mul(NonZeroU32::new(BURST_SECONDS)?);
    Some(Quota::per_second(per_second).allow_burst(burst))
}

/// One party's rate of one thing.
#[derive(Debug)]
pub struct Rate(Option<Limited>);

#[derive(Debug)]
struct Limited {
    limiter: RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Moment>>,
    burst: u32,
}

impl Rate {
    /// So much a second; 0 = no limit.
    pub fn new(per_second: u32) -> Self {
        Self(quota(per_second).map(|quota| Limited {
            limiter: RateLimiter::direct_with_clock(quota, RuntimeClock),
            burst: quota.burst_size().get(),
        }))
    }

    /// Takes so much, or says when it may be taken. More than may come at once counts as what may.
    ///
    /// # Errors
    /// When to ask again.
    pub fn take(&self, amount: u32) -> Result<(), Instant> {
        let Some(Limited { limiter, burst }) = &self.0 else { return Ok(()) };
        let Some(amount) = NonZeroU32::new(amount.min(*burst)) else { return Ok(()) };
        match limiter.check_n(amount) {
            Ok(Err(not_until)) => Err(not_until.earliest_possible().instant()),
            // More than the burst is never asked for, so that the other error cannot be.
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{advance, sleep_until};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_burst_passes_at_once_and_then_the_rate() {
        let rate = Rate::new(10);
        let burst = (0..100).take_while(|_| rate.take(1).is_ok()).count();
        assert_eq!(burst, 40);
        let start = Instant::now();
        for _ in 0..20 {
            while let Err(again) = rate.take(1) {
                sleep_until(again).await;
            }
        }
        let took = start.elapsed();
        assert!(took > Duration::from_millis(1_900) && took < Duration::from_millis(2_100), "{took:?}");
        advance(Duration::from_secs(3)).await;
        assert_eq!((0..100).take_while(|_| rate.take(1).is_ok()).count(), 30, "what was not used gathers");
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_may_come_at_once_passes_when_nothing_else_did() {
        let rate = Rate::new(10);
        assert!(rate.take(1_000).is_ok());
        let again = rate.take(1_000).unwrap_err();
        assert!(again - Instant::now() > Duration::from_millis(3_900));
        assert!(rate.take(0).is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let rate = Rate::new(0);
        assert!((0..10_000).all(|_| rate.take(u32::MAX).is_ok()));
    }
}
