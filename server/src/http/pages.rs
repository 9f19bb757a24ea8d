//! Pages for people: the front page and the reader of the API's description.

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware::map_response,
    response::{Html, IntoResponse, Response},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::state::AppState;

/// The reader needs inline styles, and images as data; everything comes from this server.
const READER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

const FRONT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// The front page
#[utoipa::path(get, path = "/", tag = "operations", responses(
    (status = 200, description = "A page that says what runs here", body = String, content_type = "text/html"),
))]
pub async fn front() -> Response {
    let page = include_str!("front.html").replace("{version}", env!("CARGO_PKG_VERSION"));
    let policy = HeaderValue::from_static(FRONT_POLICY);
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page)).into_response()
}

/// The reader of the API's description, with everything it needs.
pub fn docs() -> Router<AppState> {
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
