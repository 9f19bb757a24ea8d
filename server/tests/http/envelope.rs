use axum::{
    body::Body,
    http::{HeaderValue, Method, Request, StatusCode, header},
};
use serde_json::json;

use crate::app::{TestApp, request};

#[tokio::test]
async fn every_response_has_an_id_and_its_time() {
    let app = TestApp::with_map().await;
    for path in [
        "/",
        "/health",
        "/live",
        "/docs/",
        "/docs",
        "/v1/graphs",
        "/v1/graphs/m",
        "/v1/graphs/none",
        "/nowhere",
        "/v1/panic",
    ] {
        let answer = app.get(path).await;
        assert!(uuid::Uuid::parse_str(answer.header("x-request-id")).is_ok(), "{path}");
        let time = answer.header("x-process-time");
        assert!(time.parse::<f64>().is_ok_and(|seconds| (0.0..60.0).contains(&seconds)), "{path}: {time}");
        assert_eq!(time.split_once('.').map(|(_, decimals)| decimals.len()), Some(6), "{path}: {time}");
    }
}

#[tokio::test]
async fn the_clients_id_is_used_when_it_is_sane() {
    let app = TestApp::new().await;
    let with_id = async |id: &'static [u8]| {
        let mut request = request(Method::GET, "/v1/graphs/none", None);
        request.headers_mut().insert("x-request-id", HeaderValue::from_bytes(id).unwrap());
        let answer = app.send(request).await;
        answer.expect_error(404, "graph_not_found");
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(with_id(b"client-1.A_b").await, "client-1.A_b");
    assert_ne!(with_id(b"a b").await, "a b");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let app = TestApp::new().await;
    for path in ["/nowhere", "/v1", "/v1/graphs/a/nodes/b/c", "/docs/nothing.js", "/v1/graphs/"] {
        app.get(path).await.expect_error(404, "not_found");
    }
    for (method, path, allow) in [
        (Method::DELETE, "/v1/graphs", "GET,HEAD,POST"),
        (Method::POST, "/health", "GET,HEAD"),
        (Method::PUT, "/v1/graphs/m", "DELETE,GET,HEAD,PATCH"),
        (Method::GET, "/v1/graphs/m/nodes", "POST"),
    ] {
        let answer = app.send(request(method, path, None)).await;
        answer.expect_error(405, "method_not_allowed");
        let mut methods: Vec<&str> = answer.header(header::ALLOW).split(',').map(str::trim).collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allow, "{path}");
    }
}

#[tokio::test]
async fn a_panic_is_an_error_without_internals() {
    let app = TestApp::new().await;
    let answer = app.get("/v1/panic").await;
    answer.expect_error(500, "internal_error");
    assert!(!answer.text().contains("as the test wants"));
    app.get("/live").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn large_json_is_compressed_for_those_who_ask() {
    let app = TestApp::with_map().await;
    let summary = "all work and no play ".repeat(200);
    app.patch("/v1/graphs/m/nodes/mars", json!({"summary": summary})).await.expect(StatusCode::OK);
    let plain = app.get("/v1/graphs/m").await;
    let mut asking = request(Method::GET, "/v1/graphs/m", None);
    asking.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let packed = app.send(asking).await;
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), ("", "gzip"));
    assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.body.len() * 2 < plain.body.len());
    assert_eq!(packed.header("etag"), plain.header("etag"));
    let mut small = request(Method::GET, "/live", None);
    small.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    assert_eq!(app.send(small).await.header("content-encoding"), "");
}

