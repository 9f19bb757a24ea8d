//! Which versions of a map are kept, and which make room.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::store::{VersionId, VersionKind, VersionRecord};

const HOUR_SECONDS: i64 = 3600;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;

/// How long one version of each hour is kept; after that, one of each day.
const HOURLY_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long versions without a name are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// So long all are kept; then the newest of each hour for seven days, then the newest of each day.
    pub keep_all_for: Duration,
    /// After that they go.
    pub keep_for: Duration,
    /// How many of one map there may be in all; the oldest go first.
    pub automatic_max: usize,
    /// How large they may be together, in bytes; the oldest go first.
    pub automatic_bytes_max: u64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            keep_all_for: Duration::from_secs(DAY_SECONDS as u64),
            keep_for: Duration::from_secs(90 * DAY_SECONDS as u64),
            automatic_max: 200,
            automatic_bytes_max: 256 << 20,
        }
    }
}

/// The versions of a map that are to be removed, given all of them, newest first.
///
/// Named ones stay. Of the others, automatic ones and those from before a restoring alike, the newest stays whatever the
/// rule says. Hours and days are those of UTC, so that what is kept does not depend on when this is asked.
pub fn superseded(versions: &[VersionRecord], now: Timestamp, rule: &Rule) -> Vec<VersionId> {
    let mut periods = BTreeSet::new();
    let (mut kept, mut kept_bytes) = (0, 0);
    let unnamed = versions.iter().filter(|record| record.version.kind != VersionKind::Named);
    let gone = unnamed.enumerate().filter(|(number, record)| {
        let at = record.version.at;
        // Both are noted in any case: one that is kept for another reason is the newest of its hour all the same.
        let is_first_of_hour = periods.insert((HOUR_SECONDS, at.as_second().div_euclid(HOUR_SECONDS)));
        let is_first_of_day = periods.insert((DAY_SECONDS, at.as_second().div_euclid(DAY_SECONDS)));
        let is_wanted = match now.duration_since(at) {
            age if age <= signed(rule.keep_all_for) => true,
            age if age > signed(rule.keep_for) => false,
            age if age <= HOURLY_FOR => is_first_of_hour,
            _ => is_first_of_day,
        };
        let is_within = kept < rule.automatic_max && kept_bytes + record.bytes <= rule.automatic_bytes_max;
        let stays = *number == 0 || (is_wanted && is_within);
        if stays {
            kept += 1;
            kept_bytes += record.bytes;
        }
        !stays
    });
    gone.map(|(_, record)| record.id).collect()
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::store::{NewVersion, RecordId};

    const NOW: i64 = 1_800_000_000;

    fn at(seconds_ago: i64) -> Timestamp {
        Timestamp::from_second(NOW - seconds_ago).unwrap()
    }

    /// Versions from their kinds and ages, newest first.
    fn versions(kinds_and_ages: &[(VersionKind, i64)]) -> Vec<VersionRecord> {
        let count = kinds_and_ages.len() as i64;
        let record = |(number, &(kind, seconds_ago)): (usize, &(VersionKind, i64))| VersionRecord {
            id: VersionId(count - number as i64),
            version: NewVersion { kind, name: None, author: None, at: at(seconds_ago) },
            covers: RecordId(0),
            bytes: 1,
        };
        kinds_and_ages.iter().enumerate().map(record).collect()
    }

    fn automatic(ages: impl IntoIterator<Item = i64>) -> Vec<VersionRecord> {
        versions(&ages.into_iter().map(|age| (VersionKind::Automatic, age)).collect::<Vec<_>>())
    }

    /// The ages in seconds of those that are left.
    fn left(versions: &[VersionRecord], rule: &Rule) -> Vec<i64> {
        let gone = superseded(versions, at(0), rule);
        let stays = versions.iter().filter(|record| !gone.contains(&record.id));
        stays.map(|record| NOW - record.version.at.as_second()).collect()
    }

    #[test]
    fn all_of_the_last_day_stay() {
        let every_ten_minutes = automatic((0..=144).map(|number| number * 600));
        assert_eq!(superseded(&every_ten_minutes, at(0), &Rule::default()), []);
    }

    #[test]
    fn then_the_newest_of_each_hour_and_of_each_day() {
        let rule = Rule { automatic_max: 10_000, ..Rule::default() };
        let every_ten_minutes = automatic((0..100 * 144).map(|number| number * 600));
        let left = left(&every_ten_minutes, &rule);
        let in_zone = |from: i64, to: i64| left.iter().filter(|&&age| age > from && age <= to).count();
        assert_eq!(in_zone(-1, DAY_SECONDS), 145);
        assert_eq!(in_zone(DAY_SECONDS, 7 * DAY_SECONDS), 6 * 24);
        assert_eq!(in_zone(7 * DAY_SECONDS, 90 * DAY_SECONDS), 83);
        assert_eq!(in_zone(90 * DAY_SECONDS, i64::MAX), 0);
        // The last ten minutes of an hour, of a day.
        let is_late = |age: &i64, period: i64| (NOW - age).rem_euclid(period) == period - 600;
        assert!(left.iter().filter(|&&age| age > DAY_SECONDS).all(|age| is_late(age, HOUR_SECONDS)));
        assert!(left.iter().filter(|&&age| age > 7 * DAY_SECONDS).all(|age| is_late(age, DAY_SECONDS)));
    }

    #[test]
    fn named_ones_stay_and_do_not_count() {
        use VersionKind::{Automatic, BeforeRestore, Named};
        let old = 1000 * DAY_SECONDS;
        let mixed =
            versions(&[(Named, 0), (Automatic, 5), (Named, 6), (BeforeRestore, 7), (Automatic, 8), (Named, old)]);
        let rule = Rule { automatic_max: 2, ..Rule::default() };
        assert_eq!(left(&mixed, &rule), [0, 5, 6, 7, old]);
    }

    #[test]
    fn the_newest_stays_whatever_the_rule_says() {
        let rule =
            Rule { keep_all_for: Duration::ZERO, keep_for: Duration::ZERO, automatic_max: 0, automatic_bytes_max: 0 };
        let old = 1000 * DAY_SECONDS;
        assert_eq!(left(&automatic([old, old + 1]), &rule), [old]);
        assert_eq!(left(&automatic([old, old + 1]), &Rule::default()), [old]);
    }

    #[test]
    fn large_ones_leave_less_room() {
        let mut large = automatic(0..10);
        for record in &mut large {
            record.bytes = 100 << 20;
        }
        assert_eq!(left(&large, &Rule::default()), [0, 1], "256 MiB hold two of 100");
    }

    fn any_versions() -> impl Strategy<Value = Vec<VersionRecord>> {
        let kind = select(vec![VersionKind::Named, VersionKind::Automatic, VersionKind::BeforeRestore]);
        // Some are from a clock that is ahead, many close to each other.
        let age = prop_oneof![-100i64..8 * DAY_SECONDS, -100i64..120 * DAY_SECONDS, 0i64..2 * HOUR_SECONDS];
        vec((kind, age), 0..150).prop_map(|mut list| {
            list.sort_unstable_by_key(|&(_, age)| age);
            versions(&list)
        })
    }

    fn any_rule() -> impl Strategy<Value = Rule> {
        let days = |days: u64| Duration::from_secs(days * DAY_SECONDS as u64);
        (0u64..10, 0u64..100, 0usize..40, 1u64..60).prop_map(move |(all, long, automatic_max, bytes_max)| Rule {
            keep_all_for: days(all),
            keep_for: days(long),
            automatic_max,
            automatic_bytes_max: bytes_max,
        })
    }

    proptest! {
        #[test]
        fn what_is_left_is_left_alone(versions in any_versions(), rule in any_rule()) {
            let gone = superseded(&versions, at(0), &rule);
            let left: Vec<_> = versions.iter().filter(|record| !gone.contains(&record.id)).cloned().collect();
            prop_assert_eq!(superseded(&left, at(0), &rule), []);

            let is_named = |record: &&VersionRecord| record.version.kind == VersionKind::Named;
            prop_assert_eq!(left.iter().filter(is_named).count(), versions.iter().filter(is_named).count());
            let unnamed: Vec<_> = left.iter().filter(|record| !is_named(record)).collect();
            prop_assert!(unnamed.len() <= rule.automatic_max.max(1));
            prop_assert_eq!(unnamed.first().copied(), versions.iter().find(|record| !is_named(record)));
            // Those of the last days go only where there are too many.
            let young = versions.iter().filter(|record| !is_named(record));
            let young = young.filter(|record| at(0).duration_since(record.version.at) <= signed(rule.keep_all_for));
            let expected: Vec<_> = young.take(rule.automatic_max.min(rule.automatic_bytes_max as usize)).collect();
            prop_assert_eq!(&unnamed[..expected.len()], &expected[..]);
        }
    }
}
