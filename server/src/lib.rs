//! The server behind the `synapti` program.

pub mod app;
pub mod auth;
pub mod bus;
pub mod check;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod compaction;
pub mod config;
pub mod dial;
pub mod formats;
pub mod history;
pub mod http;
pub mod hub;
pub mod ids;
pub mod journal;
pub mod limits;
pub mod remote;
pub mod room;
pub mod session;
pub mod store;
pub mod telemetry;
pub mod transport;
