//! Rooms and what is around them: the pure state, the journal, the hub, and real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod acks;
mod cluster;
mod compaction;
mod deletion;
mod edits;
mod hub;
mod journal;
mod limits;
mod owners;
mod presence;
mod reads;
mod room_failures;
mod sessions;
mod simulation;
mod slow_reader;
mod sockets;
mod store_down;
mod support;
mod versions;
