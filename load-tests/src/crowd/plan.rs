//! Who does what, and when.

use std::time::Duration;

use tokio::time::Instant;

/// A crowd: rooms with viewers and editors in each, and edits at an even rate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Rooms.
    pub rooms: u32,
    /// Clients in each room that only look.
    pub viewers: u32,
    /// How many of these, the last ones, read nothing while it is measured.
    pub stopped: u32,
    /// Clients in each room that also edit, in turns.
    pub editors: u32,
    /// Edits in a second in each room.
    pub rate: u32,
    /// How long the room is edited before anything counts.
    pub warmup: Duration,
    /// How long it is edited while it counts.
    pub measured: Duration,
    /// Whether every client announces itself.
    pub presence: bool,
    /// Bytes that each edit has at least.
    pub edit_bytes: u32,
}

/// Edits of every room, by their numbers within the room, from a moment on.
#[derive(Debug, Clone, Copy)]
pub struct Phase {
    /// The first of them.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// When the first one of the first room is due.
    pub begin: Instant,
}

impl Plan {
    /// Clients in each room.
    pub fn members(&self) -> u32 {
        self.viewers + self.editors
    }

    /// Edits of each room before anything counts. At least one, which shows that everybody is there.
    pub fn warmup_edits(&self) -> u32 {
        edits_in(self.warmup, self.rate).max(1)
    }

    /// Edits of each room that count.
    pub fn measured_edits(&self) -> u32 {
        edits_in(self.measured, self.rate).max(1)
    }

    /// All edits of a room.
    pub fn edits(&self) -> u32 {
        self.warmup_edits() + self.measured_edits()
    }

    /// Whether a client of a room is one of those that stop reading.
    pub fn stops(&self, member: u32) -> bool {
        member + self.stopped >= self.members()
    }

    /// Who makes an edit: the editors take turns.
    pub fn editor_of(&self, edit: u32) -> u32 {
        edit % self.editors
    }

    /// Deliveries that must happen when each room has so many edits more: to everybody who reads, but the author.
    pub fn required(&self, edits: u32) -> u64 {
        u64::from(self.rooms) * u64::from(edits) * u64::from(self.members() - self.stopped - 1)
    }

    /// Deliveries that must happen later, when the others read again.
    pub fn required_later(&self, edits: u32) -> u64 {
        u64::from(self.rooms) * u64::from(edits) * u64::from(self.stopped)
    }

    /// When an edit is due. The rooms are out of step, so that they do not all send at once.
    pub fn due(&self, phase: Phase, room: u32, edit: u32) -> Instant {
        let between = 1e9 / f64::from(self.rate);
        let turns = f64::from(edit - phase.first) + f64::from(room) / f64::from(self.rooms);
        phase.begin + Duration::from_nanos((between * turns) as u64)
    }
}

fn edits_in(time: Duration, rate: u32) -> u32 {
    (time.as_secs_f64() * f64::from(rate)).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_due_at_an_even_rate_and_rooms_are_out_of_step() {
        let (warmup, measured) = (Duration::from_secs(1), Duration::from_secs(2));
        let plan = Plan {
            rooms: 2,
            viewers: 3,
            stopped: 1,
            editors: 2,
            rate: 4,
            warmup,
            measured,
            presence: false,
            edit_bytes: 0,
        };
        assert_eq!((plan.warmup_edits(), plan.measured_edits(), plan.edits()), (4, 8, 12));
        assert_eq!(plan.required(10), 2 * 10 * 3, "both rooms, and everybody who reads but the author");
        assert_eq!(plan.required_later(10), 2 * 10);
        assert_eq!((0..5).filter(|&member| plan.stops(member)).collect::<Vec<_>>(), [4]);
        let phase = Phase { first: 4, count: 8, begin: Instant::now() };
        let due = |room, edit| (plan.due(phase, room, edit) - phase.begin).as_millis();
        assert_eq!([due(0, 4), due(0, 5), due(0, 11)], [0, 250, 1750]);
        assert_eq!([due(1, 4), due(1, 5)], [125, 375]);
    }
}
