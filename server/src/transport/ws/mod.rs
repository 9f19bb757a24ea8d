//! `GET /v1/ws/{graph_id}`: the y-websocket protocol.
//!
//! One task per socket reads, writes and waits for the room. A socket that can take bytes is sent what stands between
//! its cursor and the head, some frames in each flush; while it cannot, nothing gathers for it here.

mod socket;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{
        Path, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
    routing::get,
};
use synapti_protocol::{close::CloseCode, graph_id::GraphId};
use tokio::time::timeout;

use super::{
    conn::Traffic,
    gate::{Admitted, Gate},
};
use crate::{
    http::{AppState, error::ApiError, origin::is_allowed},
    room::{Refusal, SessionId},
    session::{Session, SessionLimits, refusal},
    telemetry::metrics,
};
use socket::{Goodbye, Socket};

/// Bytes that a socket reads at once, and what an idle one holds for reading.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// Bytes gathered before they are written to the socket; a flush writes what there is.
const WRITE_BUFFER_BYTES: usize = 16 << 10;

/// What a message adds to the update in it: frame, type and length.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// How long the last edits of a client that has gone may wait for their room.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(10);

/// The subprotocol that y-websocket clients may ask for.
const SUBPROTOCOL: &str = "y-sync";

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
    Extension(traffic): Extension<Arc<Traffic>>,
    id: Option<Path<String>>,
    headers: HeaderMap,
    uri: Uri,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let id = id.map_or_else(String::new, |Path(id)| id);
    let id = GraphId::try_from(id.as_str()).map_err(|error| error.to_string());
    let socket = match (socket, &id) {
        (Ok(socket), _) => socket.protocols([SUBPROTOCOL]),
        (Err(_), Err(reason)) => {
            return ApiError::new(StatusCode::BAD_REQUEST, "invalid_graph_id", reason.clone()).into_response();
        }
        (Err(_), Ok(_)) => {
            let message = "this address speaks WebSocket: connect with a WebSocket client";
            return ApiError::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", message).into_response();
        }
    };
    let place = if is_allowed(&headers, &uri, &state.config.auth.allowed_origins) {
        id.map_err(|reason| Refusal::new(CloseCode::Malformed, reason))
    } else {
        let reason = "pages of this origin may not use this server (SYNAPTI_AUTH_ALLOWED_ORIGINS)";
        Err(Refusal::new(CloseCode::Forbidden, reason))
    };
    upgrade(gate, place, socket, traffic)
}

/// Answers the upgrade. A refusal is a close code after it, because a browser sees nothing else.
fn upgrade(gate: Gate, id: Result<GraphId, Refusal>, upgrade: WebSocketUpgrade, traffic: Arc<Traffic>) -> Response {
    let limits = gate.session_limits();
    let message_max = match limits.message_bytes_max.max(limits.sync_bytes_max) {
        _ if limits.message_bytes_max == 0 || limits.sync_bytes_max == 0 => usize::MAX,
        max => max + MESSAGE_OVERHEAD_BYTES,
    };
    // Counted from here, so that shutdown waits for sockets that are just being upgraded.
    let token = gate.tracker().token();
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_frame_size(message_max)
        .max_message_size(message_max)
        .on_upgrade(async move |socket| {
            serve(gate, id, Socket::new(socket, traffic), limits).await;
            drop(token);
        })
}

async fn serve(gate: Gate, id: Result<GraphId, Refusal>, mut socket: Socket, limits: SessionLimits) {
    let goodbye = match admit(&gate, id, limits).await {
        Ok((mut session, _permit)) => {
            metrics::get().websocket_connections.increment(1.0);
            let goodbye = socket.run(&mut session, &gate).await;
            // What the client sent last may still wait for a place in the lane.
            let _ = timeout(HANDED_OVER_WITHIN, session.finish_work()).await;
            metrics::get().websocket_connections.decrement(1.0);
            goodbye
        }
        Err(refusal) => Goodbye::from(refusal),
    };
    socket.close(goodbye).await;
}

async fn admit(
    gate: &Gate,
    id: Result<GraphId, Refusal>,
    limits: SessionLimits,
) -> Result<(Session, Admitted), Refusal> {
    let id = id?;
    let permit = gate.admit()?;
    let session = SessionId(gate.next_session());
    let (room, joined) = gate.hub().join(&id, session, true).await.map_err(|error| refusal(&error))?;
    Ok((Session::new(session, room, joined, limits), permit))
}
