//! Which names this server answers to.
//!
//! A web site can have a name of its own point at this server (DNS rebinding); for the browser the server is then a part
//! of that site, and [`super::origin`] cannot tell. So without tokens a server that is not public on purpose answers only
//! to names that are its own beyond doubt.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::error::ApiError;
use crate::config::{AuthConfig, AuthMode, Config};

/// What load balancers ask under any name. None of it tells what is in a map.
const ANY_HOST_PATHS: [&str; 4] = ["/live", "/ready", "/health", "/metrics"];

/// Middleware: refuses requests for a name that is not this server's.
pub async fn guard(State(config): State<Arc<Config>>, request: Request, next: Next) -> Response {
    if ANY_HOST_PATHS.contains(&request.uri().path()) || is_asked_as_itself(&request, &config.auth) {
        return next.run(request).await;
    }
    let message = "this server does not answer to this name: use its IP address or localhost, or list the origin of \
                   this name in SYNAPTI_AUTH_ALLOWED_ORIGINS";
    ApiError::new(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed", message).into_response()
}

/// Whether the request names this server by a name that no stranger can have pointed at it. Every browser names the
/// server, so a request that does not is none of a page and may pass.
fn is_asked_as_itself(request: &Request, auth: &AuthConfig) -> bool {
    if auth.open_anywhere || auth.mode != AuthMode::Open {
        return true;
    }
    let named = request.headers().get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
    named.chain(request.uri().authority().map(Authority::as_str)).all(|host| is_own_name(host, &auth.allowed_origins))
}

/// Nobody can register an IP address or a name under `localhost`; names of allowed origins were listed by the operator.
fn is_own_name(host: &str, allowed_origins: &[String]) -> bool {
    let Some(name) = name_of(host) else { return false };
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    let is_listed =
        |origin: &String| origin.split_once("://").and_then(|(_, host)| name_of(host)).as_ref() == Some(&name);
    literal.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || allowed_origins.iter().any(is_listed)
}

/// The name in `name:port`, as names are compared.
fn name_of(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok()?;
    let name = authority.host();
    Some(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_the_hosts_of_listed_origins_are_own_names() {
        let listed = ["https://maps.example".to_owned(), "http://[fd00::1]:8080".to_owned()];
        for host in [
            "127.0.0.1:8080",
            "192.168.1.2",
            "[::1]:8080",
            "[::1]",
            "localhost",
            "LocalHost:9090",
            "localhost.:80",
            "maps.localhost:8080",
            "maps.example",
            "Maps.Example:8443",
        ] {
            assert!(is_own_name(host, &listed), "{host}");
        }
    }

    #[test]
    fn names_that_somebody_may_have_registered_are_not() {
        let listed = ["https://maps.example".to_owned()];
        for host in [
            "",
            ":8080",
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "maps.example.evil",
            "evil.maps.example",
            "[localhost]",
            "127.0.0.1, evil.example",
            "127.0.0.1/evil.example",
        ] {
            assert!(!is_own_name(host, &listed), "{host}");
        }
    }
}
