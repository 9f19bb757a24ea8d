//! How much of everything somebody may have: connections, joins, messages, bytes.

pub mod connections;
