//! Access: tokens, keys and where they come from, without a server around them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod claims;
mod sources;
mod tokens;
mod vectors;
