//! Maps out to files and back, over HTTP.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};

use crate::app::{Answer, TestApp, request, token};

async fn import(app: &TestApp, query: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let uri = format!("/v1/graphs/import{query}");
    let request = Request::post(uri).header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap();
    app.send(request).await
}

async fn import_markdown(app: &TestApp, text: &str) -> Value {
    import(app, "", "text/markdown", text.to_owned()).await.expect(StatusCode::CREATED)
}

/// What stays the same wherever a map goes.
fn lasting(mut graph: Value) -> Value {
    for passing in ["id", "metadata", "last_modified", "created_at"] {
        graph.as_object_mut().unwrap().remove(passing);
    }
    graph
}

fn titles(graph: &Value) -> Vec<(u64, &str)> {
    let nodes = graph["nodes"].as_array().unwrap();
    nodes.iter().map(|node| (node["depth"].as_u64().unwrap(), node["title"].as_str().unwrap())).collect()
}

/// A map with something of everything.
async fn rich() -> TestApp {
    let app = TestApp::with_map().await;
    app.patch("/v1/graphs/m", json!({"topic": "Größe: 1"})).await.expect(StatusCode::OK);
    let changes = json!({"position": {"x": 1.25, "y": -2, "z": 0}, "color": "#10b981", "size": 2.5, "collapsed": true,
                         "expandable": false, "summary": "red\n\n  and dry", "source": "template"});
    app.patch("/v1/graphs/m/nodes/mars", changes).await.expect(StatusCode::OK);
    app.post("/v1/graphs/m/nodes", json!({"title": "*far*", "parent_id": null})).await.expect(StatusCode::CREATED);
    app.patch("/v1/graphs/m/edges/near", json!({"strength": 0.25})).await.expect(StatusCode::OK);
    app
}

#[tokio::test]
async fn json_goes_out_and_comes_back_the_same() {
    let app = rich().await;
    let export = app.get("/v1/graphs/m/export").await;
    let graph = export.expect(StatusCode::OK);
    assert_eq!(export.header("content-type"), "application/json");
    assert_eq!(
        export.header("content-disposition"),
        "attachment; filename=\"Gr__e 1.json\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.json"
    );
    let shown = app.get("/v1/graphs/m").await;
    assert_eq!((export.header("etag"), &export.body), (shown.header("etag"), &shown.body));

    let made = import(&app, "", "application/json", export.body.clone()).await;
    let copy = made.expect(StatusCode::CREATED);
    let id = copy["id"].as_str().unwrap();
    assert!(id != "m" && made.header("location") == format!("/v1/graphs/{id}"), "the id was taken: {id}");
    assert_eq!(lasting(copy.clone()), lasting(graph.clone()));
    assert_eq!(copy["created_at"], graph["created_at"]);
    let again = app.get(&format!("/v1/graphs/{id}/export?format=json")).await.json();
    assert_eq!(lasting(again), lasting(graph));
    let list = app.get("/v1/graphs").await.json();
    assert!(list["graphs"].as_array().unwrap().iter().any(|row| row["id"] == id && row["topic"] == "Größe: 1"));
}

#[tokio::test]
async fn an_outline_goes_out_and_comes_back_the_same() {
    let app = rich().await;
    let export = app.get("/v1/graphs/m/export?format=markdown").await;
    assert_eq!(export.status, StatusCode::OK);
    assert_eq!(export.header("content-type"), "text/markdown; charset=utf-8");
    assert!(export.header("content-disposition").ends_with("filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.md"));
    assert_eq!(
        export.text(),
        "---\ntitle: \"Größe: 1\"\n---\n\n# sun\n\n- mars\n\n  red\n\n  &#32; and dry\n\n  - phobos\n- earth\n\n# \\*far\\*\n\n\
         ---\n\n<!-- cross links -->\n\n- [mars](#1.1) → [earth](#1.2): related `0.25`\n"
    );
    let made = import(&app, "?id=copy", "text/markdown; charset=utf-8", export.body.clone()).await;
    let copy = made.expect(StatusCode::CREATED);
    assert_eq!((made.header("location"), &copy["topic"]), ("/v1/graphs/copy", &json!("Größe: 1")));
    assert_eq!(copy["nodes"][1]["summary"], "red\n\n  and dry");
    assert!(copy["nodes"].as_array().unwrap().iter().all(|node| node["source"] == "import"));
    assert_eq!(app.get("/v1/graphs/copy/export?format=markdown").await.text(), export.text());
}

