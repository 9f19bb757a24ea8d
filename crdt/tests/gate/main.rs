//! The gate and the replica behind it: honest edits in any order, and edits that no honest client sends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod at_key;
mod convergence;
mod hostile;
mod mutations;
mod nesting;
mod owned;
mod pairs;
#[path = "../common/sliced.rs"]
mod sliced;
mod support;
mod vectors;
mod waiting;
