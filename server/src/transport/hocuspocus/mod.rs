//! `GET /v1/hocuspocus`: the Hocuspocus protocol, many documents on one socket, for the unmodified provider.
//!
//! A document is a graph, and has a session of its own: its place in the room, its limits, its role. What the protocol adds
//! is here: which document a message is about ([`socket`]), its token ([`document`], [`entry`], [`term`]), and when the
//! provider is told that its edits are on disk ([`receipts`]).

mod document;
mod entry;
mod inbox;
mod link;
mod open;
mod receipts;
mod silence;
mod socket;
mod term;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::get,
};
use synapti_protocol::close::CloseCode;
use tokio::sync::OnceCell;

use super::{
    gate::Gate,
    socket::{Goodbye, Upgrade, Wire, close, message_bytes_max},
    visitor::{Visitor, ip_of},
};
use crate::{
    auth::{Access, Denied},
    http::{AppState, credentials, error::ApiError, origin::is_allowed},
    room::Refusal,
    telemetry::metrics,
};
use entry::Entry;
use link::Link;
use socket::Socket;

/// The routes of this transport.
pub fn routes(gate: Gate) -> Router<AppState> {
    Router::new().route("/v1/hocuspocus", get(connect)).layer(Extension(gate))
}

async fn connect(State(state): State<AppState>, Extension(gate): Extension<Gate>, request: Request) -> Response {
    let ip = ip_of(&request, &state.config.trusted_proxies);
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    let Ok((upgrade, response)) = Upgrade::begin(request) else {
        let message = "this address speaks Hocuspocus over WebSocket: connect with @hocuspocus/provider";
        return ApiError::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message).into_response();
    };
    let is_allowed = is_allowed(&headers, &uri, &state.config.auth.allowed_origins);
    let entry = Entry {
        shown: shown(&state, &headers, uri.query()).await,
        gate,
        auth: state.auth,
        clock: state.clock,
        ip,
        place: OnceCell::new(),
    };
    // Tracked, so that shutdown waits for sockets that are just being upgraded.
    let tracker = entry.gate.tracker().clone();
    tracker.spawn(arrive(entry, is_allowed, upgrade));
    response
}

/// What the request itself is good for. Documents may bring their own tokens.
async fn shown(state: &AppState, headers: &HeaderMap, query: Option<&str>) -> Result<Option<Access>, Denied> {
    if state.auth.is_open() {
        return Ok(Some(Access::open()));
    }
    match credentials::of_socket(headers, query)? {
        Some(shown) => state.auth.access(Some(shown.as_credential()), None).await.map(Some),
        None => Ok(None),
    }
}

async fn arrive(entry: Entry, is_allowed: bool, upgrade: Upgrade) {
    let Some((conn, read)) = upgrade.finish().await else { return };
    let limits = entry.gate.session_limits();
    let wire = Wire::new(conn, &read, message_bytes_max(&limits), entry.gate.large_messages());
    if let Err(refusal) = admit(&entry, is_allowed).await {
        return close(wire, Goodbye::from(refusal), None).await;
    }
    let socket = Box::new(Socket::new(Link::new(wire, Arc::new(entry))));
    metrics::get().websocket_connections.increment(1.0);
    socket.run().await;
    metrics::get().websocket_connections.decrement(1.0);
}

/// Who is known by the request for the socket takes a place at once; who is not, with their first good token.
async fn admit(entry: &Entry, is_allowed: bool) -> Result<(), Refusal> {
    if !is_allowed {
        let reason = "pages of this origin may not use this server (SYNAPTI_AUTH_ALLOWED_ORIGINS)";
        return Err(Refusal::new(CloseCode::Forbidden, reason));
    }
    if let Ok(Some(access)) = &entry.shown {
        let visitor = Visitor { ip: entry.ip, access: access.clone() };
        entry.place.get_or_try_init(|| entry.gate.admit(&visitor)).await?;
    }
    Ok(())
}
