use axum::http::StatusCode;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn an_edge_is_made_read_changed_and_removed() {
    let app = TestApp::with_map().await;
    let wanted = json!({"id": "e 1", "source": "phobos", "target": "earth", "relationship": "sees", "strength": 0.25});
    let made = app.post("/v1/graphs/m/edges", wanted.clone()).await;
    assert_eq!(made.expect(StatusCode::CREATED), wanted);
    assert_eq!(made.header("location"), "/v1/graphs/m/edges/e%201");
    assert_eq!(app.get(made.header("location")).await.expect(StatusCode::OK), wanted);
    let patched = app.patch(made.header("location"), json!({"target": "mars", "strength": 1})).await;
    let expected = json!({"id": "e 1", "source": "phobos", "target": "mars", "relationship": "sees", "strength": 1});
    assert_eq!(patched.expect(StatusCode::OK), expected);
    app.delete(made.header("location")).await.expect(StatusCode::NO_CONTENT);
    app.get(made.header("location")).await.expect_error(404, "edge_not_found");
    app.delete(made.header("location")).await.expect_error(404, "edge_not_found");
}

#[tokio::test]
async fn edges_have_defaults() {
    let app = TestApp::with_map().await;
    let edge = app.get("/v1/graphs/m/edges/near").await.expect(StatusCode::OK);
    assert_eq!((&edge["relationship"], &edge["strength"]), (&json!("related"), &json!(1)));
    let fresh = app.post("/v1/graphs/m/edges", json!({"source": "sun", "target": "phobos"})).await;
    let id = fresh.expect(StatusCode::CREATED)["id"].as_str().unwrap().to_owned();
    assert!(uuid::Uuid::parse_str(&id).is_ok());
}

#[tokio::test]
async fn ends_must_be_nodes() {
    let app = TestApp::with_map().await;
    let post = async |source: &str, target: &str| {
        app.post("/v1/graphs/m/edges", json!({"source": source, "target": target})).await
    };
    assert_eq!(post("mars", "nobody").await.expect_bad_field(), "target");
    assert_eq!(post("nobody", "mars").await.expect_bad_field(), "source");
    let patched = app.patch("/v1/graphs/m/edges/near", json!({"source": "nobody"})).await;
    assert_eq!(patched.expect_bad_field(), "source");
    let twice = json!({"id": "near", "source": "sun", "target": "mars"});
    app.post("/v1/graphs/m/edges", twice).await.expect_error(409, "edge_exists");
}

#[tokio::test]
async fn edges_of_the_tree_can_be_read_and_not_written() {
    let app = TestApp::with_map().await;
    let edge = app.get("/v1/graphs/m/edges/contains:mars").await.expect(StatusCode::OK);
    assert_eq!((&edge["source"], &edge["target"], &edge["derived"]), (&json!("sun"), &json!("mars"), &json!(true)));
    app.patch("/v1/graphs/m/edges/contains:mars", json!({"strength": 0})).await.expect_error(404, "edge_not_found");
    app.delete("/v1/graphs/m/edges/contains:mars").await.expect_error(404, "edge_not_found");
}

#[tokio::test]
async fn edges_go_with_their_nodes() {
    let app = TestApp::with_map().await;
    app.delete("/v1/graphs/m/nodes/mars").await.expect(StatusCode::NO_CONTENT);
    app.get("/v1/graphs/m/edges/near").await.expect_error(404, "edge_not_found");
}
