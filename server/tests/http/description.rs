use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::app::{TestApp, request};

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn what_is_described_is_there_and_nothing_else_is() {
    let app = TestApp::new().await;
    let description = app.get("/openapi.json").await.expect(StatusCode::OK);
    let paths = description["paths"].as_object().unwrap();
    assert_eq!(
        paths.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        BTreeSet::from([
            "/",
            "/docs",
            "/health",
            "/live",
            "/m/{graph_id}",
            "/metrics",
            "/openapi.json",
            "/ready",
            "/v1/admin/cache/clear",
            "/v1/admin/circuit-breakers",
            "/v1/admin/circuit-breakers/{name}/reset",
            "/v1/graphs",
            "/v1/graphs/generate",
            "/v1/graphs/import",
            "/v1/graphs/{graph_id}",
            "/v1/graphs/{graph_id}/coherence",
            "/v1/graphs/{graph_id}/edges",
            "/v1/graphs/{graph_id}/edges/{edge_id}",
            "/v1/graphs/{graph_id}/export",
            "/v1/graphs/{graph_id}/jobs",
            "/v1/graphs/{graph_id}/nodes",
            "/v1/graphs/{graph_id}/nodes/{node_id}",
            "/v1/graphs/{graph_id}/nodes/{node_id}/expand",
            "/v1/graphs/{graph_id}/snapshot",
            "/v1/graphs/{graph_id}/sse",
            "/v1/graphs/{graph_id}/sync",
            "/v1/graphs/{graph_id}/versions",
            "/v1/graphs/{graph_id}/versions/{version_id}",
            "/v1/graphs/{graph_id}/versions/{version_id}/restore",
            "/v1/hocuspocus",
            "/v1/jobs/{job_id}",
            "/v1/jobs/{job_id}/accept",
            "/v1/jobs/{job_id}/events",
            "/v1/jobs/{job_id}/reject",
            "/v1/jobs/{job_id}/undo",
            "/v1/tickets",
            "/v1/ws/{graph_id}",
        ])
    );
    // Those which make the map, and go on for ever.
    let is_live = |path: &str| {
        ["/v1/ws", "/v1/hocuspocus"].iter().any(|socket| path.starts_with(socket))
            || path.ends_with("/sse")
            || path.ends_with("/sync")
    };
    for (path, operations) in paths.iter().filter(|(path, _)| !is_live(path)) {
        let concrete = path.replace("{graph_id}", "x").replace("{node_id}", "y").replace("{edge_id}", "z");
        let concrete = concrete.replace("{version_id}", "1").replace("{job_id}", "1").replace("{name}", "other");
        for method in METHODS {
            let answer = app.send(request(method.clone(), &concrete, None)).await;
            let described = operations.get(method.as_str().to_ascii_lowercase()).is_some();
            // Other methods there are about a map that is called so.
            let is_map = ["/v1/graphs/import", "/v1/graphs/generate"].contains(&path.as_str())
                && [Method::GET, Method::PATCH, Method::DELETE].contains(&method);
            let described = described || is_map;
            assert_eq!(answer.status != StatusCode::METHOD_NOT_ALLOWED, described, "{method} {path}");
            if described && answer.status == StatusCode::NOT_FOUND {
                let code = match path.as_str() {
                    path if path.starts_with("/v1/admin/") => "breaker_not_found",
                    path if path.starts_with("/v1/jobs/") => "job_not_found",
                    _ => "graph_not_found",
                };
                answer.expect_error(404, code);
            }
        }
    }
}

#[tokio::test]
async fn every_operation_is_documented_and_every_reference_resolves() {
    let app = TestApp::new().await;
    let description = app.get("/openapi.json").await.json();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{method} {path}");
        }
    }
    let text = description.to_string();
    let references = text.split("\"$ref\":\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut count = 0;
    for reference in references {
        assert!(description.pointer(&reference[1..]).is_some(), "{reference}");
        count += 1;
    }
    assert!(count > 20);
}

#[tokio::test]
async fn schemas_name_the_fields_that_responses_have() {
    let app = TestApp::with_map().await;
    let description = app.get("/openapi.json").await.json();
    let properties = |name: &str| keys(&description["components"]["schemas"][name]["properties"]);
    let graph = app.get("/v1/graphs/m").await.json();
    assert_eq!(keys(&graph), properties("Graph"));
    assert_eq!(keys(&graph["metadata"]), properties("Metadata"));
    let mut node = keys(&graph["nodes"][0]);
    node.insert("state");
    assert_eq!(node, properties("Node"));
    assert_eq!(keys(&app.get("/v1/graphs/m/edges/contains:mars").await.json()), properties("Edge"));
    assert_eq!(keys(&app.get("/health").await.json()), properties("Health"));
    let error = app.get("/v1/graphs/none").await.json();
    assert_eq!(keys(&error), properties("ErrorBody"));
    assert_eq!(keys(&error["error"]), properties("ErrorObject"));
}

#[tokio::test]
async fn the_reader_and_the_front_page_need_no_other_host() {
    let app = TestApp::new().await;
    let redirect = app.get("/docs").await;
    assert_eq!((redirect.status, redirect.header("location")), (StatusCode::SEE_OTHER, "/docs/"));
    let page = app.get("/docs/").await;
    let files: Vec<String> =
        page.text().split(['"', '\'']).filter(|it| it.starts_with("./")).map(str::to_owned).collect();
    assert!(files.len() > 3, "{files:?}");
    for file in files.iter().map(|file| format!("/docs/{}", &file[2..])) {
        assert_eq!(app.get(&file).await.status, StatusCode::OK, "{file}");
    }
    let start = app.get("/docs/swagger-initializer.js").await;
    assert!(
        start.text().contains("\"/openapi.json\"") && start.text().contains("\"validatorUrl\": \"none\""),
        "{}",
        start.text()
    );
    for page in [page, start, app.get("/").await] {
        assert_eq!(page.status, StatusCode::OK);
        assert!(!page.text().contains("http://") && !page.text().contains("https://"), "{}", page.text());
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    }
    assert!(app.get("/").await.text().contains(env!("CARGO_PKG_VERSION")));
}
