//! Joins one after the other: who comes with a crowd waits for its turn, and is not refused only to come back.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// How long somebody may wait for its turn; y-websocket gives up a connection that says nothing for 30 s.
const TURN_WITHIN: Duration = Duration::from_secs(20);

/// Lets so many in each second, in the order in which they came. A crowd as large as one second's share passes at once.
#[derive(Debug)]
pub struct Turnstile {
    /// Between two turns; `None` = no limit.
    every: Option<Duration>,
    /// The turn of the next who comes.
    next: Mutex<Instant>,
}

/// The queue is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueTooLong;

impl Turnstile {
    /// Lets `per_second` in; 0 = no limit.
    pub fn new(per_second: u32) -> Self {
        let every = (per_second > 0).then(|| Duration::from_secs(1) / per_second);
        Self { every, next: Mutex::new(Instant::now()) }
    }

    /// Waits for the caller's turn. Giving up costs the turn.
    ///
    /// # Errors
    /// [`QueueTooLong`] at once, when the turn would come too late.
    pub async fn enter(&self) -> Result<(), QueueTooLong> {
        let Some(every) = self.every else { return Ok(()) };
        let now = Instant::now();
        let turn = {
            let mut next = self.next.lock();
            // What was not used in the last second is lost.
            let turn = (*next).max(now.checked_sub(Duration::from_secs(1)).unwrap_or(now));
            if turn > now + TURN_WITHIN {
                return Err(QueueTooLong);
            }
            *next = turn + every;
            turn
        };
        if turn > now {
            sleep_until(turn).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_let_in_at_the_rate_and_in_order() {
        let turnstile = Turnstile::new(100);
        tokio::time::advance(Duration::from_mins(1)).await;
        let start = Instant::now();
        let entered = Mutex::new(Vec::new());
        let crowd = (0..300).map(|number| {
            let (turnstile, entered) = (&turnstile, &entered);
            async move {
                turnstile.enter().await.unwrap();
                entered.lock().push((number, start.elapsed()));
            }
        });
        join_all(crowd).await;
        let entered = entered.into_inner();
        assert!(entered.is_sorted());
        assert!(entered[99].1 < Duration::from_millis(5), "the burst: {:?}", entered[99]);
        let last = entered[299].1;
        assert!(last > Duration::from_millis(1_900) && last < Duration::from_millis(2_100), "{last:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_is_too_long_is_told_at_once_and_does_not_grow() {
        let turnstile = Turnstile::new(1);
        let mut queue = Vec::new();
        for _ in 0..100 {
            let entering = Box::pin(turnstile.enter());
            queue.push(entering);
        }
        let results = join_all(queue).await;
        let refused = results.iter().filter(|result| result.is_err()).count();
        assert!((70..85).contains(&refused), "{refused}");
        assert!(Turnstile::new(0).enter().await.is_ok());
    }
}