#[tokio::test]
async fn tags_name_the_state_and_the_format() {
    let app = TestApp::with_map().await;
    let tag = async |path: &str| app.get(path).await.header("etag").to_owned();
    let (json, markdown) = (tag("/v1/graphs/m/export").await, tag("/v1/graphs/m/export?format=markdown").await);
    assert_ne!(json, markdown);
    for (path, tag) in [("/v1/graphs/m/export?format=json", &json), ("/v1/graphs/m/export?format=markdown", &markdown)]
    {
        let mut known = request(Method::GET, path, None);
        known.headers_mut().insert(header::IF_NONE_MATCH, tag.parse().unwrap());
        let answer = app.send(known).await;
        assert_eq!((answer.status, answer.header("etag")), (StatusCode::NOT_MODIFIED, tag.as_str()));
        assert!(answer.body.is_empty());
        let mut other = request(Method::GET, path, None);
        let foreign = if *tag == json { &markdown } else { &json };
        other.headers_mut().insert(header::IF_NONE_MATCH, foreign.parse().unwrap());
        assert_eq!(app.send(other).await.status, StatusCode::OK);
    }
    let details = app.get("/v1/graphs/m/export?format=pdf").await.expect_error(422, "validation_failed");
    assert_eq!(details[0], json!({"field": "format", "message": "must be json or markdown"}));
    app.get("/v1/graphs/none/export").await.expect_error(404, "graph_not_found");
}

