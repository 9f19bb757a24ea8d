//! `GET /v1/ws/{graph_id}`: the y-websocket protocol.
//!
//! One task per socket reads, writes and waits for the room. A socket that can take bytes is sent everything from
//! its cursor to the head in one flush; while it cannot, nothing gathers for it here.

use std::{future::poll_fn, ops::ControlFlow, pin::Pin, task::Poll, time::Duration};

use axum::{
    Error, Extension, Router,
    extract::{
        Path, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::{Sink as _, SinkExt as _, StreamExt as _};
use synapti_protocol::{
    close::{CloseCode, fit_reason},
    graph_id::GraphId,
    message::EMPTY_AWARENESS,
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite;

use super::gate::{Admitted, Gate};
use crate::{
    http::{AppState, error::ApiError, origin::is_allowed},
    room::{Refusal, SessionId},
    session::{Session, SessionLimits, refusal},
    telemetry::metrics,
};

/// Bytes that a socket reads at once, and what an idle one holds for reading.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// Bytes gathered before they are written to the socket; a flush writes what there is.
const WRITE_BUFFER_BYTES: usize = 16 << 10;

/// Bytes of frames in one flush, about.
const FLUSH_BYTES_MAX: usize = 256 << 10;

/// What a message adds to the update in it: frame, type and length.
const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// How often a socket is looked after.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(10);

/// A client that was sent no message for this long is sent an empty one: y-websocket gives up after 30 s, and
/// does not see pings.
const MESSAGE_AT_LEAST_EVERY: Duration = Duration::from_secs(15);

/// A client that has not answered three pings is gone.
const SILENT_AFTER: Duration = Duration::from_secs(45);

/// A client that has not taken in what was written for this long reads nothing at all.
const FLUSHED_WITHIN: Duration = Duration::from_secs(90);

/// How long a client has to answer a close frame.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// How long the last edits of a client that has gone may wait for their room.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(10);

/// Protocol error, of RFC 6455.
const PROTOCOL_ERROR: u16 = 1002;

/// Text that is not UTF-8, of RFC 6455.
const INVALID_PAYLOAD: u16 = 1007;

/// The subprotocol that y-websocket clients may ask for.
const SUBPROTOCOL: &str = "y-sync";

/// The routes of this transport.
pub fn routes(gate: Gate) -> Router<AppState> {
    // Anything may stand where the id should, so that a wrong one is answered with a reason and not with "no route".
    Router::new().route("/v1/ws/{*graph_id}", get(connect)).layer(Extension(gate))
}

async fn connect(
    State(state): State<AppState>,
    Extension(gate): Extension<Gate>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
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
    upgrade(gate, place, socket)
}

/// Answers the upgrade. A refusal is a close code after it, because a browser sees nothing else.
fn upgrade(gate: Gate, id: Result<GraphId, Refusal>, upgrade: WebSocketUpgrade) -> Response {
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
            serve(gate, id, socket, limits).await;
            drop(token);
        })
}

async fn serve(gate: Gate, id: Result<GraphId, Refusal>, socket: WebSocket, limits: SessionLimits) {
    let mut socket = Socket::new(socket);
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

/// How a connection ends.
enum Goodbye {
    /// The client has closed it, or is gone.
    Gone,
    /// With a close frame. A read that failed must not be repeated.
    Close { code: u16, reason: String, may_read: bool },
}

impl From<Refusal> for Goodbye {
    fn from(refusal: Refusal) -> Self {
        Self::Close { code: refusal.code.code(), reason: refusal.reason, may_read: true }
    }
}

/// What happened on a socket.
enum Event {
    Received(Option<Result<Message, Error>>),
    Flushed(Result<(), Error>),
}

struct Socket {
    socket: WebSocket,
    /// Since when bytes wait to be taken by the network.
    flushing: Option<Instant>,
    heard: Instant,
    messaged: Instant,
}

impl Socket {
    fn new(socket: WebSocket) -> Self {
        let now = Instant::now();
        Self { socket, flushing: None, heard: now, messaged: now }
    }

    /// Carries messages until one side has had enough.
    async fn run(&mut self, session: &mut Session, gate: &Gate) -> Goodbye {
        let departure = gate.departure();
        tokio::pin!(departure);
        let mut look_after = interval_at(Instant::now() + LOOK_AFTER_EVERY, LOOK_AFTER_EVERY);
        look_after.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.flushing.is_none()
                && let ControlFlow::Break(goodbye) = self.send_next(session)
            {
                return goodbye;
            }
            let may_send = self.flushing.is_none();
            let step = tokio::select! {
                event = self.next_event(session.may_read()) => self.handle(event, session),
                waited = session.wait(may_send) => waited.map_or_else(|refusal| ControlFlow::Break(refusal.into()), ControlFlow::Continue),
                _ = look_after.tick() => self.look_after(),
                () = &mut departure => ControlFlow::Break(Refusal::new(CloseCode::Restarting, CloseCode::Restarting.reason()).into()),
            };
            if let ControlFlow::Break(goodbye) = step {
                return goodbye;
            }
        }
    }

    /// Waits for the client or for the network. Cancel-safe: nothing is taken unless it is returned.
    async fn next_event(&mut self, may_read: bool) -> Event {
        poll_fn(|cx| {
            if self.flushing.is_some()
                && let Poll::Ready(flushed) = Pin::new(&mut self.socket).poll_flush(cx)
            {
                return Poll::Ready(Event::Flushed(flushed));
            }
            if may_read && let Poll::Ready(received) = self.socket.poll_next_unpin(cx) {
                return Poll::Ready(Event::Received(received));
            }
            Poll::Pending
        })
        .await
    }

    fn handle(&mut self, event: Event, session: &mut Session) -> ControlFlow<Goodbye> {
        match event {
            Event::Flushed(Ok(())) => {
                self.flushing = None;
                ControlFlow::Continue(())
            }
            Event::Flushed(Err(_)) | Event::Received(None) => ControlFlow::Break(Goodbye::Gone),
            Event::Received(Some(Err(error))) => ControlFlow::Break(reading_failed(error)),
            Event::Received(Some(Ok(message))) => {
                self.heard = Instant::now();
                match message {
                    Message::Binary(frame) => match session.receive(&frame) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(refusal) => ControlFlow::Break(refusal.into()),
                    },
                    Message::Text(_) => {
                        let reason = "text message: this protocol is binary";
                        ControlFlow::Break(Refusal::new(CloseCode::Malformed, reason).into())
                    }
                    Message::Close(_) => ControlFlow::Break(Goodbye::Gone),
                    // Answered by the WebSocket library; the answer goes out with the next flush.
                    Message::Ping(_) => {
                        self.flushing.get_or_insert_with(Instant::now);
                        ControlFlow::Continue(())
                    }
                    Message::Pong(_) => ControlFlow::Continue(()),
                }
            }
        }
    }

    /// Hands the next frames to the network.
    fn send_next(&mut self, session: &mut Session) -> ControlFlow<Goodbye> {
        match session.outgoing(FLUSH_BYTES_MAX) {
            Ok(frames) => frames.into_iter().try_for_each(|frame| {
                self.messaged = Instant::now();
                self.write(Message::Binary(frame))
            }),
            Err(refusal) => ControlFlow::Break(refusal.into()),
        }
    }

    fn write(&mut self, message: Message) -> ControlFlow<Goodbye> {
        self.flushing.get_or_insert_with(Instant::now);
        // The library takes every message and keeps what the socket does not: at most one flush's worth, because
        // nothing is handed to it while a flush is under way.
        match Pin::new(&mut self.socket).start_send(message) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(Goodbye::Gone),
        }
    }

    /// Keeps the connection alive, and notices that it is dead.
    fn look_after(&mut self) -> ControlFlow<Goodbye> {
        let now = Instant::now();
        let stuck = self.flushing.is_some_and(|since| now - since >= FLUSHED_WITHIN);
        if stuck || now - self.heard >= SILENT_AFTER {
            return ControlFlow::Break(Goodbye::Gone);
        }
        if self.flushing.is_some() {
            return ControlFlow::Continue(());
        }
        if now - self.messaged >= MESSAGE_AT_LEAST_EVERY - LOOK_AFTER_EVERY / 2 {
            self.messaged = now;
            self.write(Message::Binary(Bytes::from_static(EMPTY_AWARENESS)))?;
        }
        if now - self.heard >= LOOK_AFTER_EVERY {
            self.write(Message::Ping(Bytes::new()))?;
        }
        ControlFlow::Continue(())
    }

    /// Ends the connection: says why, and reads on until the client has understood, so that a reset does not
    /// swallow the reason.
    async fn close(mut self, goodbye: Goodbye) {
        match goodbye {
            Goodbye::Gone => {
                // Sends the answer to the client's own close frame.
                let _ = timeout(CLOSED_WITHIN, self.socket.flush()).await;
            }
            Goodbye::Close { code, reason, may_read } => {
                metrics::get().closes(code).increment(1);
                tracing::debug!(code, %reason, "closing a connection");
                let frame = CloseFrame { code, reason: fit_reason(&reason).into() };
                let _ = timeout(CLOSED_WITHIN, self.socket.send(Message::Close(Some(frame)))).await;
                if may_read {
                    let _ = timeout(CLOSED_WITHIN, async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
                }
            }
        }
    }
}

/// What a failed read means for the client.
fn reading_failed(error: Error) -> Goodbye {
    let Ok(error) = error.into_inner().downcast::<tungstenite::Error>() else { return Goodbye::Gone };
    let (code, reason) = match *error {
        tungstenite::Error::Capacity(_) => (CloseCode::TooLarge.code(), error.to_string()),
        tungstenite::Error::Utf8(_) => (INVALID_PAYLOAD, error.to_string()),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            return Goodbye::Gone;
        }
        tungstenite::Error::Protocol(_) => (PROTOCOL_ERROR, error.to_string()),
        _ => return Goodbye::Gone,
    };
    Goodbye::Close { code, reason, may_read: false }
}
