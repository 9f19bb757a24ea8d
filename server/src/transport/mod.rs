//! From sockets to sessions.

pub mod accept;
pub mod conn;
pub mod cursor;
pub mod gate;
pub mod poll;
mod refused;
pub mod sse;
pub mod visitor;
pub mod ws;

use axum::Router;

pub use refused::to_api_error;

use crate::http::AppState;
use gate::Gate;

/// The routes of all transports.
pub fn routes(gate: Gate) -> Router<AppState> {
    ws::routes(gate).merge(poll::routes()).merge(sse::routes())
}
