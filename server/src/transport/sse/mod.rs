//! `GET /v1/graphs/{graph_id}/sse`: watching a map as a stream of events.
//!
//! Proxies that block WebSocket mostly let it pass. What the client says goes through `/sync`, with the same cursors.

mod stream;

use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use synapti_protocol::{graph_id::GraphId, message, update};

use super::{
    cursor::ClientCursor,
    refused::to_api_error,
    visitor::{Visitor, ip_of},
};
use crate::{
    auth::{Access, rights::Action},
    http::{AppState, InGraph, access::forbidden, error::ApiError, origin::is_allowed},
    room::{Cursor, Entrant, SessionId},
    session::{Session, Telling},
    transport::{socket::is_extended, ws::Expiry},
};
use stream::EventStream;

/// Browsers send it by themselves when they come back.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Tells nginx, and those who follow it, not to collect the stream before they pass it on.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What every stream says of itself.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
];

/// The routes of this transport.
pub fn routes() -> Router<AppState> {
    Router::new().route("/v1/graphs/{graph_id}/sse", get(watch))
}

async fn watch(
    State(app): State<AppState>,
    Extension(access): Extension<Access>,
    InGraph(graph): InGraph,
    request: Request,
) -> Result<Response, ApiError> {
    // A stream is a socket that goes one way: a foreign page shall not open it with the rights of whoever looks at it.
    if !is_allowed(request.headers(), request.uri(), &app.config.auth.allowed_origins) {
        let message = "pages of this origin may not use this server (SYNAPTI_AUTH_ALLOWED_ORIGINS)";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", message));
    }
    let begins = Begins::parse(request.headers(), request.uri())?;
    if request.method() == Method::HEAD {
        // Nothing is opened, and no map made.
        return Ok((HEADERS, Body::empty()).into_response());
    }
    let visitor = Visitor { ip: ip_of(&request, &app.config.trusted_proxies), access };
    let stream = open(&app, graph, &visitor, begins).await?;
    let taker = stream.taker();
    let mut response = (HEADERS, Body::new(stream)).into_response();
    response.extensions_mut().insert(taker);
    Ok(response)
}

async fn open(app: &AppState, graph: GraphId, visitor: &Visitor, begins: Begins) -> Result<EventStream, ApiError> {
    let access = &visitor.access;
    let role = access.role_in(&graph).ok_or_else(forbidden)?;
    let place = app.gate.admit(visitor).await.map_err(to_api_error)?;
    let id = SessionId(app.gate.next_session());
    let telling = if begins.is_extended { Telling::Extension } else { Telling::Nothing };
    let entrant = Entrant { is_told: begins.is_extended, ..Entrant::default().only_reading() };
    let (room, joined) = app.hub.join(&graph, id, entrant, access.may(Action::Create, &graph)).await?;
    place.attach(&joined.slot);
    let resumes = begins.cursor.and_then(|cursor| cursor.in_room(&room)).filter(|at| room.feed().reaches(*at));
    if resumes.is_none() && begins.cursor.is_some() {
        // It may have been on another node, and done something there.
        app.hub.freshen(&room).await?;
    }
    let mut session = Session::new(id, room, joined, app.gate.session_limits(), role, telling);
    let Begins { state_vector, .. } = begins;
    match resumes {
        Some(at) => session = resumed(session, at, state_vector),
        None => session.receive(&message::encode_step1(&state_vector).into()).map_err(to_api_error)?,
    }
    Ok(EventStream::new(
        session,
        resumes.is_some(),
        Expiry::within(access.lasts(app.clock.now())),
        app.gate.clone(),
        place,
    ))
}

/// What the client was sent before is not said again.
fn resumed(session: Session, at: Cursor, state_vector: Bytes) -> Session {
    session.without_greeting().resumed_at(at, state_vector)
}

/// Where a stream begins.
#[derive(Debug)]
struct Begins {
    cursor: Option<ClientCursor>,
    /// What the client has, for when the cursor is of no use.
    state_vector: Bytes,
    is_extended: bool,
}

impl Begins {
    fn parse(headers: &HeaderMap, uri: &Uri) -> Result<Self, ApiError> {
        let parameter = |wanted: &str| {
            let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| value).next_back()
        };
        let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
        let state_vector = parameter("sv").map(state_vector).transpose()?;
        Ok(Self {
            // What came last counts more than where the page began.
            cursor: last.or_else(|| parameter("cursor")).and_then(ClientCursor::parse),
            state_vector: state_vector.unwrap_or(Bytes::from_static(&[0])),
            is_extended: is_extended(uri.query()),
        })
    }
}

fn state_vector(text: &str) -> Result<Bytes, ApiError> {
    let wrong = || ApiError::field("sv", "must be a Yjs state vector in base64url".to_owned());
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| wrong())?;
    update::scan_state_vector(&bytes).map_err(|_| wrong())?;
    Ok(bytes.into())
}
