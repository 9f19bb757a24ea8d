//! What a client is told over HTTP when a session is refused to it, or ended.

use axum::http::StatusCode;
use synapti_protocol::close::CloseCode;

use crate::{http::error::ApiError, room::Refusal};

/// When to come back to a node that has no place.
const AT_CAPACITY_RETRY_SECONDS: u32 = 5;

/// When to come back from a node that goes: somewhere else is a place at once.
const RESTARTING_RETRY_SECONDS: u32 = 1;

/// When to come back after too much of something.
const RATE_LIMITED_RETRY_SECONDS: u32 = 5;

/// The one place that says which status a close code is.
pub fn to_api_error(refusal: Refusal) -> ApiError {
    let Refusal { code, reason } = refusal;
    match code {
        CloseCode::Malformed => ApiError::new(StatusCode::BAD_REQUEST, "malformed_message", reason),
        CloseCode::Unauthenticated => ApiError::new(StatusCode::UNAUTHORIZED, "unauthenticated", reason),
        CloseCode::Forbidden => ApiError::new(StatusCode::FORBIDDEN, "forbidden", reason),
        CloseCode::NotFound => ApiError::new(StatusCode::NOT_FOUND, "graph_not_found", reason),
        CloseCode::Deleted => ApiError::new(StatusCode::GONE, "gone", reason),
        CloseCode::TooLarge => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "graph_too_large", reason),
        CloseCode::RateLimited => ApiError::come_back(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_connections",
            reason,
            RATE_LIMITED_RETRY_SECONDS,
        ),
        CloseCode::Restarting => ApiError::unavailable("draining", reason, RESTARTING_RETRY_SECONDS),
        CloseCode::AtCapacity => ApiError::unavailable("at_capacity", reason, AT_CAPACITY_RETRY_SECONDS),
        CloseCode::Overloaded => ApiError::unavailable("overloaded", reason, AT_CAPACITY_RETRY_SECONDS),
    }
}
