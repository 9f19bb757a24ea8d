//! What the tests of this folder share.

mod bench;
mod client;

pub use bench::{Bench, Seen, map_edit, update_of};
pub use client::{Client, awareness, states_of};
