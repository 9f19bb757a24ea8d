use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp};

async fn raw(app: &TestApp, content_type: Option<&str>, body: impl Into<Body>) -> Answer {
    let mut builder = Request::builder().method(Method::POST).uri("/v1/graphs/m/nodes");
    if let Some(content_type) = content_type {
        builder = builder.header(header::CONTENT_TYPE, content_type);
    }
    app.send(builder.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn every_node_field_has_its_limit() {
    let app = TestApp::with_map().await;
    for (field, extra) in [
        ("title", json!({"title": "x".repeat(1001)})),
        ("title", json!({"title": 5})),
        ("title", json!({"title": null})),
        ("summary", json!({"summary": "x".repeat(20_001)})),
        ("id", json!({"id": ""})),
        ("id", json!({"id": "x".repeat(129)})),
        ("id", json!({"id": "ä".repeat(65)})),
        ("id", json!({"id": "a\nb"})),
        ("id", json!({"id": "a\u{0}"})),
        ("parent_id", json!({"parent_id": "x".repeat(129)})),
        ("parent_id", json!({"parent_id": 5})),
        ("color", json!({"color": "red"})),
        ("color", json!({"color": "#12345"})),
        ("color", json!({"color": "#12345g"})),
        ("color", json!({"color": "#ääa"})),
        ("size", json!({"size": 0})),
        ("size", json!({"size": -1})),
        ("size", json!({"size": 100.5})),
        ("size", json!({"size": "1"})),
        ("position.x", json!({"position": {"x": 1e6 + 1.0, "y": 0, "z": 0}})),
        ("position.z", json!({"position": {"x": 0, "y": 0, "z": -1e300}})),
        ("position.y", json!({"position": {"x": 0, "z": 0}})),
        ("position.w", json!({"position": {"x": 0, "y": 0, "z": 0, "w": 0}})),
        ("position", json!({"position": 5})),
        ("expandable", json!({"expandable": "yes"})),
        ("source", json!({"source": "alien"})),
        ("before", json!({"before": "mars", "after": "earth"})),
        ("colour", json!({"colour": "#000000"})),
        ("parent", json!({"parent": "mars"})),
    ] {
        let mut body = json!({"title": "ok"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(app.post("/v1/graphs/m/nodes", body.clone()).await.expect_bad_field(), field, "POST {extra}");
        if field != "id" {
            let answer = app.patch("/v1/graphs/m/nodes/mars", body).await;
            assert_eq!(answer.expect_bad_field(), field, "PATCH {extra}");
        }
    }
    assert_eq!(app.get("/v1/graphs/m").await.json()["nodes"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn values_at_their_limits_are_taken() {
    let app = TestApp::with_map().await;
    for extra in [
        json!({"title": "ä".repeat(1000)}),
        json!({"title": ""}),
        json!({"summary": "😀".repeat(20_000)}),
        json!({"id": "x".repeat(128)}),
        json!({"size": 100}),
        json!({"size": 0.001}),
        json!({"position": {"x": 1e6, "y": -1e6, "z": 0}}),
        json!({"summary": null, "position": null, "color": null, "size": null}),
    ] {
        let mut body = json!({"title": "ok"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        app.post("/v1/graphs/m/nodes", body).await.expect(StatusCode::CREATED);
    }
}

#[tokio::test]
async fn graphs_and_edges_are_checked_too() {
    let app = TestApp::with_map().await;
    for (field, body) in [
        ("topic", json!({"topic": "x".repeat(1001)})),
        ("topic", json!({"topic": {}})),
        ("title", json!({"title": "x"})),
    ] {
        assert_eq!(app.post("/v1/graphs", body.clone()).await.expect_bad_field(), field, "{body}");
        assert_eq!(app.patch("/v1/graphs/m", body.clone()).await.expect_bad_field(), field, "{body}");
    }
    assert_eq!(app.patch("/v1/graphs/m", json!({"topic": null})).await.expect_bad_field(), "topic");
    for (field, extra) in [
        ("strength", json!({"strength": 1.01})),
        ("strength", json!({"strength": -0.01})),
        ("relationship", json!({"relationship": "x".repeat(201)})),
        ("source", json!({"source": ""})),
        ("target", json!({"target": null})),
        ("weight", json!({"weight": 1})),
    ] {
        let mut body = json!({"source": "mars", "target": "earth"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(app.post("/v1/graphs/m/edges", body).await.expect_bad_field(), field, "{extra}");
        assert_eq!(app.patch("/v1/graphs/m/edges/near", extra.clone()).await.expect_bad_field(), field, "{extra}");
    }
    assert_eq!(app.post("/v1/graphs/m/edges", json!({"source": "mars"})).await.expect_bad_field(), "target");
}

#[tokio::test]
async fn all_bad_fields_are_named_at_once() {
    let app = TestApp::with_map().await;
    let answer = app.post("/v1/graphs/m/nodes", json!({"title": "x".repeat(1001), "size": 0, "color": "red"})).await;
    let details = answer.expect_error(422, "validation_failed");
    let mut fields: Vec<&str> = details.as_array().unwrap().iter().map(|it| it["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["color", "size", "title"]);
}

#[tokio::test]
async fn text_that_is_not_json_is_another_mistake() {
    let app = TestApp::with_map().await;
    let json = Some("application/json");
    for body in
        ["{", "{\"title\": \"x\"} x", "title=x", "{\"title\": \"\\ud800\"}", "{\"title\": \"\u{1}\"}", "\u{feff}{}"]
    {
        raw(&app, json, body).await.expect_error(400, "invalid_json");
    }
    raw(&app, json, vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']).await.expect_error(400, "invalid_json");
    for body in ["[]", "null", "5", "\"x\""] {
        raw(&app, json, body).await.expect_error(422, "validation_failed");
    }
    raw(&app, json, format!("{{\"title\": {}1{}}}", "[".repeat(9_999), "]".repeat(9_999))).await.expect_bad_field();
    assert_eq!(raw(&app, json, "{\"title\": \"a\", \"title\": \"b\"}").await.expect_bad_field(), "title");
    assert_eq!(raw(&app, None, "").await.expect_bad_field(), "title");
}

#[tokio::test]
async fn only_json_is_taken() {
    let app = TestApp::with_map().await;
    let body = json!({"title": "x"}).to_string();
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")]
    {
        raw(&app, content_type, body.clone()).await.expect_error(415, "unsupported_media_type");
    }
    for content_type in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
        raw(&app, Some(content_type), body.clone()).await.expect(StatusCode::CREATED);
    }
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let app = TestApp::with(&[("SYNAPTI_LIMITS_MESSAGE_BYTES_MAX", "2000")]).await;
    app.post("/v1/graphs", json!({"id": "m"})).await.expect(StatusCode::CREATED);
    let body = |bytes: usize| json!({"title": "t", "summary": "x".repeat(bytes - 26)});
    assert_eq!(Value::to_string(&body(2000)).len(), 2000);
    app.post("/v1/graphs/m/nodes", body(2000)).await.expect(StatusCode::CREATED);
    app.post("/v1/graphs/m/nodes", body(2001)).await.expect_error(413, "payload_too_large");
    let unlimited = TestApp::with(&[("SYNAPTI_LIMITS_MESSAGE_BYTES_MAX", "0")]).await;
    let large = json!({"topic": "x".repeat(3 << 20)});
    assert_eq!(unlimited.post("/v1/graphs", large).await.expect_bad_field(), "topic");
}
