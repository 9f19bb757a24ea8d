use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::TestApp;

#[tokio::test]
async fn health_shows_every_component() {
    let app = TestApp::with_map().await;
    let health = app.get("/health").await.expect(StatusCode::OK);
    assert_eq!((&health["status"], &health["version"]), (&json!("ok"), &json!(env!("CARGO_PKG_VERSION"))));
    assert!(health["uptime_seconds"].as_f64().unwrap() >= 0.0);
    let components = &health["components"];
    assert_eq!(components["database"]["status"], "ok");
    assert!(components["database"]["latency_ms"].as_f64().is_some_and(|latency| latency > 0.0));
    assert_eq!(components["database"]["backend"], "sqlite");
    assert_eq!((&components["journal"]["status"], &components["journal"]["backlog_bytes"]), (&json!("ok"), &json!(0)));
    assert!(components["journal"]["last_commit_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(components["rooms"], json!({"status": "ok", "open": 1}));
    assert_eq!(components["connections"], json!({"status": "ok", "open": 0, "max": 10_000}));
    assert_eq!(components["bus"]["status"], "off");
    assert_eq!(components["ai"], json!({"status": "ok", "provider": "template", "model": null, "breakers": []}));
    let cache = json!({"status": "ok", "memory_bytes": 0, "disk_bytes": 0, "hit_rate": 0.0, "shared": "off"});
    assert_eq!(components["cache"], cache);
}

#[tokio::test]
async fn a_draining_server_is_alive_and_not_ready() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/ready").await.expect(StatusCode::OK), json!({"ready": true, "reason": Value::Null}));
    app.draining.cancel();
    let ready = app.get("/ready").await.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready, json!({"ready": false, "reason": "draining"}));
    assert_eq!(app.get("/live").await.expect(StatusCode::OK), json!({"alive": true}));
}

#[tokio::test]
async fn requests_are_measured_by_route() {
    let app = TestApp::with_map().await;
    app.get("/v1/graphs/never-in-a-label").await.expect_error(404, "graph_not_found");
    let page = app.get("/metrics").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8")
    );
    let text = page.text();
    assert!(
        text.contains("api_request_duration_count{method=\"GET\",route=\"/v1/graphs/{graph_id}\",status=\"404\"}"),
        "{text}"
    );
    assert!(!text.contains("never-in-a-label"));
    for name in [
        "cache_hit_rate",
        "websocket_connections",
        "database_pool_size",
        "ai_token_usage",
        "error_rate",
        "synapti_rooms",
    ] {
        assert!(text.lines().any(|line| line.starts_with(&format!("{name} "))), "{name} is missing");
    }
}

#[tokio::test]
async fn without_its_database_the_server_is_down_and_says_so() {
    let app = TestApp::with_map().await;
    app.store.close().await;
    let health = app.get("/health").await.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((&health["status"], &health["components"]["database"]["status"]), (&json!("down"), &json!("down")));
    assert_eq!(health["components"]["database"]["latency_ms"], Value::Null);
    let list = app.get("/v1/graphs").await;
    list.expect_error(503, "store_unavailable");
    assert!(list.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    app.get("/v1/graphs/other").await.expect_error(503, "store_unavailable");
    app.get("/v1/graphs/m").await.expect(StatusCode::OK);
    app.get("/live").await.expect(StatusCode::OK);
}
