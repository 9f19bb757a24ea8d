//! Pages for people: the list of maps, a map, and the reader of the API's description.

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    middleware::map_response,
    response::Response,
    routing::get,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{error::ErrorBody, path::InGraph, site, state::AppState};

/// The reader needs inline styles, and images as data; everything comes from this server.
const READER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The list of maps
#[utoipa::path(get, path = "/", tag = "operations", responses(
    (status = 200, description = "The page, or without the web part a page that says how to build it", body = String,
        content_type = "text/html"),
    (status = 304, description = "The client has this page"),
))]
pub async fn front(headers: HeaderMap) -> Response {
    site::page(&headers)
}

/// A map to look at and to edit
#[utoipa::path(get, path = "/m/{graph_id}", tag = "operations", params(
    ("graph_id" = String, Path, description = "The graph", example = "solar-system"),
), responses(
    (status = 200, description = "The page; it opens the map over WebSocket", body = String, content_type = "text/html"),
    (status = 304, description = "The client has this page"),
    (status = 400, description = "Not a graph id", body = ErrorBody),
))]
pub async fn map(_graph: InGraph, headers: HeaderMap) -> Response {
    site::page(&headers)
}

/// The files that the pages load.
pub fn files() -> Router<AppState> {
    docs().route("/assets/{name}", get(site::asset))
}

/// The reader of the API's description, with everything it needs.
fn docs() -> Router<AppState> {
    // Without "none" the reader would send the description's address to a validator on the internet.
    let config = Config::new(["/openapi.json"]).validator_url("none").deep_linking(true);
    let reader: Router<AppState> = SwaggerUi::new("/docs").config(config).into();
    reader.layer(map_response(async |mut response: Response| {
        let policy = HeaderValue::from_static(READER_POLICY);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    }))
}

#[utoipa::path(get, path = "/docs", tag = "operations", summary = "This description, to read and try", responses(
    (status = 303, description = "The reader is at /docs/"),
))]
#[expect(dead_code, reason = "describes what `docs` serves")]
pub(super) fn docs_description() {}
