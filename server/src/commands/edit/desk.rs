//! The map that is edited, and how long things may take.

use std::time::Duration;

use synapti_crdt::ApplyError;
use tokio::time::{Instant, sleep_until};

use super::operation::Operation;
use crate::{
    clock::Clock,
    commands::{Failure, notice, tell},
    ids,
    remote::{Event, Link, plain::plain},
};

/// A map that is edited.
pub(super) struct Desk {
    link: Link,
    clock: Clock,
    timeout: Duration,
    /// When the server has to have moved on.
    until: Instant,
    is_synced: bool,
    durable: u64,
    /// What went wrong last.
    trouble: String,
}

/// An edit that was made.
pub(super) struct Made {
    /// The node that it is about.
    pub id: Option<String>,
    /// Its number; `None` when it changed nothing.
    pub number: Option<u64>,
}

impl Desk {
    pub fn new(link: Link, clock: Clock, timeout: Duration) -> Self {
        let until = Instant::now() + timeout;
        let trouble = "the server has not answered".to_owned();
        Self { link, clock, timeout, until, is_synced: false, durable: 0, trouble }
    }

    /// Waits until the copy is whole.
    pub async fn sync(&mut self) -> Result<(), Failure> {
        while !self.is_synced {
            self.step().await?;
        }
        Ok(())
    }

    /// Makes an edit; nothing is sent before the next step.
    pub fn make(&mut self, mut operation: Operation) -> Result<Made, Failure> {
        let clock = &self.clock;
        let id = operation.node(|| ids::fresh(clock.now()).to_string()).map(str::to_owned);
        self.begin_waiting();
        let number = self.link.edit(&operation.into_edit()).map_err(|error| refused(&error))?;
        Ok(Made { id, number })
    }

    /// Takes an update in, if all of it joins on to the map; nothing is sent before the next step.
    pub fn apply(&mut self, update: &[u8]) -> Result<Made, Failure> {
        self.begin_waiting();
        let number = self.link.apply(update).map_err(|error| refused(&error))?;
        if self.link.replica().held_bytes() > 0 {
            let why =
                "the update builds on edits that this map does not have (is it of another map, or one of several?)";
            return Err(Failure::Refused(why.to_owned()));
        }
        Ok(Made { id: None, number })
    }

    /// Whether an edit is on the server's disk.
    pub fn is_durable(&self, made: &Made) -> bool {
        made.number.is_none_or(|number| number <= self.durable)
    }

    /// Waits until one more thing has happened. Cancel-safe.
    pub async fn step(&mut self) -> Result<(), Failure> {
        let is_waiting = !self.is_synced || self.link.pending() > 0;
        let event = tokio::select! {
            biased;
            event = self.link.next() => event,
            () = sleep_until(self.until), if is_waiting => return Err(self.too_late()),
        };
        if let Some(notice) = notice(&event).filter(|_| !matches!(event, Event::Connected(_))) {
            tell(&notice);
        }
        match event {
            Event::Connected(_) => "the server has not confirmed it".clone_into(&mut self.trouble),
            Event::Synced => {
                self.is_synced = true;
                self.moved_on();
            }
            Event::Durable(count) => {
                self.durable = count;
                self.moved_on();
            }
            // A large map comes in parts.
            Event::Update(_) if !self.is_synced => self.moved_on(),
            Event::Disconnected { reason, .. } | Event::Notice(reason) => self.trouble = reason,
            Event::Closed(closed) => return Err(Failure::Closed(closed)),
            Event::Update(_) | Event::Presence(_) => {}
        }
        Ok(())
    }

    pub async fn close(self) {
        self.link.close().await;
    }

    /// The time counts from the first edit that waits.
    fn begin_waiting(&mut self) {
        if self.link.pending() == 0 {
            self.moved_on();
        }
    }

    fn moved_on(&mut self) {
        self.until = Instant::now() + self.timeout;
    }

    fn too_late(&self) -> Failure {
        let (seconds, trouble) = (self.timeout.as_secs(), self.trouble.clone());
        match self.link.pending() {
            0 => Failure::NoContact { seconds, trouble },
            1 => Failure::NotSaved { seconds, trouble, edits: "The edit".to_owned() },
            more => Failure::NotSaved { seconds, trouble, edits: format!("{more} edits") },
        }
    }
}

fn refused(error: &ApplyError) -> Failure {
    Failure::Refused(plain(&error.to_string()))
}
