//! The server behind the `synapti` program.

pub mod cli;
pub mod clock;
pub mod config;
pub mod http;
pub mod ids;
pub mod store;
pub mod telemetry;
