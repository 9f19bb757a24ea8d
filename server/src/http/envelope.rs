//! What every response has in common: an id, its process time, an error body in one shape, a log line, a metric.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;

use super::{
    error::ApiError,
    request_id::{RequestId, X_REQUEST_ID},
};
use crate::{
    clock::Clock,
    telemetry::metrics::{self, Stopwatch, method_label},
    transport::deferred::Deferred,
};

/// Seconds between the arrival of a request and its response, with six decimals.
pub const X_PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");

/// The route of requests that match none, for logs and metrics.
const NO_ROUTE: &str = "(none)";

/// Paths that machines ask every few seconds: their log lines would bury all others.
const PROBES: [&str; 4] = ["/health", "/live", "/ready", "/metrics"];

/// The outermost middleware.
pub async fn wrap(State(clock): State<Clock>, mut request: Request, next: Next) -> Response {
    let stopwatch = Stopwatch::start();
    let id = RequestId::of(request.headers(), clock.now());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    request.extensions_mut().insert(id.clone());

    // A handler that panics must not take the connection's other requests with it.
    let outcome = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = outcome.unwrap_or_else(|_| {
        tracing::error!(request_id = id.as_str(), route, "a handler panicked");
        ApiError::internal().into_response()
    });
    // What waits for a map to change does not count as work on it.
    let took = stopwatch.elapsed();
    if Deferred::is_in(&response) {
        let route = route.to_owned();
        Deferred::then(&mut response, move |response| finish(response, &method, &route, took, &id, &clock));
    } else {
        finish(&mut response, &method, route, took, &id, &clock);
    }
    response
}

fn finish(response: &mut Response, method: &Method, route: &str, took: Duration, id: &RequestId, clock: &Clock) {
    write_error(response, id, clock);
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.header_value());
    headers.insert(X_PROCESS_TIME, process_time(took));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    note(method, route, response.status(), took, id);
}

/// Gives every error the body that the API promises, also those that axum and its extractors made.
fn write_error(response: &mut Response, id: &RequestId, clock: &Clock) {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return;
    }
    let is_ours = response.extensions_mut().remove::<Rendered>().is_some();
    if is_ours {
        return;
    }
    let error = response.extensions_mut().remove::<ApiError>().unwrap_or_else(|| ApiError::of_status(status));
    let body = error.body(id.as_str(), clock.now());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove(header::CONTENT_ENCODING);
    *response.body_mut() = Body::from(body);
}

/// Marks a response above 399 whose body is not an error but an answer, such as that of a failed health check.
#[derive(Clone, Copy, Debug)]
pub struct Rendered;

fn process_time(took: Duration) -> HeaderValue {
    HeaderValue::from_str(&format!("{:.6}", took.as_secs_f64())).expect("a number is visible ASCII")
}

fn note(method: &Method, route: &str, status: StatusCode, took: Duration, id: &RequestId) {
    let (method, status, request_id) = (method_label(method.as_str()), status.as_u16(), id.as_str());
    let duration_ms = took.as_secs_f64() * 1000.0;
    metrics::get().request(method, route, status, took);
    if PROBES.contains(&route) {
        tracing::debug!(method, route, status, duration_ms, request_id, "request");
    } else {
        tracing::info!(method, route, status, duration_ms, request_id, "request");
    }
}
