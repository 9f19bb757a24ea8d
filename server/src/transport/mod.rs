//! From sockets to sessions.

pub mod accept;
pub mod conn;
pub mod gate;
pub mod hocuspocus;
mod socket;
pub mod visitor;
pub mod ws;
