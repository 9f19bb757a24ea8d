//! Whether this node has more to do than it can: memory, commits, processors. While it has, clients that come are sent to
//! polling; those that are here stay.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::memory;
use crate::{
    journal::{Journal, JournalHealth},
    telemetry::metrics,
};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long something must be too much before it counts: a moment of it is nothing.
const OVER_FOR: Duration = Duration::from_secs(2);

/// How long everything must be well again.
const UNDER_FOR: Duration = Duration::from_secs(5);

/// How late the process's timers are when its processors are too busy, and when they are not any more.
const LATE_MS: Level = Level { high: 500.0, low: 100.0 };

/// How long commits take when the disk cannot keep up, and when it can again. A store that takes none is another matter:
/// open maps go on without it.
const COMMIT_MS: Level = Level { high: 300.0, low: 100.0 };

/// A commit that long ago says nothing of the one that is under way, if any ever ends.
const SAYS_NOTHING_AFTER: Duration = Duration::from_secs(15);

/// Share of the allowed memory.
const MEMORY: Level = Level { high: 1.0, low: 0.9 };

/// What of the machine's memory the process may hold if nobody says.
const MEMORY_SHARE: f64 = 0.8;

/// When something is too much, and when it is not any more.
#[derive(Clone, Copy, Debug)]
struct Level {
    high: f64,
    low: f64,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process holds more memory than it may.
    Memory,
    /// Commits take too long.
    Commits,
    /// Tasks wait too long for a processor.
    Processors,
}

impl Cause {
    const ALL: [Self; 3] = [Self::Memory, Self::Commits, Self::Processors];
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Commits => "slow commits",
            Self::Processors => "busy processors",
        })
    }
}

/// What the node suffers from, for everybody to see. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Strain(Arc<AtomicU8>);

impl Strain {
    /// What there is too much of at present, if anything.
    pub fn current(&self) -> Option<Cause> {
        let number = self.0.load(Ordering::Relaxed);
        Cause::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Looks until `stop`. `memory_bytes_max`: 0 = no limit, unset = by what there is.
    pub async fn watch(self, journal: Journal, memory_bytes_max: Option<usize>, stop: CancellationToken) {
        let memory_max = memory_bytes_max.map_or_else(
            || memory::available_bytes().map_or(0.0, |bytes| bytes as f64 * MEMORY_SHARE),
            |bytes| bytes as f64,
        );
        let mut commits = Commits { count: journal.commit_count(), at: Instant::now(), ms: 0.0 };
        let mut spans = [Span::new(MEMORY), Span::new(COMMIT_MS), Span::new(LATE_MS)];
        loop {
            let due = Instant::now() + LOOK_EVERY;
            if stop.run_until_cancelled(sleep(LOOK_EVERY)).await.is_none() {
                return;
            }
            let now = Instant::now();
            let held = memory::held_bytes().filter(|_| memory_max > 0.0).unwrap_or(0) as f64;
            let commit_ms = commits.note(journal.commit_count(), &journal.health(), now);
            let late_ms = (now - due).as_secs_f64() * 1000.0;
            let values = [held / memory_max.max(1.0), commit_ms, late_ms];
            self.tell(spans.iter_mut().zip(values).position(|(span, value)| span.note(value, now)));
        }
    }

    fn tell(&self, cause: Option<usize>) {
        let before = self.current();
        self.0.store(cause.map_or(0, |cause| cause as u8 + 1), Ordering::Relaxed);
        let after = self.current();
        metrics::get().overloaded.set(f64::from(u8::from(after.is_some())));
        match (before, after) {
            (None, Some(cause)) => tracing::warn!(%cause, "overloaded: new clients are sent to polling"),
            (Some(_), None) => tracing::info!("no longer overloaded"),
            _ => {}
        }
    }
}

/// How long commits take, also at a look between two of them.
#[derive(Debug)]
struct Commits {
    count: u64,
    /// When a look saw the last one, and how long that took.
    at: Instant,
    ms: f64,
}

impl Commits {
    fn note(&mut self, count: u64, health: &JournalHealth, now: Instant) -> f64 {
        if count != self.count {
            *self = Self { count, at: now, ms: health.last_commit_ms };
            return self.ms;
        }
        let is_committing = health.backlog_bytes > 0 && now - self.at < SAYS_NOTHING_AFTER;
        if is_committing { self.ms } else { 0.0 }
    }
}

/// One figure over time.
#[derive(Debug)]
struct Span {
    level: Level,
    is_over: bool,
    /// Since when the figure speaks against `is_over`.
    otherwise_since: Option<Instant>,
}

impl Span {
    fn new(level: Level) -> Self {
        Self { level, is_over: false, otherwise_since: None }
    }

    /// Notes the figure; says whether it is too much.
    fn note(&mut self, value: f64, now: Instant) -> bool {
        let (speaks_otherwise, within) =
            if self.is_over { (value < self.level.low, UNDER_FOR) } else { (value >= self.level.high, OVER_FOR) };
        if !speaks_otherwise {
            self.otherwise_since = None;
        } else if now - *self.otherwise_since.get_or_insert(now) >= within {
            self.is_over = !self.is_over;
            self.otherwise_since = None;
        }
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_a_while_to_count_and_longer_to_be_over() {
        let start = Instant::now();
        let mut span = Span::new(Level { high: 10.0, low: 5.0 });
        let mut at = |seconds: f64, value| span.note(value, start + Duration::from_secs_f64(seconds));
        assert!(!at(0.0, 20.0));
        assert!(!at(1.0, 1.0), "a moment");
        assert!(!at(2.0, 10.0) && !at(3.9, 10.0));
        assert!(at(4.0, 10.0));
        assert!(at(5.0, 6.0) && at(60.0, 6.0), "between the levels nothing changes");
        assert!(at(61.0, 1.0) && at(65.0, 1.0) && at(65.5, 7.0) && at(66.0, 1.0) && at(70.9, 1.0));
        assert!(!at(71.0, 1.0));
    }

    #[test]
    fn commits_that_take_longer_than_a_look_count_between_their_ends() {
        let start = Instant::now();
        let health = |backlog_bytes, last_commit_ms| JournalHealth {
            healthy: true,
            backlog_bytes,
            last_commit_ms,
            last_error: None,
        };
        let mut commits = Commits { count: 3, at: start, ms: 0.0 };
        let mut at =
            |ms, count, backlog| commits.note(count, &health(backlog, 700.0), start + Duration::from_millis(ms)) as u32;
        assert_eq!([at(250, 3, 9), at(500, 4, 9), at(750, 4, 9), at(1_000, 4, 0)], [0, 700, 700, 0]);
        assert_eq!([at(1_250, 5, 0), at(16_000, 5, 9), at(16_250, 5, 9)], [700, 700, 0], "the store takes none");
    }

    #[test]
    fn everybody_sees_what_it_is() {
        let strain = Strain::default();
        assert_eq!(strain.current(), None);
        for (number, cause) in Cause::ALL.into_iter().enumerate() {
            strain.tell(Some(number));
            assert_eq!(strain.clone().current(), Some(cause));
        }
        strain.tell(None);
        assert_eq!(strain.current(), None);
    }
}
