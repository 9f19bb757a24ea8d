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

use crate::{
    http::error::ApiError,
    transport::{
        gate::{Admitted, Gate},
        to_api_error,
        visitor::Visitor,
    },
};

/// How long a client may take to begin, and what it sends at least from then on: while it does, it holds a part of what
/// large messages may hold.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);
const BYTES_PER_SECOND: u64 = 16 << 10;

/// How long a large body waits for its part.
const SHARE_WITHIN: Duration = Duration::from_secs(10);

/// Bodies up to this size hold nothing of the budget; what a larger one has of it grows in steps.
const LARGE_FROM_BYTES: usize = 64 << 10;
const STEP_BYTES: usize = 256 << 10;

/// When to come back after that.
const BUSY_RETRY_SECONDS: u32 = 5;

/// A body with its part of what large messages may hold.
pub(super) struct PollBody {
    pub(super) bytes: Bytes,
    _shares: Vec<OwnedSemaphorePermit>,
    _place: Option<Admitted>,
}

impl PollBody {
    /// Reads a body of at most `bytes_max`. While a large one comes it counts among the connections of its client.
    pub(super) async fn read(
        request: Request,
        bytes_max: usize,
        gate: &Gate,
        visitor: &Visitor,
    ) -> Result<Self, ApiError> {
        let is_binary = is_binary(request.headers());
        let mut body = request.into_body();
        let announced = body.size_hint().lower();
        if announced > 0 && !is_binary {
            return Err(not_binary());
        }
        if announced > bytes_max as u64 {
            return Err(too_large(bytes_max));
        }
        let mut reading = Reading::default();
        let begun = Instant::now();
        while let Some(data) = next(&mut body, begun, reading.bytes.len()).await? {
            if reading.bytes.len() + data.len() > bytes_max {
                return Err(too_large(bytes_max));
            }
            reading.take(&data, gate, visitor).await?;
        }
        let Reading { bytes, shares, place } = reading;
        if !bytes.is_empty() && !is_binary {
            return Err(not_binary());
        }
        Ok(Self { bytes: bytes.into(), _shares: shares, _place: place })
    }
}

/// The next bytes of a body of which so many have come since it began.
async fn next(body: &mut Body, begun: Instant, bytes: usize) -> Result<Option<Bytes>, ApiError> {
    let until = begun + BEGINS_WITHIN + Duration::from_secs(bytes as u64 / BYTES_PER_SECOND);
    loop {
        let frame = timeout_at(until, body.frame()).await;
        let Some(frame) = frame.map_err(|_| ApiError::of_status(StatusCode::REQUEST_TIMEOUT))? else { return Ok(None) };
        let frame = frame.map_err(|_| ApiError::of_status(StatusCode::BAD_REQUEST))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

/// What has come of a body.
#[derive(Default)]
struct Reading {
    bytes: Vec<u8>,
    /// Of the budget, one step each.
    shares: Vec<OwnedSemaphorePermit>,
    place: Option<Admitted>,
}

impl Reading {
    /// Takes what has come, and more of the budget before it is too much: what a client only announces holds nothing.
    async fn take(&mut self, data: &[u8], gate: &Gate, visitor: &Visitor) -> Result<(), ApiError> {
        let bytes = self.bytes.len() + data.len();
        while bytes > LARGE_FROM_BYTES + self.shares.len() * STEP_BYTES {
            if self.place.is_none() {
                self.place = Some(gate.admit_waiting(visitor).await.map_err(to_api_error)?);
            }
            let budget = gate.large_messages();
            let share = timeout(SHARE_WITHIN, budget.take(STEP_BYTES as u64)).await.ok().flatten();
            self.shares.push(share.ok_or_else(busy)?);
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

fn not_binary() -> ApiError {
    let message = "send messages with Content-Type: application/octet-stream";
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
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
