//! Maps out to files and back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod json;
mod maps;
mod markdown;
mod round_trip;
