//! What a client is told.

use std::time::Duration;

use super::{people::Presence, wire::Transport};

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection brings messages.
    Connected(Transport),
    /// It has ended, and there will be another one.
    Disconnected {
        /// Why.
        reason: String,
        /// What comes next.
        next: Transport,
        /// After which time.
        wait: Duration,
    },
    /// The copy has everything that the server had when it was asked; comes on each connection.
    Synced,
    /// The copy has changed by exactly this update.
    Update(Vec<u8>),
    /// Somebody came or went.
    Presence(Presence),
    /// News about the connection, for people.
    Notice(String),
    /// The first so many edits of this client are on the server's disk.
    Durable(u64),
    /// It is over, and trying again is pointless. Stays the last event.
    Closed(Closed),
}

/// The end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// A close code or an HTTP status; 0 when the reason lies here.
    pub code: u16,
    /// For people.
    pub reason: String,
}
