//! How much of everything somebody may have: connections, joins, messages, bytes.

pub mod address;
pub mod answers;
pub mod budget;
mod clock;
pub mod connections;
pub mod counted;
pub mod keyed;
mod memory;
pub mod rate;
pub mod requests;
pub mod strain;
pub mod turnstile;
