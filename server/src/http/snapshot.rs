//! `GET /v1/graphs/{graph_id}/snapshot`: the map as one Yjs update, to begin with.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::{
    error::{ApiError, ErrorBody},
    etag,
    graphs::UNSAVED,
    path::InGraph,
    state::AppState,
};
use crate::{
    room::Snapshot,
    transport::{cursor::ClientCursor, poll::CURSOR},
};

/// Handed out at once at most: the rest follows when the network has taken it.
const CHUNK_BYTES: usize = 64 << 10;

/// Reads a graph as a Yjs update
///
/// Everything up to now, in update format v1: `Y.applyUpdate(doc, bytes)`. Compressed once for all who ask for the same state.
/// `Synapti-Cursor` is where `/sync` and `/sse` go on.
#[utoipa::path(get, path = "/v1/graphs/{graph_id}/snapshot", tag = "live", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
    ("If-None-Match" = Option<String>, Header, description = "Tag of a state that the client has"),
), responses(
    (status = 200, description = "The update", body = Vec<u8>, content_type = "application/octet-stream", headers(
        ("ETag" = String, description = "Names the state and its encoding"),
        ("Synapti-Cursor" = String, description = "Where the feed goes on"),
        ("Synapti-Unsaved" = Option<String>, description = "`true` when not all of it is on disk, because the store is behind"),
    )),
    (status = 304, description = "The client has this state"),
    (status = 400, description = "Not a graph id", body = ErrorBody),
    (status = 404, description = "No such graph", body = ErrorBody),
    (status = 410, description = "The graph was deleted", body = ErrorBody),
))]
pub async fn get_snapshot(
    State(app): State<AppState>,
    InGraph(id): InGraph,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (room, snapshot) = app.hub.snapshot(&id).await?;
    let plain_tag = format!("\"{}\"", snapshot.digest);
    let gzip_tag = format!("\"{}-gzip\"", snapshot.digest);
    let has_it = etag::none_match_fails(&headers, &plain_tag) || etag::none_match_fails(&headers, &gzip_tag);
    let gzip = if !has_it && takes_gzip(&headers) { snapshot.gzip().await } else { None };
    let tag = if gzip.is_some() { gzip_tag } else { plain_tag };
    let mut response = match (has_it, gzip) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, Some(gzip)) => {
            let encoding = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            ([encoding], Body::new(Held { left: gzip, _snapshot: snapshot.clone() })).into_response()
        }
        (false, None) => Body::new(Held { left: snapshot.update.clone(), _snapshot: snapshot.clone() }).into_response(),
    };
    let about = response.headers_mut();
    about.insert(header::ETAG, HeaderValue::from_str(&tag).expect("a tag is a quoted digest"));
    about.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    about.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    about.insert(CURSOR, ClientCursor::of(&room, snapshot.cursor).header_value());
    if !has_it {
        about.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
    if !snapshot.is_saved {
        about.insert(UNSAVED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Whether the client takes gzip (RFC 9110, section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut codings = lines.flat_map(|line| line.split(',')).map(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).is_some_and(|q: f32| q <= 0.0);
        (name.trim().to_ascii_lowercase(), !is_refused)
    });
    codings.any(|(name, is_taken)| is_taken && matches!(name.as_str(), "gzip" | "x-gzip" | "*"))
}

/// Bytes on their way out that keep their share of what answers may hold until they have gone.
struct Held {
    left: Bytes,
    _snapshot: Arc<Snapshot>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = self.left.len().min(CHUNK_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_take_it() {
        let takes = |lines: &[&str]| {
            takes_gzip(&lines.iter().map(|line| (header::ACCEPT_ENCODING, line.parse().unwrap())).collect())
        };
        assert!(takes(&["gzip"]) && takes(&["br, GZIP;q=0.5"]) && takes(&["br", "*"]) && takes(&["x-gzip"]));
        assert!(!takes(&[]) && !takes(&["br, deflate"]) && !takes(&["gzip;q=0"]) && !takes(&["gzip; q=0.0"]));
    }
}
