//! The runtime's clock for the rate limiter, so that tests can steer it.

use std::{ops::Add, time::Duration};

use governor::{
    clock::{Clock, Reference},
    nanos::Nanos,
};
use tokio::time::Instant;

/// The time of the runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct RuntimeClock;

/// A moment of [`RuntimeClock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Moment {
    /// As the runtime's timers take it.
    pub fn instant(self) -> Instant {
        self.0
    }
}

impl Clock for RuntimeClock {
    type Instant = Moment;

    fn now(&self) -> Moment {
        Moment(Instant::now())
    }
}

impl Reference for Moment {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        let duration: Duration = duration.into();
        Self(self.0.checked_sub(duration).unwrap_or(self.0))
    }
}

impl Add<Nanos> for Moment {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        let duration: Duration = duration.into();
        Self(self.0 + duration)
    }
}
