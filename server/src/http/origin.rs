//! Which pages may use this server from a browser: its own and those of the configured origins.
//!
//! Browsers let any page send simple requests and open sockets anywhere; only the server can refuse them.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

use super::error::ApiError;
use crate::config::Config;

/// Whether a request may act here. Programs that are no browsers send no `Origin` and may.
pub fn is_allowed(headers: &HeaderMap, uri: &Uri, allowed_origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str().map(str::to_ascii_lowercase) else { return false };
    allowed_origins.contains(&origin) || is_own(&origin, headers, uri)
}

/// Middleware: refuses requests that would change something on behalf of a foreign page.
pub async fn guard(State(config): State<Arc<Config>>, request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if !is_safe && !is_allowed(request.headers(), request.uri(), &config.auth.allowed_origins) {
        let message = "pages of this origin may not use this server (SYNAPTI_AUTH_ALLOWED_ORIGINS)";
        return ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", message).into_response();
    }
    next.run(request).await
}

/// A proxy may have ended TLS, so the scheme that the page was loaded with is unknown here: host and port decide.
fn is_own(origin: &str, headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(uri.authority().map(Authority::as_str));
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_allowed(&headers, &Uri::from_static("/v1/graphs"), &["https://maps.example".to_owned()])
    }

    #[test]
    fn own_pages_listed_origins_and_programs_are_allowed() {
        assert!(allowed(None, "localhost:8080"));
        assert!(allowed(Some("http://localhost:8080"), "localhost:8080"));
        assert!(allowed(Some("https://maps.example"), "localhost:8080"));
        assert!(allowed(Some("HTTPS://Maps.Example"), "localhost:8080"));
    }

    #[test]
    fn foreign_pages_are_not() {
        for origin in
            ["null", "https://evil.example", "http://localhost:9090", "https://maps.example.evil", "localhost:8080"]
        {
            assert!(!allowed(Some(origin), "localhost:8080"), "{origin}");
        }
    }
}
