use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::app::TestApp;

fn ids(graph: &Value) -> Vec<&str> {
    graph["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_node_goes_under_the_root_unless_it_says_otherwise() {
    let app = TestApp::with_map().await;
    let made = app.post("/v1/graphs/m/nodes", json!({"title": "Venus"})).await;
    let node = made.expect(StatusCode::CREATED);
    assert_eq!(
        (&node["parent_id"], &node["title"], &node["source"]),
        (&json!("sun"), &json!("Venus"), &json!("human"))
    );
    assert_eq!(app.get(made.header("location")).await.expect(StatusCode::OK), node);
    let topic = app.post("/v1/graphs/m/nodes", json!({"title": "Comets", "parent_id": null})).await;
    assert_eq!(topic.expect(StatusCode::CREATED)["parent_id"], Value::Null);
    let child = app.post("/v1/graphs/m/nodes", json!({"title": "Deimos", "parent_id": "mars"})).await;
    assert_eq!(child.expect(StatusCode::CREATED)["parent_id"], "mars");
}

#[tokio::test]
async fn a_node_keeps_everything_it_was_given() {
    let app = TestApp::with_map().await;
    let all = json!({
        "id": "a/b c?ü", "title": "T", "summary": "S", "parent_id": "mars", "before": "phobos",
        "position": {"x": 1.234, "y": -2, "z": 0.005}, "color": "#a1B2c3", "size": 2.5,
        "expandable": false, "collapsed": true, "source": "import",
    });
    let made = app.post("/v1/graphs/m/nodes", all).await;
    let node = made.expect(StatusCode::CREATED);
    assert_eq!(made.header("location"), "/v1/graphs/m/nodes/a%2Fb%20c%3F%C3%BC");
    assert_eq!(app.get(made.header("location")).await.expect(StatusCode::OK), node);
    for (field, value) in [
        ("id", json!("a/b c?ü")),
        ("summary", json!("S")),
        ("parent_id", json!("mars")),
        ("size", json!(2.5)),
        ("expandable", json!(false)),
        ("collapsed", json!(true)),
        ("source", json!("import")),
    ] {
        assert_eq!(node[field], value, "{field}");
    }
    assert_eq!(node["color"].as_str().unwrap().to_ascii_uppercase(), "#A1B2C3");
    assert_eq!((&node["position"]["x"], &node["position"]["y"]), (&json!(1.23), &json!(-2)));
    let graph = app.get("/v1/graphs/m").await.json();
    assert_eq!(ids(&graph), ["sun", "mars", "a/b c?ü", "phobos", "earth"]);
    app.delete(made.header("location")).await.expect(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn null_clears_and_absence_keeps() {
    let app = TestApp::with_map().await;
    let path = "/v1/graphs/m/nodes/mars";
    let plain = app.get(path).await.json();
    let set = json!({"title": "Red", "summary": "S", "position": {"x": 9, "y": 8, "z": 7}, "color": "#010203", "size": 3,
        "expandable": false, "collapsed": true});
    let dressed = app.patch(path, set).await.expect(StatusCode::OK);
    assert_eq!((&dressed["title"], &dressed["color"], &dressed["size"]), (&json!("Red"), &json!("#010203"), &json!(3)));
    assert_eq!(app.patch(path, json!({})).await.expect(StatusCode::OK), dressed);
    let clear = json!({"title": plain["title"], "summary": null, "position": null, "color": null, "size": null,
        "expandable": null, "collapsed": null});
    assert_eq!(app.patch(path, clear).await.expect(StatusCode::OK), plain);
    assert_eq!(app.patch(path, json!({"title": null})).await.expect_bad_field(), "title");
}

#[tokio::test]
async fn moves_keep_the_tree_a_tree() {
    let app = TestApp::with_map().await;
    let moved = app.patch("/v1/graphs/m/nodes/phobos", json!({"parent_id": "earth"})).await;
    assert_eq!(moved.expect(StatusCode::OK)["parent_id"], "earth");
    app.patch("/v1/graphs/m/nodes/earth", json!({"parent_id": "phobos"})).await.expect_error(409, "would_cycle");
    app.patch("/v1/graphs/m/nodes/earth", json!({"parent_id": "earth"})).await.expect_error(409, "would_cycle");
    app.patch("/v1/graphs/m/nodes/sun", json!({"parent_id": "earth"})).await.expect_error(409, "root_protected");
    let floating = app.patch("/v1/graphs/m/nodes/phobos", json!({"parent_id": null})).await;
    assert_eq!(floating.expect(StatusCode::OK)["parent_id"], Value::Null);
    let reordered = app.patch("/v1/graphs/m/nodes/earth", json!({"before": "mars"})).await;
    assert_eq!(reordered.expect(StatusCode::OK)["parent_id"], "sun");
    assert_eq!(ids(&app.get("/v1/graphs/m").await.json()), ["sun", "earth", "mars", "phobos"]);
}

#[tokio::test]
async fn removing_takes_the_branch_or_lifts_the_children() {
    let app = TestApp::with_map().await;
    let lifted = app.delete("/v1/graphs/m/nodes/mars?children=lift").await;
    assert_eq!((lifted.status, lifted.body.len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(app.get("/v1/graphs/m/nodes/phobos").await.json()["parent_id"], "sun");
    app.get("/v1/graphs/m/nodes/mars").await.expect_error(404, "node_not_found");
    app.delete("/v1/graphs/m/nodes/mars").await.expect_error(404, "node_not_found");

    let app = TestApp::with_map().await;
    app.delete("/v1/graphs/m/nodes/mars").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(ids(&app.get("/v1/graphs/m").await.json()), ["sun", "earth"]);
    app.delete("/v1/graphs/m/nodes/sun").await.expect_error(409, "root_protected");
    assert_eq!(app.delete("/v1/graphs/m/nodes/earth?children=eat").await.expect_bad_field(), "children");
    app.delete("/v1/graphs/m/nodes/earth").await.expect(StatusCode::NO_CONTENT);
    app.delete("/v1/graphs/m/nodes/sun").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(app.get("/v1/graphs/m").await.json()["nodes"], json!([]));
}

#[tokio::test]
async fn references_to_nothing_name_their_field() {
    let app = TestApp::with_map().await;
    let post = async |body: Value| app.post("/v1/graphs/m/nodes", body).await;
    assert_eq!(post(json!({"title": "x", "parent_id": "nobody"})).await.expect_bad_field(), "parent_id");
    assert_eq!(post(json!({"title": "x", "after": "nobody"})).await.expect_bad_field(), "after");
    post(json!({"id": "mars", "title": "x"})).await.expect_error(409, "node_exists");
    app.patch("/v1/graphs/m/nodes/nobody", json!({"title": "x"})).await.expect_error(404, "node_not_found");
    let parent = app.patch("/v1/graphs/m/nodes/mars", json!({"parent_id": "nobody"})).await;
    assert_eq!(parent.expect_bad_field(), "parent_id");
    assert_eq!(ids(&app.get("/v1/graphs/m").await.json()), ["sun", "mars", "phobos", "earth"]);
}
