use std::time::Duration;

use axum::http::{Method, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};
use synapti_server::breaker::Breaker;

use crate::app::{TestApp, admin_token, request, token};

const HOUR: Duration = Duration::from_hours(1);

async fn post(app: &TestApp, path: &str) -> crate::app::Answer {
    app.send(request(Method::POST, path, None)).await
}

fn broken(app: &TestApp, name: &str) {
    let breaker = Breaker::new(name, 1, HOUR);
    app.breakers.add(breaker.clone());
    breaker.permit().unwrap().fail("HTTP status 529");
}

#[tokio::test]
async fn an_operator_clears_the_cache() {
    let app = TestApp::new().await;
    app.cache.put("a", Bytes::from_static(b"answer"), HOUR).await;
    assert!(app.cache.get("a").await.is_some());
    let health = app.get("/health").await.expect(StatusCode::OK);
    assert_eq!(health["components"]["cache"]["hit_rate"], 1.0);
    assert!(health["components"]["cache"]["memory_bytes"].as_u64().unwrap() > 0);
    let page = app.get("/metrics").await.text();
    assert!(page.lines().any(|line| line.starts_with("synapti_cache_hits_total{tier=\"memory\"} ")), "{page}");
    let cleared = post(&app, "/v1/admin/cache/clear").await.expect(StatusCode::OK)["cleared"].clone();
    assert_eq!((&cleared["memory"], &cleared["shared"]), (&json!(1), &json!(0)), "{cleared}");
    assert!(cleared["disk"].is_u64());
    assert_eq!(app.cache.get("a").await, None);
}

#[tokio::test]
async fn an_open_breaker_is_listed_degrades_and_can_be_reset() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/v1/admin/circuit-breakers").await.expect(StatusCode::OK), json!({"breakers": []}));
    broken(&app, "admin-test-model");
    let list = app.get("/v1/admin/circuit-breakers").await.expect(StatusCode::OK);
    let breaker = &list["breakers"][0];
    let retry_after = breaker["retry_after_seconds"].as_f64().unwrap();
    assert!(retry_after > 3500.0 && retry_after <= 3600.0, "{retry_after}");
    assert_eq!(
        *breaker,
        json!({
            "name": "admin-test-model", "state": "open", "failures": 1, "failures_max": 1, "opened": 1,
            "retry_after_seconds": retry_after, "last_error": "HTTP status 529",
        })
    );
    let health = app.get("/health").await.expect(StatusCode::OK);
    assert_eq!((&health["status"], &health["components"]["ai"]["status"]), (&json!("degraded"), &json!("degraded")));
    assert_eq!(health["components"]["ai"]["breakers"], json!([{"name": "admin-test-model", "state": "open"}]));
    let page = app.get("/metrics").await.text();
    assert!(page.contains("synapti_breaker_state{name=\"admin-test-model\"} 2"), "{page}");
    app.get("/ready").await.expect(StatusCode::OK);

    let closed = post(&app, "/v1/admin/circuit-breakers/admin-test-model/reset").await.expect(StatusCode::OK);
    assert_eq!((&closed["state"], &closed["retry_after_seconds"]), (&json!("closed"), &Value::Null));
    assert_eq!((&closed["failures"], &closed["opened"]), (&json!(0), &json!(1)));
    assert_eq!(app.get("/health").await.json()["status"], "ok");
    for name in ["other", "a%20b"] {
        let path = format!("/v1/admin/circuit-breakers/{name}/reset");
        post(&app, &path).await.expect_error(404, "breaker_not_found");
    }
    post(&app, "/v1/admin/circuit-breakers/%ff/reset").await.expect_error(400, "invalid_path");
}

#[tokio::test]
async fn all_of_it_is_for_operators() {
    let app = TestApp::guarded().await;
    let ann = token("ann", &[("*", "owner")]);
    broken(&app, "guarded-model");
    for (method, path) in [
        (Method::POST, "/v1/admin/cache/clear"),
        (Method::GET, "/v1/admin/circuit-breakers"),
        (Method::POST, "/v1/admin/circuit-breakers/guarded-model/reset"),
    ] {
        app.send(request(method.clone(), path, None)).await.expect_error(401, "unauthenticated");
        app.send_as(&ann, method.clone(), path, None).await.expect_error(403, "forbidden");
        app.send_as(&admin_token(), method, path, None).await.expect(StatusCode::OK);
    }
}