#[tokio::test]
async fn pages_of_other_origins_cannot_change_anything() {
    let app = TestApp::with(&[("SYNAPTI_AUTH_ALLOWED_ORIGINS", "https://maps.example")]).await;
    let from = async |origin: &'static str, method: Method| {
        let mut request = request(method, "/v1/graphs", None);
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost:8080"));
        request.headers_mut().insert(header::ORIGIN, HeaderValue::from_static(origin));
        app.send(request).await
    };
    from("https://evil.example", Method::POST).await.expect_error(403, "origin_not_allowed");
    from("null", Method::POST).await.expect_error(403, "origin_not_allowed");
    let evil = from("https://evil.example", Method::GET).await;
    assert_eq!(evil.header("access-control-allow-origin"), "");
    from("http://localhost:8080", Method::POST).await.expect(StatusCode::CREATED);
    let listed = from("https://maps.example", Method::POST).await;
    listed.expect(StatusCode::CREATED);
    assert_eq!(listed.header("access-control-allow-origin"), "https://maps.example");
    assert!(listed.header("access-control-expose-headers").contains("etag"));
}

#[tokio::test]
async fn listed_origins_may_ask_first() {
    let app = TestApp::with(&[("SYNAPTI_AUTH_ALLOWED_ORIGINS", "https://maps.example")]).await;
    let mut preflight = request(Method::OPTIONS, "/v1/graphs/m", None);
    let headers = preflight.headers_mut();
    headers.insert(header::ORIGIN, HeaderValue::from_static("https://maps.example"));
    headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PATCH"));
    let answer = app.send(preflight).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), "https://maps.example");
    assert!(answer.header("access-control-allow-methods").contains("PATCH"));
    assert!(answer.header("access-control-allow-headers").contains("if-match"));
}

fn asked_as(method: Method, path: &str, hosts: &[&'static str]) -> Request<Body> {
    let body = (method == Method::POST).then(|| json!({}));
    let mut request = request(method, path, body);
    for host in hosts {
        request.headers_mut().append(header::HOST, HeaderValue::from_static(host));
        let origin = HeaderValue::from_str(&format!("http://{host}")).unwrap();
        request.headers_mut().insert(header::ORIGIN, origin);
    }
    request
}

#[tokio::test]
async fn a_page_whose_name_points_here_can_neither_read_nor_write() {
    let app = TestApp::with(&[("SYNAPTI_AUTH_ALLOWED_ORIGINS", "https://maps.example")]).await;
    for (method, path) in [
        (Method::POST, "/v1/graphs"),
        (Method::GET, "/v1/graphs"),
        (Method::HEAD, "/v1/graphs"),
        (Method::OPTIONS, "/v1/graphs"),
        (Method::DELETE, "/v1/graphs/m"),
        (Method::GET, "/"),
        (Method::GET, "/docs/"),
        (Method::GET, "/v1/ws/m"),
        (Method::GET, "/v1/hocuspocus"),
        (Method::GET, "/live/no"),
    ] {
        let answer = app.send(asked_as(method.clone(), path, &["evil.example:8080"])).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{method} {path}");
        if method != Method::HEAD {
            answer.expect_error(421, "host_not_allowed");
            assert!(answer.text().contains("SYNAPTI_AUTH_ALLOWED_ORIGINS"));
        }
    }
    let two_hosts = asked_as(Method::GET, "/v1/graphs", &["localhost", "evil.example"]);
    app.send(two_hosts).await.expect_error(421, "host_not_allowed");
    let authority = asked_as(Method::GET, "http://evil.example:8080/v1/graphs", &[]);
    app.send(authority).await.expect_error(421, "host_not_allowed");
    for host in ["127.0.0.1:8080", "[::1]:8080", "localhost:8080", "maps.localhost", "maps.example"] {
        app.send(asked_as(Method::POST, "/v1/graphs", &[host])).await.expect(StatusCode::CREATED);
    }
}

#[tokio::test]
async fn load_balancers_may_ask_under_any_name_and_programs_under_none() {
    let app = TestApp::new().await;
    for path in ["/live", "/ready", "/health", "/metrics"] {
        let answer = app.send(asked_as(Method::GET, path, &["10-0-0-7.pods.example"])).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    app.send(asked_as(Method::GET, "/v1/graphs", &[])).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_server_that_is_public_on_purpose_answers_to_every_name() {
    let app = TestApp::with(&[("SYNAPTI_AUTH_OPEN_ANYWHERE", "1")]).await;
    app.send(asked_as(Method::POST, "/v1/graphs", &["maps.example"])).await.expect(StatusCode::CREATED);
}
