//! Fresh ids.

use jiff::Timestamp;
use uuid::{NoContext, Uuid};

/// A UUID of version 7: sorts by the millisecond it was made in, the rest is random.
pub fn fresh(at: Timestamp) -> Uuid {
    let since_epoch = at.as_duration().max(jiff::SignedDuration::ZERO);
    let seconds = since_epoch.as_secs().unsigned_abs();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, since_epoch.subsec_nanos().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_carry_their_time() {
        let at: Timestamp = "2026-02-03T04:05:06.789Z".parse().unwrap();
        let id = fresh(at);
        assert_ne!(id, fresh(at));
        assert_eq!(id.get_version_num(), 7);
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds.cast_signed(), nanos), (at.as_second(), 789_000_000));
        assert!(id < fresh(at + jiff::SignedDuration::from_millis(1)));
    }

    #[test]
    fn a_clock_before_1970_still_makes_ids() {
        assert_eq!(fresh(Timestamp::MIN).get_version_num(), 7);
    }
}
