//! Two rates that are gauges because their parts alone answer no question.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
};

use metrics::{Counter, Gauge};
use parking_lot::Mutex;

/// Renewals that a rate looks back over: a minute, at one renewal every five seconds.
const WINDOW_RENEWALS: usize = 12;

/// Share of look-ups that were answered.
pub(super) struct HitRate {
    hits: AtomicU64,
    lookups: AtomicU64,
    shown: Gauge,
    /// Hits and misses one by one.
    counters: [Counter; 2],
}

impl HitRate {
    pub(super) fn new(shown: Gauge, counters: [Counter; 2]) -> Self {
        shown.set(0.0);
        Self { hits: AtomicU64::new(0), lookups: AtomicU64::new(0), shown, counters }
    }

    pub(super) fn note(&self, hits: u64, misses: u64) {
        let new = hits + misses;
        self.counters[0].increment(hits);
        self.counters[1].increment(misses);
        let hits = self.hits.fetch_add(hits, Ordering::Relaxed) + hits;
        let lookups = self.lookups.fetch_add(new, Ordering::Relaxed) + new;
        // Two threads may interleave here; the next look-up sets it right.
        self.shown.set(share(hits.min(lookups), lookups));
    }
}

/// Share of requests that failed through our fault, over the last minute.
pub(super) struct ErrorRate {
    requests: AtomicU64,
    server_errors: AtomicU64,
    client_counter: Counter,
    server_counter: Counter,
    /// Totals at the last renewals, oldest first.
    window: Mutex<VecDeque<(u64, u64)>>,
    shown: Gauge,
}

impl ErrorRate {
    pub(super) fn new(shown: Gauge, client_counter: Counter, server_counter: Counter) -> Self {
        shown.set(0.0);
        let window = Mutex::new(VecDeque::from([(0, 0)]));
        let (requests, server_errors) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { requests, server_errors, client_counter, server_counter, window, shown }
    }

    pub(super) fn note(&self, status: u16) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match status {
            400..500 => self.client_counter.increment(1),
            500.. => {
                self.server_errors.fetch_add(1, Ordering::Relaxed);
                self.server_counter.increment(1);
            }
            _ => {}
        }
    }

    pub(super) fn renew(&self) {
        self.shown.set(self.advance());
    }

    fn advance(&self) -> f64 {
        let now = (self.requests.load(Ordering::Relaxed), self.server_errors.load(Ordering::Relaxed));
        let mut window = self.window.lock();
        window.push_back(now);
        if window.len() > WINDOW_RENEWALS + 1 {
            window.pop_front();
        }
        let (requests, errors) = window.front().copied().unwrap_or_default();
        share(now.1.saturating_sub(errors), now.0.saturating_sub(requests))
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_leave_the_rate_after_a_minute() {
        let rate = ErrorRate::new(Gauge::noop(), Counter::noop(), Counter::noop());
        rate.note(503);
        rate.note(200);
        rate.note(404);
        rate.note(200);
        for renewal in 0..WINDOW_RENEWALS {
            assert!((rate.advance() - 0.25).abs() < f64::EPSILON, "renewal {renewal}");
        }
        assert!(rate.advance().abs() < f64::EPSILON);
    }
}
