//! When versions are made by themselves, and how long they are kept. Decides only: what is said here is done elsewhere.

mod due;
mod retention;

pub use due::Schedule;
pub use retention::{Rule, superseded};