#[tokio::test]
async fn the_content_type_or_the_query_says_what_it_is() {
    let app = TestApp::new().await;
    for (query, content_type, body) in [
        ("", "application/json", r#"{"nodes": []}"#),
        ("", "application/vnd.map+json; charset=utf-8", r#"{"nodes": []}"#),
        ("", "text/plain", "# a"),
        ("?format=markdown", "text/markdown", "# a"),
        ("?format=markdown", "application/octet-stream", "# a"),
        ("?format=json", "text/plain", r#"{"nodes": []}"#),
    ] {
        import(&app, query, content_type, body).await.expect(StatusCode::CREATED);
    }
    for (query, content_type) in [
        ("", "application/octet-stream"),
        ("", ""),
        ("?format=json", "text/markdown"),
        ("?format=markdown", "application/json"),
    ] {
        import(&app, query, content_type, "# a").await.expect_error(415, "unsupported_media_type");
    }
    assert_eq!(import(&app, "?format=opml", "text/plain", "# a").await.expect_bad_field(), "format");
    import(&app, "?id=a%20b", "text/plain", "# a").await.expect_error(400, "invalid_graph_id");
}

#[tokio::test]
async fn ids_of_the_query_are_orders_and_ids_of_files_are_wishes() {
    let app = TestApp::with_map().await;
    let file = |id: &str| json!({"id": id, "nodes": []}).to_string();
    let id = async |query: &str, file: String| {
        import(&app, query, "application/json", file).await.expect(StatusCode::CREATED)["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(id("", file("free")).await, "free");
    assert_eq!(id("?id=wanted", file("other")).await, "wanted");
    for taken in ["free", "m", "no graph id"] {
        assert!(id("", file(taken)).await.len() == 36, "{taken}");
    }
    import(&app, "?id=m", "application/json", file("x")).await.expect_error(409, "graph_exists");
    app.delete("/v1/graphs/free").await;
    import(&app, "?id=free", "application/json", file("x")).await.expect_error(409, "graph_deleted");
    assert_eq!(id("", file("free")).await.len(), 36);
    app.get("/v1/graphs/x").await.expect_error(404, "graph_not_found");
}

#[tokio::test]
async fn mistakes_are_listed_and_make_nothing() {
    let app = TestApp::new().await;
    let file = json!({"id": "x", "topic": 1, "created_at": "2026-01-01T00:00:00Z", "nodes": [
        {"id": "a", "title": "A", "color": "red", "parent_id": "gone"}, {"id": "a", "title": 1}, 3]});
    let details = import(&app, "", "application/json", file.to_string()).await.expect_error(422, "validation_failed");
    let fields: Vec<&str> = details.as_array().unwrap().iter().map(|it| it["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["topic", "nodes[0].color", "nodes[1].title", "nodes[2]", "nodes[1].id", "nodes[0].parent_id"]);
    let many = json!({"nodes": vec![json!({}); 50]});
    let details = import(&app, "", "application/json", many.to_string()).await.expect_error(422, "validation_failed");
    assert_eq!(details.as_array().unwrap().len(), 20);
    let late = json!({"nodes": [], "created_at": "yesterday"}).to_string();
    assert_eq!(import(&app, "", "application/json", late).await.expect_bad_field(), "created_at");
    import(&app, "", "application/json", "{\"nodes\": [").await.expect_error(400, "invalid_json");
    import(&app, "", "application/json", "").await.expect_error(400, "invalid_json");
    import(&app, "", "text/markdown", vec![b'#', b' ', 0xff]).await.expect_error(400, "invalid_text");
    assert_eq!(import(&app, "", "text/markdown", " \n").await.expect_bad_field(), "outline");
    assert_eq!(app.get("/v1/graphs").await.json()["graphs"], json!([]));
}

#[tokio::test]
async fn times_of_other_services_are_read_as_utc() {
    let app = TestApp::new().await;
    let file = json!({"nodes": [], "created_at": "2024-05-06T07:08:09.123456"}).to_string();
    let made = import(&app, "", "application/json", file).await.expect(StatusCode::CREATED);
    assert_eq!(made["created_at"], "2024-05-06T07:08:09.123456Z");
}

#[tokio::test]
async fn files_have_their_own_limit_and_maps_keep_theirs() {
    let small = [("SYNAPTI_LIMITS_MESSAGE_BYTES_MAX", "1000"), ("SYNAPTI_LIMITS_SYNC_BYTES_MAX", "20000")];
    let app = TestApp::with(&small).await;
    let long = format!("# a\n\n{}", "word ".repeat(1_000));
    assert_eq!(import_markdown(&app, &long).await["nodes"][0]["summary"].as_str().unwrap().len(), 4_999);
    app.post("/v1/graphs", json!({"topic": "x".repeat(900)})).await.expect(StatusCode::CREATED);
    let too_long = "word ".repeat(5_000);
    import(&app, "", "text/markdown", too_long.clone()).await.expect_error(413, "payload_too_large");
    let chunks = futures_util::stream::iter(
        too_long.as_bytes().chunks(100).map(|it| Ok::<_, std::io::Error>(it.to_vec())).collect::<Vec<_>>(),
    );
    import(&app, "", "text/markdown", Body::from_stream(chunks)).await.expect_error(413, "payload_too_large");

    let app = TestApp::with(&[("SYNAPTI_LIMITS_NODES_MAX", "3"), ("SYNAPTI_LIMITS_DOCUMENT_BYTES_MAX", "5000")]).await;
    import_markdown(&app, "# a\n- b\n- c").await;
    for (content_type, file) in [
        ("text/markdown", "# a\n- b\n- c\n- d".to_owned()),
        ("application/json", json!({"nodes": vec![json!({"id": "a"}); 4]}).to_string()),
        ("text/markdown", "long ".repeat(1_000)),
    ] {
        import(&app, "?id=big", content_type, file).await.expect_error(413, "graph_too_large");
    }
    app.get("/v1/graphs/big").await.expect_error(404, "graph_not_found");
}

#[tokio::test]
async fn a_large_file_becomes_one_map() {
    let app = TestApp::new().await;
    let text: String = std::iter::once("# top\n".to_owned())
        .chain((0..3_000).map(|n| format!("- item {n}\n  - below {n}\n")))
        .collect();
    let made = import_markdown(&app, &text).await;
    assert_eq!(made["nodes"].as_array().unwrap().len(), 6_001);
    assert_eq!(titles(&made)[..4], [(0, "top"), (1, "item 0"), (2, "below 0"), (1, "item 1")]);
}

#[tokio::test]
async fn whoever_may_make_maps_may_import_them() {
    let app = TestApp::guarded_with_map().await;
    let send = async |token: &str, query: &str, body: Value| {
        let uri = format!("/v1/graphs/import{query}");
        app.send_as(token, Method::POST, &uri, Some(body)).await
    };
    let (viewer, editor) = (token("vi", &[("*", "viewer")]), token("ed", &[("*", "editor")]));
    send(&viewer, "", json!({"nodes": []})).await.expect_error(403, "forbidden");
    send(&viewer, "?id=new", json!({"nodes": []})).await.expect_error(403, "forbidden");
    send(&editor, "", json!({"nodes": []})).await.expect(StatusCode::CREATED);
    // Who may make one map only: by the query, or by the file.
    let one = token("one", &[("mine", "editor"), ("m", "editor")]);
    send(&one, "", json!({"nodes": []})).await.expect_error(403, "forbidden");
    send(&one, "", json!({"id": "other", "nodes": []})).await.expect_error(403, "forbidden");
    send(&one, "", json!({"id": "m", "nodes": []})).await.expect_error(403, "forbidden");
    assert_eq!(send(&one, "", json!({"id": "mine", "nodes": []})).await.expect(StatusCode::CREATED)["id"], "mine");
    send(&one, "?id=m", json!({"nodes": []})).await.expect_error(409, "graph_exists");
    let reader = token("re", &[("m", "viewer")]);
    for format in ["json", "markdown"] {
        let path = format!("/v1/graphs/m/export?format={format}");
        assert_eq!(app.send_as(&reader, Method::GET, &path, None).await.status, StatusCode::OK);
        app.send_as(&token("no", &[("x", "owner")]), Method::GET, &path, None).await.expect_error(403, "forbidden");
    }
}

#[tokio::test]
async fn a_map_may_be_called_import() {
    let app = TestApp::new().await;
    app.post("/v1/graphs", json!({"id": "import", "topic": "t"})).await.expect(StatusCode::CREATED);
    assert_eq!(app.get("/v1/graphs/import").await.expect(StatusCode::OK)["id"], "import");
    app.post("/v1/graphs/import/nodes", json!({"id": "n", "title": "n"})).await.expect(StatusCode::CREATED);
    assert_eq!(app.get("/v1/graphs/import/export?format=markdown").await.text(), "# t\n\n- n\n");
    assert_eq!(app.patch("/v1/graphs/import", json!({"topic": "u"})).await.expect(StatusCode::OK)["topic"], "u");
    assert_eq!(app.delete("/v1/graphs/import").await.status, StatusCode::NO_CONTENT);
    app.get("/v1/graphs/import").await.expect_error(410, "gone");

    let app = TestApp::guarded().await;
    let other = token("x", &[("m", "owner")]);
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        app.send_as(&other, method, "/v1/graphs/import", None).await.expect_error(403, "forbidden");
    }
}
