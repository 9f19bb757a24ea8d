//! The store's contract, told against `Arc<dyn Store>` so that every backend can be held to the same story, and what is
//! each backend's own: opening, damage, the log, the server.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod concurrency;
mod crash;
mod damage;
mod filing;
mod fixture;
mod harm;
mod jobs;
mod model;
mod opening;
mod place;
mod postgres;
mod read_only;
mod story;
mod versions;
