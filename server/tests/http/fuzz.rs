//! Bodies as bytes: every kind of JSON that the API takes, then mutations of it.
//!
//! `FUZZ_ITERATIONS` sets the number of mutations per path, `FUZZ_SEED` where the random numbers begin; a failure prints both,
//! and the body.

#[path = "../../../protocol/tests/fuzz/mutate.rs"]
mod mutate;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use mutate::Mutator;

use crate::app::TestApp;

const ITERATIONS_DEFAULT: u64 = 300;
const SEED_DEFAULT: u64 = 0x5eed;

/// Paths that take a body.
const TARGETS: [(Method, &str); 11] = [
    (Method::POST, "/v1/graphs"),
    (Method::PATCH, "/v1/graphs/m"),
    (Method::POST, "/v1/graphs/m/nodes"),
    (Method::PATCH, "/v1/graphs/m/nodes/mars"),
    (Method::POST, "/v1/graphs/m/edges"),
    (Method::PATCH, "/v1/graphs/m/edges/near"),
    (Method::POST, "/v1/graphs/m/versions"),
    (Method::PATCH, "/v1/graphs/m/versions/1"),
    (Method::POST, "/v1/graphs/m/versions/1/restore"),
    (Method::POST, "/v1/tickets"),
    (Method::DELETE, "/v1/graphs/m/nodes/nobody"),
];

/// Every field of every body, in each of its forms.
const CORPUS: [&str; 14] = [
    r#"{"id":"g","topic":"Stars"}"#,
    r#"{"topic":"Sun","root":"sun"}"#,
    r##"{"id":"n","title":"t","summary":"s","parent_id":"sun","before":"mars","position":{"x":1.5,"y":-2,"z":0},"color":"#EF4444","size":1.2,"expandable":true,"collapsed":false,"source":"human"}"##,
    r#"{"title":null,"summary":"","parent_id":null,"after":"earth","position":null,"color":null,"size":null}"#,
    r#"{"id":"e","source":"mars","target":"earth","relationship":"near","strength":0.5}"#,
    r#"{"source":"sun","strength":1e308,"relationship":"\ud83d\ude00\u0000"}"#,
    r#"{"name":"Before the workshop","author":"Ada"}"#,
    r#"{"author":"\u00e4"}"#,
    r#"{"graph_id":"m"}"#,
    r#"{"id":"a~b._-","topic":"\ud800"}"#,
    r#"{"size":99999999999999999999999,"position":{"x":-0.0,"y":1e-400,"z":1e400}}"#,
    r"[[[[[[[[[[{}]]]]]]]]]]",
    "",
    "null",
];

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Done, or whose mistake it is; never that the server failed. Versions of a map may become too many.
fn is_an_answer(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 201 | 204 | 400 | 404 | 409 | 413 | 415 | 422) || is_full(status)
}

/// Tickets wait 30 seconds to be used; in mode `open` nobody's are counted, and there is an end to them.
fn is_full(status: StatusCode) -> bool {
    status == StatusCode::SERVICE_UNAVAILABLE
}

async fn check(app: &TestApp, method: &Method, path: &str, body: &[u8], origin: &str) {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    let answer = app.send(request.body(Body::from(body.to_vec())).unwrap()).await;
    let what = || {
        format!("{method} {path} ({origin}): {} {}\n{}", answer.status, answer.text(), String::from_utf8_lossy(body))
    };
    assert!(is_an_answer(answer.status), "{}", what());
    assert!(!is_full(answer.status) || path == "/v1/tickets", "{}", what());
    if answer.status.is_client_error() {
        let error = &answer.json()["error"];
        assert!(
            error["code"].is_string() && error["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{}",
            what()
        );
    }
}

#[tokio::test]
async fn no_bytes_make_the_server_fail_or_the_map_unreadable() {
    let app = TestApp::with_map().await;
    app.post("/v1/graphs/m/versions", serde_json::json!({"name": "first"})).await.expect(StatusCode::CREATED);
    let (seed, iterations) = (setting("FUZZ_SEED", SEED_DEFAULT), setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT));
    let inputs: Vec<Vec<u8>> = CORPUS.iter().map(|text| text.as_bytes().to_vec()).collect();
    let mut mutator = Mutator::new(seed);
    for (method, path) in &TARGETS {
        for input in &inputs {
            check(&app, method, path, input, "corpus").await;
        }
        for iteration in 0..iterations {
            let body = mutator.mutation_of(&inputs);
            check(&app, method, path, &body, &format!("FUZZ_SEED={seed}, iteration {iteration}")).await;
        }
    }
    let map = app.get("/v1/graphs/m").await.expect(StatusCode::OK);
    let titles: Vec<&str> = map["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    for id in ["sun", "mars", "earth", "phobos"] {
        assert!(titles.contains(&id), "{id} is gone");
    }
    app.get("/v1/graphs/m/versions/1").await.expect(StatusCode::OK);
}
