//! When a map's next automatic version is due.

use std::time::Duration;

/// Between two automatic versions when people come and go: a reload of the page is no reason for another one.
const PAUSE_MS: u64 = 60_000;

/// Watches one map. All times are milliseconds of one clock that never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    every: Duration,
    /// The first change that no version holds.
    changed_since_ms: Option<u64>,
    /// When the last automatic version was made.
    last_version_ms: Option<u64>,
}

impl Schedule {
    /// A map without changes that no version holds. `every` is how long people edit at most before there is a version of
    /// it; zero makes none at all. `last_version_ms` is when the last automatic one was made, if it is known.
    pub fn new(every: Duration, last_version_ms: Option<u64>) -> Self {
        Self { every, changed_since_ms: None, last_version_ms }
    }

    /// The map has changed.
    pub fn changed(&mut self, now_ms: u64) {
        self.changed_since_ms.get_or_insert(now_ms);
    }

    /// The state for a version has been taken. Changes count anew from here, also while it is still being written; if
    /// writing it fails, say [`changed`](Self::changed).
    pub fn taken(&mut self, now_ms: u64) {
        self.changed_since_ms = None;
        self.last_version_ms = Some(now_ms);
    }

    /// When the next version is due if nothing happens; `is_empty` says that nobody has the map open.
    pub fn due_at_ms(&self, is_empty: bool) -> Option<u64> {
        let changed_since_ms = self.changed_since_ms.filter(|_| !self.every.is_zero())?;
        let every_ms = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX);
        let while_edited = changed_since_ms.saturating_add(every_ms);
        if !is_empty {
            return Some(while_edited);
        }
        let pause_over = self.last_version_ms.map_or(0, |last| last.saturating_add(PAUSE_MS));
        Some(while_edited.min(pause_over.max(changed_since_ms)))
    }

    /// Whether a version is due.
    pub fn is_due(&self, now_ms: u64, is_empty: bool) -> bool {
        self.due_at_ms(is_empty).is_some_and(|due_at_ms| due_at_ms <= now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const EVERY: Duration = Duration::from_mins(10);

    fn changed_at(now_ms: u64, last_version_ms: Option<u64>) -> Schedule {
        let mut schedule = Schedule::new(EVERY, last_version_ms);
        schedule.changed(now_ms);
        schedule
    }

    #[test]
    fn nothing_is_due_without_a_change() {
        let schedule = Schedule::new(EVERY, None);
        assert!(!schedule.is_due(u64::MAX, false) && !schedule.is_due(u64::MAX, true));
        assert_eq!(schedule.due_at_ms(true), None);
    }

    #[test]
    fn while_people_edit_the_first_change_counts() {
        let mut schedule = changed_at(MINUTE, None);
        schedule.changed(10 * MINUTE);
        assert!(!schedule.is_due(11 * MINUTE - 1, false));
        assert!(schedule.is_due(11 * MINUTE, false));
        schedule.taken(11 * MINUTE);
        assert!(!schedule.is_due(60 * MINUTE, false));
        schedule.changed(12 * MINUTE);
        assert_eq!(schedule.due_at_ms(false), Some(22 * MINUTE));
    }

    #[test]
    fn when_the_last_one_leaves_it_is_due_at_once() {
        assert!(changed_at(5, None).is_due(5, true));
        assert!(changed_at(5 * MINUTE, Some(MINUTE)).is_due(5 * MINUTE, true));
    }

    #[test]
    fn who_comes_and_goes_waits_for_the_minute_to_end() {
        let schedule = changed_at(MINUTE + 10, Some(MINUTE));
        assert!(!schedule.is_due(2 * MINUTE - 1, true));
        assert!(schedule.is_due(2 * MINUTE, true));
        assert_eq!(schedule.due_at_ms(true), Some(2 * MINUTE));
    }

    #[test]
    fn a_shorter_interval_than_the_pause_counts() {
        let mut schedule = Schedule::new(Duration::from_secs(1), Some(MINUTE));
        schedule.changed(MINUTE);
        assert!(schedule.is_due(MINUTE + 1_000, true) && schedule.is_due(MINUTE + 1_000, false));
    }

    #[test]
    fn an_interval_of_zero_turns_it_off() {
        let mut schedule = Schedule::new(Duration::ZERO, None);
        schedule.changed(0);
        assert!(!schedule.is_due(u64::MAX, false) && !schedule.is_due(u64::MAX, true));
    }
}
