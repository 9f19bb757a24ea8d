use axum::http::{HeaderName, Method, StatusCode, header};
use serde_json::json;

use crate::app::{Answer, TestApp, request};

async fn with_header(app: &TestApp, method: Method, name: HeaderName, value: &str) -> Answer {
    let body = (method == Method::PATCH).then(|| json!({"topic": "new"}));
    let mut request = request(method, "/v1/graphs/m", body);
    request.headers_mut().insert(name, value.parse().unwrap());
    app.send(request).await
}

#[tokio::test]
async fn a_state_that_the_client_has_is_not_sent_again() {
    let app = TestApp::with_map().await;
    let etag = app.get("/v1/graphs/m").await.header("etag").to_owned();
    for tags in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        let answer = with_header(&app, Method::GET, header::IF_NONE_MATCH, &tags).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{tags}");
        assert_eq!(answer.header("etag"), etag);
        assert!(!answer.header("x-request-id").is_empty());
    }
    let other = with_header(&app, Method::GET, header::IF_NONE_MATCH, "\"x\"").await;
    other.expect(StatusCode::OK);
    app.patch("/v1/graphs/m/nodes/mars", json!({"title": "Ares"})).await.expect(StatusCode::OK);
    let changed = with_header(&app, Method::GET, header::IF_NONE_MATCH, &etag).await;
    changed.expect(StatusCode::OK);
    assert_ne!(changed.header("etag"), etag);
}

#[tokio::test]
async fn a_change_of_another_state_is_refused() {
    let app = TestApp::with_map().await;
    let etag = app.get("/v1/graphs/m").await.header("etag").to_owned();
    let stale = with_header(&app, Method::PATCH, header::IF_MATCH, "\"old\"").await;
    stale.expect_error(412, "precondition_failed");
    assert_eq!(app.get("/v1/graphs/m").await.json()["topic"], "");
    with_header(&app, Method::PATCH, header::IF_MATCH, &etag).await.expect(StatusCode::OK);
    with_header(&app, Method::PATCH, header::IF_MATCH, &etag).await.expect_error(412, "precondition_failed");
    with_header(&app, Method::PATCH, header::IF_MATCH, "*").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::with_map().await;
    let get = app.get("/v1/graphs/m").await;
    let head = app.send(request(Method::HEAD, "/v1/graphs/m", None)).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    for path in ["/", "/health", "/metrics", "/openapi.json", "/docs/", "/v1/graphs", "/v1/graphs/none", "/nowhere"] {
        let (get, head) = (app.get(path).await, app.send(request(Method::HEAD, path, None)).await);
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
    }
}
