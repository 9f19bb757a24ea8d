use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{TestApp, request};

#[tokio::test]
async fn a_graph_with_a_topic_has_a_root_with_that_title() {
    let app = TestApp::new().await;
    let made = app.post("/v1/graphs", json!({"id": "solar-system", "topic": "The solar system"})).await;
    let graph = made.expect(StatusCode::CREATED);
    assert_eq!(made.header("location"), "/v1/graphs/solar-system");
    assert_eq!((&graph["id"], &graph["topic"]), (&json!("solar-system"), &json!("The solar system")));
    assert_eq!(graph["nodes"].as_array().unwrap().len(), 1);
    let root = &graph["nodes"][0];
    assert_eq!(
        (&root["title"], &root["parent_id"], &root["depth"]),
        (&json!("The solar system"), &Value::Null, &json!(0))
    );
    assert_eq!(root["position"], json!({"x": 0, "y": 0, "z": 0}));
    let read = app.get("/v1/graphs/solar-system").await;
    assert_eq!(read.expect(StatusCode::OK)["nodes"], graph["nodes"]);
    assert_eq!(read.header("etag"), made.header("etag"));
    assert!(read.header("etag").starts_with('"'));
}

#[tokio::test]
async fn a_graph_without_anything_gets_an_id_and_is_empty() {
    let app = TestApp::new().await;
    let made = app.send(request(Method::POST, "/v1/graphs", None)).await;
    let graph = made.expect(StatusCode::CREATED);
    let id = graph["id"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    assert_eq!(made.header("location"), format!("/v1/graphs/{id}"));
    assert_eq!((&graph["nodes"], &graph["topic"]), (&json!([]), &json!("")));
    app.get(made.header("location")).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn ids_are_unique_for_ever() {
    let app = TestApp::new().await;
    app.post("/v1/graphs", json!({"id": "a"})).await.expect(StatusCode::CREATED);
    app.post("/v1/graphs", json!({"id": "a", "topic": "other"})).await.expect_error(409, "graph_exists");
    assert_eq!(app.get("/v1/graphs/a").await.json()["topic"], "");
    let deleted = app.delete("/v1/graphs/a").await;
    assert_eq!((deleted.status, deleted.body.len()), (StatusCode::NO_CONTENT, 0));
    app.post("/v1/graphs", json!({"id": "a"})).await.expect_error(409, "graph_deleted");
    app.get("/v1/graphs/a").await.expect_error(410, "gone");
    app.patch("/v1/graphs/a", json!({"topic": "x"})).await.expect_error(410, "gone");
    app.delete("/v1/graphs/a").await.expect_error(410, "gone");
    app.post("/v1/graphs/a/nodes", json!({"title": "x"})).await.expect_error(410, "gone");
    app.delete("/v1/graphs/a/edges/x").await.expect_error(410, "gone");
}

#[tokio::test]
async fn what_never_was_is_not_found_and_not_made() {
    let app = TestApp::new().await;
    for path in ["/v1/graphs/none", "/v1/graphs/none/nodes/x", "/v1/graphs/none/edges/x"] {
        app.get(path).await.expect_error(404, "graph_not_found");
        app.delete(path).await.expect_error(404, "graph_not_found");
        app.patch(path, json!({})).await.expect_error(404, "graph_not_found");
    }
    app.post("/v1/graphs/none/nodes", json!({"title": "x"})).await.expect_error(404, "graph_not_found");
    assert_eq!(app.get("/v1/graphs").await.json()["graphs"], json!([]));
}

#[tokio::test]
async fn ids_that_are_none_are_told_apart_from_those_that_are_missing() {
    let app = TestApp::new().await;
    let long = "x".repeat(129);
    for path in
        ["/v1/graphs/a%20b", "/v1/graphs/%C3%A4", "/v1/graphs/a%2Fb", "/v1/graphs/a+b", &format!("/v1/graphs/{long}")]
    {
        app.get(path).await.expect_error(400, "invalid_graph_id");
        app.delete(&format!("{path}/nodes/x")).await.expect_error(400, "invalid_graph_id");
    }
    for id in ["", "a b", "ä", "a/b", &long] {
        app.post("/v1/graphs", json!({"id": id})).await.expect_error(400, "invalid_graph_id");
    }
    app.get("/v1/graphs/%FF").await.expect_error(400, "invalid_path");
    app.post("/v1/graphs", json!({"id": "A.b_c~d-9"})).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn topic_and_root_can_change() {
    let app = TestApp::with_map().await;
    let before = app.get("/v1/graphs/m").await;
    let patched = app.patch("/v1/graphs/m", json!({"topic": "Planets", "root": "mars"})).await;
    let graph = patched.expect(StatusCode::OK);
    assert_eq!((&graph["topic"], &graph["nodes"][0]["id"]), (&json!("Planets"), &json!("mars")));
    assert_ne!(patched.header("etag"), before.header("etag"));
    let list = app.get("/v1/graphs").await.json();
    assert_eq!(list["graphs"][0]["topic"], "Planets");
    assert_eq!(app.patch("/v1/graphs/m", json!({"root": "nobody"})).await.expect_bad_field(), "root");
    let same = app.patch("/v1/graphs/m", json!({})).await;
    assert_eq!((same.status, same.header("etag")), (StatusCode::OK, patched.header("etag")));
}

#[tokio::test]
async fn pages_of_the_list_hold_every_graph_once() {
    let app = TestApp::new().await;
    for number in 0..7 {
        app.post("/v1/graphs", json!({"id": format!("g{number}"), "topic": "t"})).await.expect(StatusCode::CREATED);
    }
    app.delete("/v1/graphs/g3").await.expect(StatusCode::NO_CONTENT);
    let (mut path, mut seen, mut pages) = ("/v1/graphs?limit=2".to_owned(), Vec::new(), 0);
    loop {
        let page = app.get(&path).await.expect(StatusCode::OK);
        seen.extend(page["graphs"].as_array().unwrap().iter().map(|graph| graph["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/graphs?limit=2&cursor={cursor}");
    }
    assert_eq!(pages, 3);
    seen.sort();
    assert_eq!(seen, ["g0", "g1", "g2", "g4", "g5", "g6"]);
    let all = app.get("/v1/graphs").await.json();
    assert_eq!((all["graphs"].as_array().unwrap().len(), &all["next_cursor"]), (6, &Value::Null));
    let entry = all["graphs"][0].as_object().unwrap();
    assert_eq!(entry.keys().collect::<Vec<_>>(), ["created_at", "id", "last_modified", "topic"]);
}

#[tokio::test]
async fn list_parameters_are_checked() {
    let app = TestApp::new().await;
    for limit in ["0", "501", "-1", "x", "1.5", ""] {
        assert_eq!(app.get(&format!("/v1/graphs?limit={limit}")).await.expect_bad_field(), "limit");
    }
    for cursor in ["x", "", "12", "12.a%20b", "99999999999999999999.a"] {
        assert_eq!(app.get(&format!("/v1/graphs?cursor={cursor}")).await.expect_bad_field(), "cursor");
    }
    app.get("/v1/graphs?limit=500").await.expect(StatusCode::OK);
}
