//! The client of the command line against a real server, through a proxy that behaves as proxies do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod played;
mod program;
mod refusals;
mod support;
mod transports;
