//! What is in a room as long as somebody holds on to it.

use super::{RoomHandle, SessionId, handle::CallError, lanes::Control, state::RunShown};

/// A run's place in a room; dropping it hides the run.
#[derive(Debug)]
pub struct RunPlace {
    room: RoomHandle,
    job: Box<str>,
}

impl RunPlace {
    pub(super) fn new(room: RoomHandle, job: &str) -> Self {
        Self { room, job: job.into() }
    }

    /// The room.
    pub fn room(&self) -> &RoomHandle {
        &self.room
    }

    /// Shows how far the run is.
    pub async fn show(&self, run: RunShown) -> Result<(), CallError> {
        self.room.control(Control::ShowRun { run: Box::new(run) }).await
    }
}

impl Drop for RunPlace {
    fn drop(&mut self) {
        self.room.say_surely(Control::HideRun { job: self.job.clone() });
    }
}

/// A session's place in a room; dropping it leaves the room.
#[derive(Debug)]
pub struct Membership {
    room: RoomHandle,
    session: SessionId,
}

impl Membership {
    pub(super) fn new(room: RoomHandle, session: SessionId) -> Self {
        Self { room, session }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.room.say_surely(Control::Leave { session: self.session });
    }
}
