//! A connection that a client uses: what it was given, and what has come of it.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use super::{
    gone::{Gone, Why},
    wire::{Heard, Wire},
};

/// A connection in use.
#[derive(Debug)]
pub(super) struct Line {
    pub wire: Wire,
    /// Since when it brings messages.
    pub connected_at: Option<Instant>,
    /// Whether everything has come that the server had.
    pub is_synced: bool,
    /// Whether the server has said what it has; edits wait for that.
    pub is_greeted: bool,
    /// When the server said that it wants us back.
    pub retry_after: Option<Duration>,
    /// The server's longer words about why it ends the connection.
    pub last_words: Option<String>,
    /// Edits that it was given.
    sent: u64,
    /// Messages that wait for room in its queue. The client bounds them: each is an edit that is not durable.
    unsent: VecDeque<Bytes>,
}

/// What comes next on a connection.
#[derive(Debug)]
pub(super) enum Step {
    /// It has something to say.
    Heard(Heard),
    /// The better one does.
    HeardOfBetter(Heard),
    /// It is time to try for a better one.
    TryBetter,
    /// Everybody has been mentioned who is still here.
    Unheard,
}

impl Line {
    pub const fn new(wire: Wire) -> Self {
        Self {
            wire,
            connected_at: None,
            is_synced: false,
            is_greeted: false,
            retry_after: None,
            last_words: None,
            sent: 0,
            unsent: VecDeque::new(),
        }
    }

    /// Sends an edit as soon as there is room; answers how many that makes.
    pub fn send(&mut self, message: Bytes) -> u64 {
        self.unsent.push_back(message);
        self.sent += 1;
        self.sent
    }

    /// Sends what waits until something happens. Cancel-safe.
    pub async fn step(
        &mut self,
        better: &mut Option<Wire>,
        better_at: Option<Instant>,
        unheard_until: Option<Instant>,
    ) -> Step {
        loop {
            tokio::select! {
                heard = self.wire.news.recv() => return Step::Heard(or_gone(heard)),
                permit = self.wire.outbox.reserve(), if !self.unsent.is_empty() => {
                    match (permit, self.unsent.pop_front()) {
                        (Ok(permit), Some(message)) => permit.send(message),
                        // The task has ended; why is told in the other queue.
                        _ => self.unsent.clear(),
                    }
                }
                heard = heard_on(better) => return Step::HeardOfBetter(or_gone(heard)),
                () = at(better_at) => return Step::TryBetter,
                () = at(unheard_until) => return Step::Unheard,
            }
        }
    }
}

fn or_gone(heard: Option<Heard>) -> Heard {
    heard.unwrap_or_else(|| Heard::Gone(Gone::new(Why::Broken, "the connection ended")))
}

async fn heard_on(wire: &mut Option<Wire>) -> Option<Heard> {
    match wire {
        Some(wire) => wire.news.recv().await,
        None => std::future::pending().await,
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
