//! What all transports over WebSocket have in common: frames on a connection, signs of life, and the goodbye.

mod farewell;
mod incoming;
mod life;
mod outgoing;
mod upgrade;
mod wire;

pub(super) use farewell::{Goodbye, close, reading_failed};
pub use incoming::LargeMessages;
pub(super) use life::Life;
pub(super) use upgrade::{Upgrade, is_extended};
pub(super) use wire::{Wire, message_bytes_max};
