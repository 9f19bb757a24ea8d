//! From sockets to sessions.

pub mod accept;
pub mod conn;
mod connection;
pub mod cursor;
pub mod deferred;
pub mod gate;
pub mod hocuspocus;
mod parked;
pub mod poll;
mod read_body;
mod refused;
mod socket;
pub mod sse;
pub mod visitor;
pub mod ws;

use axum::Router;

pub use refused::to_api_error;

use crate::http::AppState;
use gate::Gate;

/// The routes of all transports.
pub fn routes(gate: Gate) -> Router<AppState> {
    ws::routes(gate.clone()).merge(hocuspocus::routes(gate)).merge(poll::routes()).merge(sse::routes())
}
