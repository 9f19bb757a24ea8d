//! The HTTP API as a client sees it, on a real store in a temporary folder.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod admin;
mod app;
mod conditional;
mod description;
mod edges;
mod envelope;
mod formats;
mod fuzz;
mod graphs;
mod hostile;
mod nodes;
mod operations;
mod patience;
mod validation;
