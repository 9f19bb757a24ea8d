//! The one place that asks what time it is.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

/// Where a part of the program takes the time from. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Arc::new(now))
    }

    /// A clock that a test steers.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time, in UTC.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The machine's time, in UTC, in whole microseconds: stores keep no more, and what is read shall be what was written.
#[expect(clippy::disallowed_methods, reason = "everybody else takes the time from here")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_steers_its_clock() {
        let clock = Clock::from_fn(|| Timestamp::UNIX_EPOCH);
        assert_eq!(clock.clone().now(), Timestamp::UNIX_EPOCH);
        assert!(Clock::system().now() > Timestamp::UNIX_EPOCH);
    }
}
