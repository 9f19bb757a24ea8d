//! Request bodies: JSON that parses, has no unknown fields and passes validation, or an error that says why not.

use axum::{
    RequestExt as _,
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::{BodyExt as _, LengthLimitError};
use serde::de::DeserializeOwned;
use std::{error::Error, time::Duration};
use tokio::time::timeout;

use super::error::{ApiError, FieldError};

/// How long a client may take to send a body: while it does, it holds a place among the connections.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// A body that was checked. An absent body counts as `{}`.
#[derive(Debug)]
pub struct Valid<T>(pub T);

impl<S, T> FromRequest<S> for Valid<T>
where
    S: Send + Sync,
    T: DeserializeOwned + garde::Validate<Context = ()>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = whole(request).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        if !is_json {
            return Err(ApiError::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        parse(&bytes).map(Self)
    }
}

/// A body as it comes; the handler knows what may be in it.
pub async fn whole(request: Request) -> Result<Vec<u8>, ApiError> {
    let body = collect(request.with_limited_body().into_body());
    timeout(BODY_WITHIN, body).await.map_err(|_| ApiError::of_status(StatusCode::REQUEST_TIMEOUT))?
}

/// The whole body. Copied as it comes: a body in chunks of one byte would else be a list of as many buffers.
async fn collect(mut body: Body) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let is_too_large = is_length_limit(&error);
            ApiError::of_status(if is_too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST })
        })?;
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// Whether the limit of bytes is at the bottom of an error: each layer wraps what it passes on.
fn is_length_limit(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_length_limit)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned + garde::Validate<Context = ()>>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        unreadable(&path, error.inner())
    })?;
    json.end().map_err(|error| unreadable(".", &error))?;
    value.validate().map_err(|report| {
        let fields: Vec<FieldError> = report
            .iter()
            .map(|(path, error)| FieldError { field: path.to_string(), message: error.to_string() })
            .collect();
        ApiError::validation(&fields)
    })?;
    Ok(value)
}

/// JSON that does not parse is 400; JSON that parses and says something else than it should is 422.
fn unreadable(path: &str, error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    if error.classify() != serde_json::error::Category::Data {
        return ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not JSON: {text}"));
    }
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    ApiError::validation(&[FieldError { field: field(path, message), message: message.to_owned() }])
}

/// The field that a message is about: serde's path ends at the object when the object lacks a field.
fn field(path: &str, message: &str) -> String {
    let named = message
        .strip_prefix("missing field `")
        .or_else(|| message.strip_prefix("unknown field `"))
        .or_else(|| message.strip_prefix("duplicate field `"))
        .and_then(|rest| rest.split('`').next());
    match (path, named) {
        (".", Some(name)) => name.to_owned(),
        (path, Some(name)) if path != name && !path.ends_with(&format!(".{name}")) => format!("{path}.{name}"),
        (path, _) => path.to_owned(),
    }
}
