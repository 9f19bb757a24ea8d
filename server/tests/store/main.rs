//! The store's contract, told against `Arc<dyn Store>` so that every backend can be held to the same story, and what is
//! `SQLite`'s own: opening, damage, the log.

mod fixture;
mod story;
