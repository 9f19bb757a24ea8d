//! `GET /v1/ws/{graph_id}`: the y-websocket protocol.
//!
//! One task per socket reads, writes and waits for the room. A socket that can take bytes is sent what stands between
//! its cursor and the head, some frames in each flush; while it cannot, nothing gathers for it here.

mod expiry;
mod place;
mod socket;

use std::time::Duration;

use axum::{
    Extension, Router,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use synapti_protocol::graph_id::GraphId;
use tokio::time::timeout;

use super::{
    gate::{Admitted, Gate},
    socket::{Goodbye, Upgrade, Wire, close, message_bytes_max},
    visitor::ip_of,
};
use crate::{
    auth::rights::Action,
    clock::Clock,
    http::{AppState, error::ApiError},
    room::{Entrant, Principal, Refusal, SessionId},
    session::{Session, SessionLimits, Telling, refusal, refused},
    telemetry::metrics,
};
pub(super) use expiry::Expiry;
use place::Place;
pub(super) use socket::RECONNECT_AFTER_MS;
use socket::Socket;

/// How long the last edits of a client that has gone may wait for their room.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(10);

/// The routes of this transport.
pub fn routes(gate: Gate) -> Router<AppState> {
    // Anything may stand where the id should, so that a wrong one is answered with a reason and not with "no route".
    Router::new()
        .route("/v1/ws/{*graph_id}", get(connect))
        .route("/v1/ws/", get(connect))
        .route("/v1/ws", get(connect))
        .layer(Extension(gate))
}

async fn connect(
    State(state): State<AppState>,
    Extension(gate): Extension<Gate>,
    id: Option<Path<String>>,
    request: Request,
) -> Response {
    let id = id.map_or_else(String::new, |Path(id)| id);
    let id = GraphId::try_from(id.as_str()).map_err(|error| error.to_string());
    let ip = ip_of(&request, &state.config.trusted_proxies);
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    let (upgrade, response) = match (Upgrade::begin(request), &id) {
        (Ok(begun), _) => begun,
        (Err(_), Err(reason)) => {
            return ApiError::new(StatusCode::BAD_REQUEST, "invalid_graph_id", reason.clone()).into_response();
        }
        (Err(_), Ok(_)) => {
            let message = "this address speaks WebSocket: connect with a WebSocket client";
            return ApiError::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message).into_response();
        }
    };
    // Only now that there is a handshake: a ticket is good for one.
    let place = Place::of(&state, ip, &headers, &uri, &id).await;
    // Tracked, so that shutdown waits for sockets that are just being upgraded.
    gate.tracker().spawn(arrive(gate.clone(), place, state.clock.clone(), upgrade));
    response
}

/// Lets the client in. The session gets a task of its own, which is as small as a session and lives as long.
async fn arrive(gate: Gate, place: Result<Place, Refusal>, clock: Clock, upgrade: Upgrade) {
    let is_extended = upgrade.is_extended;
    let Some((conn, read)) = upgrade.finish().await else { return };
    let limits = gate.session_limits();
    let wire = Wire::new(conn, &read, message_bytes_max(&limits), gate.large_messages());
    let expires_at = place.as_ref().ok().and_then(|place| place.visitor.access.expires_at());
    match admit(&gate, place, limits, is_extended).await {
        Ok((session, permit)) => {
            let lasts = expires_at.map(|end| end.duration_since(clock.now()).try_into().unwrap_or_default());
            let socket = Box::new(Socket::new(wire, session, Expiry::within(lasts), gate.clone()));
            gate.tracker().spawn(serve(socket, permit));
        }
        Err(refusal) => {
            let last_word = is_extended.then(|| refused(refusal.code.code(), &refusal.reason));
            close(wire, Goodbye::from(refusal), last_word).await;
        }
    }
}

async fn serve(mut socket: Box<Socket>, _permit: Admitted) {
    metrics::get().websocket_connections.increment(1.0);
    let goodbye = socket.run().await;
    metrics::get().websocket_connections.decrement(1.0);
    Box::pin(leave(socket, goodbye)).await;
}

async fn leave(socket: Box<Socket>, goodbye: Goodbye) {
    let Socket { wire, mut session, .. } = *socket;
    // What the client sent last may still wait for a place in the lane.
    if timeout(HANDED_OVER_WITHIN, session.finish_work()).await.is_err() {
        tracing::warn!("the last edit of a client that has gone found no place in time; it was not acknowledged");
    }
    let last_word = match &goodbye {
        Goodbye::Close { code, reason, .. } if session.is_extended() => Some(refused(*code, reason)),
        _ => None,
    };
    // The room learns first that the client has gone: a goodbye may take a while.
    drop(session);
    close(wire, goodbye, last_word).await;
}

async fn admit(
    gate: &Gate,
    place: Result<Place, Refusal>,
    limits: SessionLimits,
    is_extended: bool,
) -> Result<(Session, Admitted), Refusal> {
    let Place { graph, role, visitor } = place?;
    let permit = gate.admit(&visitor).await?;
    let session = SessionId(gate.next_session());
    let may_create = visitor.access.may(Action::Create, &graph);
    let may_edit = visitor.access.may(Action::Edit, &graph);
    let by = Entrant::of(Principal(visitor.access.principal())).who_may_edit(may_edit);
    let entrant = Entrant { is_told: is_extended, ..by };
    let joined = gate.hub().join(&graph, session, entrant, may_create).await;
    let (room, joined) = joined.map_err(|error| refusal(&error))?;
    permit.attach(&joined.slot);
    let telling = if is_extended { Telling::Extension } else { Telling::Nothing };
    Ok((Session::new(session, room, joined, limits, role, telling), permit))
}
