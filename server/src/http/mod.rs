//! HTTP: the API, the operator's pages and what every response has in common.
//!
//! A request passes [`envelope`] (id, log, errors), [`host`], CORS, [`access::identify`], [`rate`], compression, [`origin`],
//! [`access::guard`] and the body limit, and meets a handler; a failure of the domain becomes a status in [`domain_error`] and a body in [`envelope`].

pub mod access;
mod admin;
mod ai;
mod body;
pub mod credentials;
mod domain_error;
pub mod dto;
mod edges;
pub mod envelope;
pub mod error;
mod etag;
mod formats;
mod graphs;
pub mod held;
mod host;
mod job_errors;
mod job_events;
mod jobs;
mod nodes;
pub mod openapi;
mod openapi_access;
mod ops;
pub mod origin;
mod pages;
mod path;
mod rate;
pub mod request_id;
mod schema;
mod site;
mod snapshot;
pub mod state;
mod tickets;
mod versions;
mod watch;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware,
    response::Response,
};
use std::{convert::Infallible, future::ready};

use tower::{Layer as _, ServiceExt as _, service_fn, util::option_layer};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate,
        predicate::{DefaultPredicate, SizeAbove},
    },
    cors::CorsLayer,
    limit::RequestBodyLimitLayer,
};

pub use graphs::UNSAVED;
pub use path::InGraph;
pub use state::AppState;

use crate::{
    config::Config,
    transport::{poll, sse},
};

/// Smaller bodies fit into one packet as they are.
const COMPRESS_BYTES_MIN: u64 = 1024;

/// The whole application: the API, the pages, and the routes of the live transports that `live` brings.
pub fn router(state: AppState, live: Router<AppState>) -> Router {
    let api: Router<AppState> = openapi::routes().into();
    let config = state.config.clone();
    api.merge(pages::files())
        .merge(formats::maps_called_so())
        .fallback(async || error::ApiError::of_status(StatusCode::NOT_FOUND))
        .layer(body_limit(config.limits.message_bytes_max))
        // What says that it is larger is refused before it comes.
        .layer(announced_limit(config.limits.message_bytes_max))
        // These have limits of their own.
        .merge(files(&config))
        .merge(live)
        .layer(middleware::from_fn_with_state(state.clone(), access::guard))
        .layer(middleware::from_fn_with_state(config.clone(), origin::guard))
        .layer(middleware::from_fn_with_state(state.clone(), rate::guard))
        .layer(middleware::from_fn_with_state(state.clone(), access::identify))
        .layer(compression())
        .layer(option_layer(cors(&config)))
        // Around CORS, which answers by itself when a page asks first.
        .layer(middleware::from_fn_with_state(config.clone(), host::guard))
        .layer(middleware::from_fn_with_state(state.clock.clone(), envelope::wrap))
        .with_state(state)
}

/// Routes that take files, with their own limit.
fn files(config: &Config) -> Router<AppState> {
    let bytes_max = config.limits.sync_bytes_max;
    Router::from(openapi::file_routes()).layer(body_limit(bytes_max)).layer(announced_limit(bytes_max))
}

fn compression() -> CompressionLayer<impl Predicate> {
    CompressionLayer::new()
        // Maps compress well at any level, and somebody waits for them.
        .quality(CompressionLevel::Fastest)
        .compress_when(DefaultPredicate::new().and(SizeAbove::new(COMPRESS_BYTES_MIN)))
}

/// A response as it leaves through the layers, for one that comes later.
async fn compressed(accepted: Option<HeaderValue>, response: Response) -> Response {
    let mut request = Request::new(Body::empty());
    if let Some(accepted) = accepted {
        request.headers_mut().insert(header::ACCEPT_ENCODING, accepted);
    }
    let mut response = Some(response);
    let answer = service_fn(move |_: Request| ready(Ok::<_, Infallible>(response.take().unwrap_or_default())));
    let Ok(response) = compression().layer(answer).oneshot(request).await;
    response.map(Body::new)
}

fn announced_limit(bytes_max: usize) -> RequestBodyLimitLayer {
    RequestBodyLimitLayer::new(if bytes_max == 0 { usize::MAX } else { bytes_max })
}

fn body_limit(bytes_max: usize) -> DefaultBodyLimit {
    if bytes_max == 0 { DefaultBodyLimit::disable() } else { DefaultBodyLimit::max(bytes_max) }
}

/// What browsers are told about pages of other origins. Where none are configured they are told nothing, and refuse.
fn cors(config: &Config) -> Option<CorsLayer> {
    const EXPOSED: [HeaderName; 10] = [
        header::CONTENT_DISPOSITION,
        header::ETAG,
        header::LOCATION,
        header::RETRY_AFTER,
        header::CACHE_CONTROL,
        request_id::X_REQUEST_ID,
        envelope::X_PROCESS_TIME,
        graphs::UNSAVED,
        poll::CURSOR,
        poll::DURABLE,
    ];
    const ACCEPTED: [HeaderName; 8] = [
        ai::IDEMPOTENCY_KEY,
        ai::PREFER,
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        request_id::X_REQUEST_ID,
        sse::LAST_EVENT_ID,
    ];
    let origins = &config.auth.allowed_origins;
    if origins.is_empty() {
        return None;
    }
    let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let layer = CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers(ACCEPTED)
        .expose_headers(EXPOSED);
    Some(layer)
}
