//! Circuit breakers: who has failed several times in a row is left alone for a while, so that nobody waits for what will not come.

mod registry;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
pub use registry::Breakers;
use tokio::time::Instant;

/// Characters that are kept of why the last call failed.
const WHY_CHARS_MAX: usize = 200;

/// When to come back while somebody else finds out whether things are better.
const PROBE_ENDS_ABOUT: Duration = Duration::from_secs(1);

/// Guards calls to one other program. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Breaker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    failures_max: u32,
    open_for: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// Set while it is open: until when nobody is let through.
    open_until: Option<Instant>,
    /// Whether one call is under way that finds out whether things are better.
    is_probing: bool,
    last_error: Option<String>,
    opened: u64,
    /// Counts openings, closings and resets: how a call went that began before the last of them says nothing about now.
    era: u64,
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Calls go through.
    Closed,
    /// None does.
    Open,
    /// One does, to find out.
    HalfOpen,
}

/// What there is to say of a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerReport {
    /// Its name, unique in the process.
    pub name: String,
    /// How it stands.
    pub position: Position,
    /// Failures in a row.
    pub failures: u32,
    /// Failures in a row that open it.
    pub failures_max: u32,
    /// While it is open: until it lets a call through.
    pub retry_after: Option<Duration>,
    /// Why the last call failed that did.
    pub last_error: Option<String>,
    /// How often it has opened since the start.
    pub opened: u64,
}

/// The breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it failed several times in a row and is left alone for {} s", retry_after.as_secs_f64().ceil())]
pub struct Open {
    /// Until it lets a call through.
    pub retry_after: Duration,
}

/// The right to one call. Dropped without a word, as when the caller gives up, it counts as neither.
#[must_use = "the breaker learns from how the call went"]
#[derive(Debug)]
pub struct Permit {
    breaker: Breaker,
    is_probe: bool,
    era: u64,
}

impl Breaker {
    /// One that opens after so many failures in a row, and lets one call through after so long.
    pub fn new(name: impl Into<String>, failures_max: u32, open_for: Duration) -> Self {
        Self(Arc::new(Inner { name: name.into(), failures_max, open_for, state: Mutex::default() }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Asks to make a call.
    ///
    /// # Errors
    /// [`Open`], at once.
    pub fn permit(&self) -> Result<Permit, Open> {
        let mut state = self.0.state.lock();
        let era = state.era;
        let permit = |is_probe| Permit { breaker: self.clone(), is_probe, era };
        let Some(open_until) = state.open_until else { return Ok(permit(false)) };
        let now = Instant::now();
        if now < open_until {
            return Err(Open { retry_after: open_until - now });
        }
        if std::mem::replace(&mut state.is_probing, true) {
            // Somebody finds out right now.
            return Err(Open { retry_after: PROBE_ENDS_ABOUT });
        }
        Ok(permit(true))
    }

    /// How it stands.
    pub fn report(&self) -> BreakerReport {
        let state = self.0.state.lock();
        let left = state.open_until.map(|until| until.saturating_duration_since(Instant::now()));
        let position = match left {
            None => Position::Closed,
            Some(left) if left.is_zero() => Position::HalfOpen,
            Some(_) => Position::Open,
        };
        BreakerReport {
            name: self.0.name.clone(),
            position,
            failures: state.failures,
            failures_max: self.0.failures_max,
            retry_after: left.filter(|left| !left.is_zero()),
            last_error: state.last_error.clone(),
            opened: state.opened,
        }
    }

    /// Closes it, whatever has happened. What is under way counts no more.
    pub fn reset(&self) {
        self.0.state.lock().close();
    }

    fn succeeded(&self, era: u64) {
        let mut state = self.0.state.lock();
        if state.era != era {
            return;
        }
        if state.open_until.is_some() {
            let last_error = state.last_error.take();
            state.close();
            state.last_error = last_error;
            tracing::info!(breaker = self.0.name, "it works again");
        }
        state.failures = 0;
    }

    fn failed(&self, era: u64, why: &str, is_probe: bool) {
        let mut state = self.0.state.lock();
        if state.era != era {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        state.last_error = Some(why.chars().take(WHY_CHARS_MAX).collect());
        if is_probe || state.failures >= self.0.failures_max {
            state.open(self.0.open_for);
            let (name, failures, seconds) = (&self.0.name, state.failures, self.0.open_for.as_secs());
            tracing::warn!(breaker = name, why, failures, seconds, "it keeps failing and is left alone for a while");
        }
    }
}

impl State {
    fn open(&mut self, open_for: Duration) {
        self.open_until = Some(Instant::now() + open_for);
        self.is_probing = false;
        self.opened += 1;
        self.era += 1;
    }

    fn close(&mut self) {
        *self = Self { opened: self.opened, era: self.era + 1, ..Self::default() };
    }
}

impl Permit {
    /// The call went well.
    pub fn succeed(mut self) {
        self.is_probe = false;
        self.breaker.succeeded(self.era);
    }

    /// The call failed through the other's fault. `why` holds no secret.
    pub fn fail(mut self, why: &str) {
        let is_probe = std::mem::take(&mut self.is_probe);
        self.breaker.failed(self.era, why, is_probe);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.is_probe {
            let mut state = self.breaker.0.state.lock();
            if state.era == self.era {
                state.is_probing = false;
            }
        }
    }
}
