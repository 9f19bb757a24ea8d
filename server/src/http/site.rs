//! The web part: one page for all its addresses, and the files that it loads, all of them built into the program.
//!
//! The program is also built without it, on machines that have no Node.js. Then a plain page says how to get it.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    body::Bytes,
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{error::ApiError, etag};

/// A file's path below the built web part, and its content.
type File = (&'static str, &'static [u8]);

/// What `build.rs` found; empty when the web part was not built.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/site_files.rs"));

/// The page loads its own files, talks to this server, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PLAIN_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// The names of assets change with their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The page under `/` and under each map's address.
pub fn page(headers: &HeaderMap) -> Response {
    SITE.page(headers)
}

/// A file that the page loads.
pub async fn asset(Path(name): Path<String>) -> Response {
    SITE.asset(&name)
}

static SITE: LazyLock<Site> = LazyLock::new(|| Site::of(FILES));

struct Site {
    page: Bytes,
    policy: HeaderValue,
    etag: String,
    assets: HashMap<&'static str, &'static [u8]>,
}

impl Site {
    fn of(files: &[File]) -> Self {
        let built = files.iter().find(|(path, _)| *path == "index.html");
        let built = built.and_then(|(_, bytes)| str::from_utf8(bytes).ok());
        let (page, policy) = built.map_or((include_str!("front.html"), PLAIN_POLICY), |page| (page, PAGE_POLICY));
        let page = page.replace("{version}", env!("CARGO_PKG_VERSION"));
        let assets = files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix("assets/")?, *bytes)));
        Self {
            // Weak, because it names the content whatever its encoding.
            etag: format!("W/\"{:08x}-{:x}\"", crc32fast::hash(page.as_bytes()), page.len()),
            page: page.into(),
            policy: HeaderValue::from_static(policy),
            assets: assets.collect(),
        }
    }

    fn page(&self, headers: &HeaderMap) -> Response {
        let mut response = if etag::none_match_fails(headers, &self.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            typed("text/html; charset=utf-8", self.page.clone())
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::ETAG, HeaderValue::from_str(&self.etag).expect("a tag is hexadecimal digits"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }

    fn asset(&self, name: &str) -> Response {
        let Some(bytes) = self.assets.get(name) else {
            return ApiError::of_status(StatusCode::NOT_FOUND).into_response();
        };
        let mut response = typed(content_type(name), Bytes::from_static(bytes));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
        // A picture that is opened by itself is a page too.
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        response
    }
}

fn typed(content_type: &'static str, body: Bytes) -> Response {
    const NO_SNIFF: (HeaderName, HeaderValue) = (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type)), NO_SNIFF], body).into_response()
}

/// The kinds of files that the build of the web part makes.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    const BUILT: &[File] = &[
        ("assets/index-1.js", b"start()"),
        ("assets/icon-2.svg", b"<svg/>"),
        ("index.html", b"<title>Synapti {version}</title>"),
    ];

    fn sent<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap_or_default())
    }

    async fn text(response: Response) -> String {
        let bytes = response.into_body().collect().await.expect("a body in memory").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn without_the_web_part_the_page_says_how_to_build_it() {
        let response = Site::of(&[]).page(&HeaderMap::new());
        assert_eq!(response.status(), StatusCode::OK);
        assert!(sent(&response, "content-security-policy").starts_with("default-src 'none'"));
        let page = text(response).await;
        assert!(page.contains("npm ci &amp;&amp; npm run build") && page.contains("make run"), "{page}");
        assert!(page.contains(env!("CARGO_PKG_VERSION")));
        assert_eq!(Site::of(&[]).asset("index-1.js").status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_built_page_is_asked_for_each_time_and_sent_once() {
        let site = Site::of(BUILT);
        let response = site.page(&HeaderMap::new());
        assert_eq!(sent(&response, "cache-control"), "no-cache");
        assert_eq!(sent(&response, "content-type"), "text/html; charset=utf-8");
        assert_eq!(sent(&response, "x-content-type-options"), "nosniff");
        assert_eq!(sent(&response, "referrer-policy"), "same-origin");
        assert!(!sent(&response, "content-security-policy").contains("unsafe"));
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, response.headers()[header::ETAG].clone())]);
        assert_eq!(site.page(&known).status(), StatusCode::NOT_MODIFIED);
        let other = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("W/\"1-1\""))]);
        assert_eq!(site.page(&other).status(), StatusCode::OK);
        assert_eq!(text(response).await, format!("<title>Synapti {}</title>", env!("CARGO_PKG_VERSION")));
    }

    #[tokio::test]
    async fn assets_are_kept_for_ever_and_nothing_else_is_there() {
        let site = Site::of(BUILT);
        let script = site.asset("index-1.js");
        assert_eq!(sent(&script, "cache-control"), FOR_EVER);
        assert_eq!(sent(&script, "content-type"), "text/javascript; charset=utf-8");
        assert_eq!(sent(&script, "x-content-type-options"), "nosniff");
        assert_eq!(text(script).await, "start()");
        assert_eq!(sent(&site.asset("icon-2.svg"), "content-type"), "image/svg+xml");
        for name in ["", "index.html", "../index.html", "INDEX-1.js", "index-2.js"] {
            assert_eq!(site.asset(name).status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}
