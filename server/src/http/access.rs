//! Access over HTTP: who asks, whether the table of rights lets them, and how they are told that it does not.

use axum::{
    RequestExt as _,
    body::Body,
    extract::{FromRequestParts as _, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{credentials, error::ApiError, path::InGraph, state::AppState};
use crate::{
    auth::{
        Access, Denied,
        jws::TokenError,
        rights::{Need, need_of},
    },
    transport::deferred::Deferred,
};

/// Keys of an identity provider that is away are asked for again about so often.
const NO_KEYS_RETRY_SECONDS: u32 = 10;

/// What came of the credential of a request.
#[derive(Clone, Debug)]
struct Identified(Result<Access, Denied>);

/// Middleware: finds out who asks, for those who count requests as well.
pub async fn identify(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let need = need(&request);
    if !matches!(need, Need::Nothing | Need::OnSocket(_)) {
        // Who asks for the head alone opens no stream, and keeps the ticket.
        let identified = if matches!(need, Need::InStream(_) | Need::SignedInStream) && request.method() == Method::GET
        {
            who_streams(&app, &mut request).await
        } else {
            who_asks(&app, request.headers()).await
        };
        if let Ok(access) = &identified {
            request.extensions_mut().insert(access.clone());
        }
        request.extensions_mut().insert(Identified(identified));
    }
    next.run(request).await
}

/// Middleware: refuses what the table of rights does not allow.
pub async fn guard(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(Identified(identified)) = parts.extensions.remove::<Identified>() else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let access = match identified {
        Ok(access) => access,
        Err(denied) => return ApiError::from(denied).into_response(),
    };
    let need = parts
        .extensions
        .get::<MatchedPath>()
        .map_or(Need::Nothing, |route| need_of(parts.method.as_str(), route.as_str()));
    let is_allowed = match need {
        Need::Nothing | Need::SignedIn | Need::SignedInStream | Need::OnSocket(_) => true,
        Need::Admin => access.is_admin(),
        // What is no id names no map; the handler says so.
        Need::In(action) | Need::InStream(action) => {
            let graph = InGraph::from_request_parts(&mut parts, &()).await;
            graph.map_or(true, |InGraph(graph)| access.may(action, &graph))
        }
    };
    if !is_allowed {
        return forbidden().into_response();
    }
    let mut response = next.run(Request::<Body>::from_parts(parts, body)).await;
    if !app.auth.is_open() {
        keep_private(response.headers_mut());
        // What comes later says of itself how it may be kept.
        Deferred::then(&mut response, |answer| keep_private(answer.headers_mut()));
    }
    response
}

/// The caller has no right to what they ask for. The same whether it is there or not.
pub fn forbidden() -> ApiError {
    let message = "your token does not give you the right to this";
    ApiError::new(StatusCode::FORBIDDEN, "forbidden", message)
}

async fn who_asks(app: &AppState, headers: &HeaderMap) -> Result<Access, Denied> {
    if app.auth.is_open() {
        return Ok(Access::open());
    }
    let shown = credentials::of_request(headers)?;
    app.auth.access(shown.as_ref().map(credentials::Shown::as_credential), None).await
}

/// As [`who_asks`], of a request that may show in its address who sends it.
async fn who_streams(app: &AppState, request: &mut Request) -> Result<Access, Denied> {
    if app.auth.is_open() {
        return Ok(Access::open());
    }
    // What is no id names no map; a ticket for one does not matter then.
    let graph = match request.extract_parts::<InGraph>().await {
        Ok(InGraph(graph)) => Some(graph),
        Err(_) => None,
    };
    let shown = credentials::of_socket(request.headers(), request.uri().query())?;
    app.auth.access(shown.as_ref().map(credentials::Shown::as_credential), graph.as_ref()).await
}

/// What is no route needs nothing: there is nothing.
fn need(request: &Request) -> Need {
    let route = request.extensions().get::<MatchedPath>();
    route.map_or(Need::Nothing, |route| need_of(request.method().as_str(), route.as_str()))
}

/// What one person may see is not for a cache that others share.
fn keep_private(headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("authorization"));
    let is_stored_nowhere = headers.get(header::CACHE_CONTROL).is_some_and(|value| value == "no-store");
    if !is_stored_nowhere {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        let message = denied.to_string();
        match denied {
            Denied::Several => Self::new(StatusCode::BAD_REQUEST, "several_credentials", message),
            Denied::OtherGraph => Self::new(StatusCode::FORBIDDEN, "forbidden", message),
            Denied::Token(TokenError::NoKeysYet) => {
                Self::unavailable("keys_unavailable", message, NO_KEYS_RETRY_SECONDS)
            }
            Denied::NothingShown | Denied::NotUnderstood | Denied::Token(_) | Denied::TooLongInUrl | Denied::Ticket => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
            }
        }
    }
}
