//! How many requests one client may make: a user, or, without a name, an address.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    error::ApiError,
    state::{AppState, Requester},
};
use crate::{
    auth::Access,
    limits::{address::AddressKey, keyed::ComeBackAfter},
    telemetry::metrics,
    transport::visitor::ip_of,
};

/// What machines ask often and what tells nobody anything.
const FREE_PATHS: [&str; 4] = ["/live", "/ready", "/health", "/metrics"];

/// Sockets have limits of their own, and wait for their turn after the handshake: a browser cannot see a refusal before.
const SOCKETS: [&str; 2] = ["/v1/ws", "/v1/hocuspocus"];

/// Middleware: refuses what comes too often with 429, and says when to come back.
pub async fn guard(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if FREE_PATHS.contains(&path) || SOCKETS.iter().any(|sockets| path.starts_with(sockets)) {
        return next.run(request).await;
    }
    let Some(requester) = requester(&app, &request) else { return next.run(request).await };
    match app.requests.take(&requester).await {
        Err(ComeBackAfter(after)) => {
            metrics::get().requests_refused.increment(1);
            let seconds = after.as_secs_f64().ceil().max(1.0) as u32;
            let message = "more requests than one client may make (SYNAPTI_LIMITS_REQUESTS_PER_SECOND): slow down";
            ApiError::come_back(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message, seconds).into_response()
        }
        Ok(()) => next.run(request).await,
    }
}

/// Who makes the request; nobody on loopback who has no name.
fn requester(app: &AppState, request: &Request) -> Option<Requester> {
    let client = request.extensions().get::<Access>().and_then(Access::client);
    match client {
        Some(client) => Some(Requester::Client(client.into())),
        None => AddressKey::of(ip_of(request, &app.config.trusted_proxies)).map(Requester::Address),
    }
}
