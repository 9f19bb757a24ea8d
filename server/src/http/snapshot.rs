//! `GET /v1/graphs/{graph_id}/snapshot`: the map as one Yjs update, to begin with.

use super::{
    error::{ApiError, ErrorBody},
    etag,
    graphs::UNSAVED,
    held::{HeldSnapshot, taken},
    path::InGraph,
    state::AppState,
};
use crate::transport::{cursor::ClientCursor, poll::CURSOR};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

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
            ([encoding], Body::new(HeldSnapshot::of(gzip, &snapshot))).into_response()
        }
        (false, None) => Body::new(HeldSnapshot::of(snapshot.update.clone(), &snapshot)).into_response(),
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
    Ok(if has_it { response } else { taken(response, snapshot.paid.taker()) })
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
