//! How a round ends.

use std::{fmt, ops::RangeInclusive, time::Duration};

use rand::{Rng as _, rngs::StdRng};

/// How long the load lasts.
const LOAD_MS: RangeInclusive<u64> = 50..=2000;

/// From the end of a burst, or of the last session, to the end of the server: within a commit, or a compaction.
const MOMENT_MS: RangeInclusive<u64> = 0..=60;

/// Within the time that a start takes.
const START_MS: RangeInclusive<u64> = 0..=250;

/// Within the time that a stop takes.
const STOP_MS: RangeInclusive<u64> = 0..=700;

/// What a round does to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// A start before the round's own is killed after so long.
    pub killed_start: Option<Duration>,
    /// How long clients write.
    pub load: Duration,
    /// And then.
    pub ending: Ending,
}

/// The end of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// SIGKILL under load.
    Kill,
    /// SIGKILL so long after everybody has written a lot at once.
    KillAfterBurst(Duration),
    /// SIGKILL so long after everybody has left: maps close, and are compacted.
    KillAfterLeaving(Duration),
    /// SIGTERM under load; it has to end well.
    Stop,
    /// SIGTERM under load, and SIGKILL so long after.
    StopThenKill(Duration),
}

impl Plan {
    /// One of all that are possible.
    pub fn draw(rng: &mut StdRng) -> Self {
        let mut within = |range: RangeInclusive<u64>| Duration::from_millis(rng.random_range(range));
        let (start, load, moment, stop) = (within(START_MS), within(LOAD_MS), within(MOMENT_MS), within(STOP_MS));
        let ending = match rng.random_range(0..100) {
            0..50 => Ending::Kill,
            50..65 => Ending::KillAfterBurst(moment),
            65..80 => Ending::KillAfterLeaving(moment),
            80..90 => Ending::Stop,
            _ => Ending::StopThenKill(stop),
        };
        Self { killed_start: rng.random_bool(0.12).then_some(start), load, ending }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(after) = self.killed_start {
            write!(f, "a start killed after {} ms; ", after.as_millis())?;
        }
        write!(f, "{} ms of load, then ", self.load.as_millis())?;
        match self.ending {
            Ending::Kill => f.write_str("SIGKILL"),
            Ending::KillAfterBurst(after) => write!(f, "a burst, and SIGKILL {} ms after it", after.as_millis()),
            Ending::KillAfterLeaving(after) => {
                write!(f, "everybody leaves, and SIGKILL {} ms after", after.as_millis())
            }
            Ending::Stop => f.write_str("SIGTERM"),
            Ending::StopThenKill(after) => write!(f, "SIGTERM, and SIGKILL {} ms after", after.as_millis()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_seed_names_a_plan_and_all_endings_are_drawn() {
        let draw = |seed| Plan::draw(&mut StdRng::seed_from_u64(seed));
        assert!((0..50).all(|seed| draw(seed) == draw(seed)));
        let endings: HashSet<_> = (0..200).map(|seed| std::mem::discriminant(&draw(seed).ending)).collect();
        assert_eq!(endings.len(), 5);
        assert!((0..200).any(|seed| draw(seed).killed_start.is_some()));
    }
}
