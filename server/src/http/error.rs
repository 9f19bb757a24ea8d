//! What a client is told when something does not work.
//!
//! A handler answers an [`ApiError`]; it travels as an extension of the response until the outermost middleware, which
//! knows the request's id and the time, writes the body.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An error of the API: status, a code for programs, a message for people.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Value,
    retry_after_seconds: Option<u32>,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, nested ones with dots.
    #[schema(example = "position.x")]
    pub field: String,
    /// What is wrong with it.
    #[schema(example = "greater than 1000000")]
    pub message: String,
}

/// The body of every response with a status of 400 and above.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody<'a> {
    /// The error.
    pub error: ErrorObject<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorObject<'a> {
    /// For programs: stable, in `snake_case`.
    #[schema(example = "validation_failed")]
    pub code: &'a str,
    /// For people.
    #[schema(example = "the request has fields that are not valid")]
    pub message: &'a str,
    /// More about it: for `validation_failed` a list of `{field, message}`, else null.
    #[schema(example = json!([{"field": "title", "message": "length is greater than 1000"}]))]
    pub details: &'a Value,
    /// As in the header `X-Request-Id`.
    #[schema(example = "0198c0de-0000-7000-8000-000000000000")]
    pub request_id: &'a str,
    /// When it happened, RFC 3339.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T00:00:00Z")]
    pub timestamp: Timestamp,
}

impl ApiError {
    /// An error without details.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), details: Value::Null, retry_after_seconds: None }
    }

    /// A request whose JSON is well formed and whose fields are not valid.
    pub fn validation(fields: &[FieldError]) -> Self {
        let message = "the request has fields that are not valid";
        let details = fields.iter().map(|field| serde_json::json!({"field": field.field, "message": field.message}));
        let error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", message);
        Self { details: details.collect(), ..error }
    }

    /// A condition that passes by itself: tells the client when to come back.
    pub fn unavailable(code: &'static str, message: impl Into<Cow<'static, str>>, retry_after_seconds: u32) -> Self {
        Self::come_back(StatusCode::SERVICE_UNAVAILABLE, code, message, retry_after_seconds)
    }

    /// The same with another status.
    pub fn come_back(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
        retry_after_seconds: u32,
    ) -> Self {
        Self { retry_after_seconds: Some(retry_after_seconds), ..Self::new(status, code, message) }
    }

    /// A fault of ours; what exactly is for the log, not for the client.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "something went wrong on the server")
    }

    /// The error that a bare status stands for, for responses that something else than a handler made.
    pub fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this path does not take this method"),
            StatusCode::REQUEST_TIMEOUT => ("request_timeout", "the request body did not come in time"),
            StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "the request body is larger than the server takes"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("unsupported_media_type", "send JSON with Content-Type: application/json")
            }
            status if status.is_client_error() => ("bad_request", "the request cannot be understood"),
            _ => {
                return Self { status, ..Self::internal() };
            }
        };
        Self::new(status, code, message)
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The code for programs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The body, now that request and time are known.
    pub fn body(&self, request_id: &str, timestamp: Timestamp) -> Vec<u8> {
        let (code, message, details) = (self.code, self.message.as_ref(), &self.details);
        let body = ErrorBody { error: ErrorObject { code, message, details, request_id, timestamp } };
        serde_json::to_vec(&body).expect("strings and JSON values serialise")
    }
}

impl IntoResponse for ApiError {
    /// An empty response that carries the error; see the module's first paragraph.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(error: &ApiError) -> Value {
        serde_json::from_slice(&error.body("req-1", "2026-01-02T03:04:05Z".parse().unwrap())).unwrap()
    }

    #[test]
    fn the_body_has_exactly_the_promised_fields() {
        let error = ApiError::new(StatusCode::NOT_FOUND, "graph_not_found", "there is no such graph");
        assert_eq!(
            body(&error),
            serde_json::json!({"error": {
                "code": "graph_not_found",
                "message": "there is no such graph",
                "details": null,
                "request_id": "req-1",
                "timestamp": "2026-01-02T03:04:05Z",
            }})
        );
    }

    #[test]
    fn validation_lists_the_fields() {
        let field = FieldError { field: "position.x".into(), message: "too far".into() };
        let error = ApiError::validation(std::slice::from_ref(&field));
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            body(&error)["error"]["details"],
            serde_json::json!([{"field": "position.x", "message": "too far"}])
        );
    }

    #[test]
    fn a_passing_condition_says_when_to_come_back() {
        let response = ApiError::unavailable("not_saved", "the database does not answer", 2).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(response.extensions().get::<ApiError>().unwrap().code(), "not_saved");
    }

    #[test]
    fn bare_statuses_have_codes() {
        for (status, code) in [
            (404, "not_found"),
            (405, "method_not_allowed"),
            (408, "request_timeout"),
            (413, "payload_too_large"),
            (415, "unsupported_media_type"),
            (400, "bad_request"),
            (431, "bad_request"),
            (500, "internal_error"),
            (502, "internal_error"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!((ApiError::of_status(status).status(), ApiError::of_status(status).code()), (status, code));
        }
    }
}
