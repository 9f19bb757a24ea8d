//! An older state comes back exactly, as an edit like any other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod authors;
mod hostile;
mod random;
mod recorded;
mod show;
mod support;
mod values;
