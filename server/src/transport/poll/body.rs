//! The body of a poll, read within its limits.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout, timeout_at},
};

use crate::{http::error::ApiError, transport::socket::LargeMessages};

/// How long a client may take to begin, and what it sends at least from then on: while it does, it holds a part of what
/// large messages may hold.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);
const BYTES_PER_SECOND: u64 = 16 << 10;

/// How long a large body waits for its part.
const SHARE_WITHIN: Duration = Duration::from_secs(10);

/// When to come back after that.
const BUSY_RETRY_SECONDS: u32 = 5;

/// A body with its part of what large messages may hold.
pub(super) struct PollBody {
    pub(super) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl PollBody {
    /// Reads a body of at most `bytes_max`.
    pub(super) async fn read(request: Request, bytes_max: usize, budget: &LargeMessages) -> Result<Self, ApiError> {
        let is_binary = is_binary(request.headers());
        let mut body = request.into_body();
        if body.is_end_stream() {
            return Ok(Self { bytes: Bytes::new(), _share: None });
        }
        // A client that does not say how much comes may send as much as anybody.
        let announced = body.size_hint().upper().unwrap_or(bytes_max as u64);
        if announced > bytes_max as u64 {
            return Err(too_large(bytes_max));
        }
        let share = timeout(SHARE_WITHIN, budget.take(announced)).await.map_err(|_| busy())?;
        let bytes = collect(&mut body, bytes_max).await?;
        if !bytes.is_empty() && !is_binary {
            let message = "send messages with Content-Type: application/octet-stream";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message));
        }
        Ok(Self { bytes: bytes.into(), _share: share })
    }
}

async fn collect(body: &mut Body, bytes_max: usize) -> Result<Vec<u8>, ApiError> {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    loop {
        let until = begun + BEGINS_WITHIN + Duration::from_secs(bytes.len() as u64 / BYTES_PER_SECOND);
        let Ok(frame) = timeout_at(until, body.frame()).await else {
            return Err(ApiError::of_status(StatusCode::REQUEST_TIMEOUT));
        };
        let Some(frame) = frame else { return Ok(bytes) };
        let frame = frame.map_err(|_| ApiError::of_status(StatusCode::BAD_REQUEST))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        bytes.extend_from_slice(&data);
    }
}

fn is_binary(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/octet-stream")
}

fn too_large(bytes_max: usize) -> ApiError {
    let message = format!("the body is larger than {bytes_max} bytes: send less at once");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
}

fn busy() -> ApiError {
    let message = "too many large messages are on their way to this node: try again in some seconds";
    ApiError::unavailable("at_capacity", message, BUSY_RETRY_SECONDS)
}
