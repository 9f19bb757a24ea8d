//! The server behind the `synapti` program.

pub mod store;
