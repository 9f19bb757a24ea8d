//! Which transport is tried next, and when. Decides from what it is told; asks no clock.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    gone::{Gone, Why},
    wire::Transport,
};

/// What somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The best that gets through.
    Auto,
    /// This one and no other.
    Only(Transport),
}

/// Best first.
const ORDER: [Transport; 3] = [Transport::Ws, Transport::Sse, Transport::Poll];

/// The first wait before connecting again.
const AGAIN_AFTER_MIN: Duration = Duration::from_millis(500);

/// The longest, if the server does not ask for more.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);

/// A connection that lasted so long was a good one.
const LASTED_MIN: Duration = Duration::from_secs(10);

/// Before a transport that did not get through is tried again, at first and at most.
const BETTER_AFTER: Duration = Duration::from_mins(1);
const BETTER_AFTER_MAX: Duration = Duration::from_mins(15);

/// Before an overloaded server is asked for a socket again, if it does not say when.
const OVERLOADED_FOR: Duration = Duration::from_secs(15);

/// Chooses transports.
#[derive(Debug)]
pub(super) struct Chooser {
    choice: Choice,
    /// How many connections in a row came to nothing.
    failures: u32,
    /// Where to begin in the order; transports before it did not get through.
    from: usize,
    /// When those may be tried again.
    better_at: Option<Instant>,
    better_after: Duration,
}

/// What to try, and after which wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub transport: Transport,
    pub wait: Duration,
}

impl Chooser {
    pub fn new(choice: Choice) -> Self {
        Self { choice, failures: 0, from: 0, better_at: None, better_after: BETTER_AFTER }
    }

    /// What to begin with.
    pub fn transport(&self) -> Transport {
        match self.choice {
            Choice::Auto => ORDER[self.from],
            Choice::Only(transport) => transport,
        }
    }

    /// Whether there is another transport to turn to: who has a choice need not wait long for one.
    pub fn has_choice(&self) -> bool {
        self.choice == Choice::Auto && self.from + 1 < ORDER.len()
    }

    /// Whether there is no other transport, whatever happens.
    pub fn is_fixed(&self) -> bool {
        self.choice != Choice::Auto
    }

    /// When to try for a better transport beside the one that works.
    pub fn better_at(&self) -> Option<Instant> {
        self.better_at.filter(|_| self.from > 0)
    }

    /// The better transport has come.
    pub fn better(&mut self) {
        (self.from, self.better_at, self.better_after) = (0, None, BETTER_AFTER);
    }

    /// The better transport did not get through again.
    pub fn no_better(&mut self, now: Instant) {
        self.better_after = (self.better_after * 2).min(BETTER_AFTER_MAX);
        self.better_at = Some(now + self.better_after);
    }

    /// A connection has ended that brought messages for so long, if any. `jitter` is between 0 and 1.
    pub fn after(&mut self, gone: &Gone, lasted: Option<Duration>, now: Instant, jitter: f64) -> Next {
        let is_auto = self.choice == Choice::Auto;
        match gone.why {
            Why::Overloaded if is_auto => {
                self.from = ORDER.len() - 1;
                self.better_at = Some(now + gone.retry_after.unwrap_or(OVERLOADED_FOR));
                return Next { transport: self.transport(), wait: Duration::ZERO };
            }
            Why::Unusable if self.has_choice() => {
                self.from += 1;
                self.better_at.get_or_insert(now + self.better_after);
                return Next { transport: self.transport(), wait: Duration::ZERO };
            }
            // None got through: from the start, after a wait.
            Why::Unusable if is_auto => (self.from, self.better_at) = (0, None),
            _ if lasted.is_some_and(|lasted| lasted >= LASTED_MIN) => self.failures = 0,
            _ => {}
        }
        let backing_off = AGAIN_AFTER_MIN.saturating_mul(1 << self.failures.min(8)).min(AGAIN_AFTER_MAX);
        self.failures += 1;
        // Many who lost one server do not come back in one moment.
        let wait = backing_off.mul_f64(0.5 + 0.5 * jitter).max(gone.retry_after.unwrap_or_default());
        Next { transport: self.transport(), wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(why: Why) -> Gone {
        Gone::new(why, "so it is")
    }

    #[tokio::test]
    async fn what_does_not_get_through_gives_way_at_once_to_the_next() {
        let (mut chooser, now) = (Chooser::new(Choice::Auto), Instant::now());
        assert_eq!(chooser.transport(), Transport::Ws);
        let unusable = gone(Why::Unusable);
        let mut next = || chooser.after(&unusable, None, now, 1.0);
        assert_eq!(next(), Next { transport: Transport::Sse, wait: Duration::ZERO });
        assert_eq!(next(), Next { transport: Transport::Poll, wait: Duration::ZERO });
        assert_eq!(next(), Next { transport: Transport::Ws, wait: AGAIN_AFTER_MIN });
        let mut only = Chooser::new(Choice::Only(Transport::Sse));
        assert_eq!(only.after(&unusable, None, now, 1.0), Next { transport: Transport::Sse, wait: AGAIN_AFTER_MIN });
        assert!(!only.has_choice());
    }

    #[tokio::test]
    async fn a_better_transport_is_tried_again_more_and_more_seldom() {
        let (mut chooser, now) = (Chooser::new(Choice::Auto), Instant::now());
        chooser.after(&gone(Why::Unusable), None, now, 1.0);
        assert_eq!(chooser.better_at(), Some(now + BETTER_AFTER));
        chooser.no_better(now);
        assert_eq!(chooser.better_at(), Some(now + 2 * BETTER_AFTER));
        chooser.better();
        assert_eq!((chooser.transport(), chooser.better_at()), (Transport::Ws, None));
        let overloaded = Gone { retry_after: Some(Duration::from_secs(3)), ..gone(Why::Overloaded) };
        let next = chooser.after(&overloaded, None, now, 1.0);
        assert_eq!(next, Next { transport: Transport::Poll, wait: Duration::ZERO });
        assert_eq!(chooser.better_at(), Some(now + Duration::from_secs(3)));
    }

    #[tokio::test]
    async fn waits_double_with_jitter_until_a_connection_lasts() {
        let (mut chooser, now) = (Chooser::new(Choice::Auto), Instant::now());
        let broken = gone(Why::Broken);
        let waits: Vec<Duration> = (0..8).map(|_| chooser.after(&broken, None, now, 1.0).wait).collect();
        assert_eq!(waits[..3], [AGAIN_AFTER_MIN, 2 * AGAIN_AFTER_MIN, 4 * AGAIN_AFTER_MIN]);
        assert_eq!(waits[7], AGAIN_AFTER_MAX);
        assert_eq!(chooser.after(&broken, Some(LASTED_MIN), now, 0.0).wait, AGAIN_AFTER_MIN / 2);
        let told = Gone { retry_after: Some(Duration::from_secs(20)), ..broken };
        assert_eq!(chooser.after(&told, None, now, 0.0).wait, Duration::from_secs(20));
    }
}
