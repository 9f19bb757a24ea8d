//! What a request says of the file that it brings.

use axum::{
    body::HttpBody as _,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use synapti_crdt::map::Format;

use crate::http::error::ApiError;

/// The format of this name.
pub(super) fn named(name: &str) -> Result<Format, ApiError> {
    Format::from_name(name).ok_or_else(|| {
        let names = Format::ALL.map(Format::name).join(" or ");
        ApiError::field("format", format!("must be {names}"))
    })
}

/// The format that the query names, else that of the content type. They must not contradict each other; plain text may be
/// anything.
pub(super) fn format(name: Option<&str>, headers: &HeaderMap) -> Result<Format, ApiError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let typed = essence.as_deref().and_then(Format::from_media_type);
    let is_plain = essence.as_deref() == Some("text/plain");
    match (name.map(named).transpose()?, typed) {
        (Some(named), Some(typed)) if named != typed && !is_plain => {
            let message = format!("the content type is not that of format={}: correct one of the two", named.name());
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message))
        }
        (Some(format), _) | (None, Some(format)) => Ok(format),
        (None, None) => {
            let message = "send application/json, text/markdown or text/plain as Content-Type, or say format=json or format=markdown";
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message))
        }
    }
}

/// How many bytes the file has, or may have when the request does not say.
pub(super) fn length(request: &Request, bytes_max: usize) -> usize {
    request.body().size_hint().upper().and_then(|bytes| bytes.try_into().ok()).unwrap_or(bytes_max)
}
