//! Who may do what over HTTP.

use std::collections::BTreeSet;

use axum::http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use synapti_server::auth::rights::{Need, ROUTES, need_of};

use crate::app::{SECRET, TestApp, admin_token, request, token};

/// Methods and routes of the description, as the table writes them.
async fn described(app: &TestApp) -> BTreeSet<(String, String)> {
    let description = app.get("/openapi.json").await.expect(StatusCode::OK);
    let paths = description["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, operations)| {
        operations.as_object().unwrap().keys().map(|method| (method.to_ascii_uppercase(), path.clone()))
    });
    operations.collect()
}

/// A request for a route on the map `m`, with a body that does no harm.
fn concrete(method: &str, route: &str) -> (Method, String, Option<Value>) {
    let path = route.replace("{graph_id}", "m").replace("{node_id}", "phobos").replace("{edge_id}", "near");
    let body = match (method, route) {
        ("POST", "/v1/graphs") => Some(json!({"id": "m"})),
        ("POST", "/v1/graphs/{graph_id}/nodes") => Some(json!({"title": "t"})),
        ("POST", "/v1/graphs/{graph_id}/edges") => Some(json!({"source": "sun", "target": "earth"})),
        ("POST", "/v1/graphs/{graph_id}/versions") | ("PATCH", "/v1/graphs/{graph_id}/versions/{version_id}") => {
            Some(json!({"name": "v"}))
        }
        ("POST", "/v1/graphs/{graph_id}/sync") => None,
        ("POST" | "PATCH", _) => Some(json!({})),
        _ => None,
    };
    (method.parse().unwrap(), path.replace("{version_id}", "1"), body)
}

#[tokio::test]
async fn every_route_has_a_row_and_every_row_a_route() {
    let app = TestApp::new().await;
    let described = described(&app).await;
    let rows: BTreeSet<(String, String)> =
        ROUTES.iter().map(|(method, route, _)| ((*method).to_owned(), (*route).to_owned())).collect();
    let without: Vec<_> = described.difference(&rows).collect();
    assert!(without.is_empty(), "no rights are laid down for {without:?}");
    // Files of pages, and the ways to write the address of a socket, are not described one by one.
    let is_undescribed =
        |route: &str| route.starts_with("/docs") || route == "/assets/{name}" || route.starts_with("/v1/ws");
    // These paths are those of maps with such an id as well.
    let is_map = |route: &str| ["/v1/graphs/import", "/v1/graphs/generate"].contains(&route);
    let is_undescribed = |route: &str| is_undescribed(route) || is_map(route);
    for (method, route) in rows.difference(&described) {
        assert!(is_undescribed(route), "{method} {route} has a row and does not exist");
    }
}

#[tokio::test]
async fn every_operation_says_what_it_needs() {
    let app = TestApp::new().await;
    let description = app.get("/openapi.json").await.json();
    assert_eq!(description["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    for (method, route) in described(&app).await {
        let operation = &description["paths"][&route][method.to_ascii_lowercase()];
        let need = need_of(&method, &route);
        let is_open = need == Need::Nothing;
        assert_eq!(operation.get("security").is_none(), is_open, "{method} {route}");
        let has_refusals = operation["responses"].get("401").is_some() && operation["responses"].get("403").is_some();
        assert_eq!(has_refusals, !is_open && !matches!(need, Need::OnSocket(_)), "{method} {route}");
    }
}

#[tokio::test]
async fn without_a_good_token_there_is_nothing() {
    let app = TestApp::guarded_with_map().await;
    let forged = token("ada", &[("m", "owner")]).replace('.', "_");
    for (method, route, need) in ROUTES {
        let (method, path, body) = concrete(method, route);
        let answer = app.send(request(method.clone(), &path, body.clone())).await;
        match need {
            Need::Nothing => assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {route}"),
            Need::OnSocket(_) => assert_ne!(answer.status, StatusCode::OK, "{method} {route}"),
            Need::SignedIn | Need::SignedInStream | Need::In(_) | Need::InStream(_) | Need::Admin => {
                for answer in [answer, app.send_as(&forged, method, &path, body).await] {
                    answer.expect_error(401, "unauthenticated");
                    assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer");
                    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
                }
            }
        }
    }
}

#[tokio::test]
async fn each_role_may_what_the_table_says() {
    for (role, may_edit, may_delete) in
        [("viewer", false, false), ("commenter", false, false), ("editor", true, false), ("owner", true, true)]
    {
        let app = TestApp::guarded_with_map().await;
        let token = token("ada", &[("m", role), ("import", role), ("generate", role)]);
        let admin = admin_token();
        app.send_as(&admin, Method::POST, "/v1/graphs/m/versions", Some(json!({"name": "v"})))
            .await
            .expect(StatusCode::CREATED);
        // Deleting comes last.
        let (deletes, others): (Vec<_>, Vec<_>) =
            ROUTES.iter().partition(|(method, route, _)| *method == "DELETE" && route.ends_with("{graph_id}"));
        for (method, route, need) in others.into_iter().chain(deletes) {
            let Need::In(action) = need else { continue };
            let (method, path, body) = concrete(method, route);
            let allowed = match action.role().as_str() {
                "viewer" => true,
                "editor" => may_edit,
                _ => may_delete,
            };
            let answer = app.send_as(&token, method.clone(), &path, body).await;
            assert_eq!(answer.status == StatusCode::FORBIDDEN, !allowed, "{role} {method} {route}: {}", answer.text());
            if allowed {
                assert!(
                    answer.status.is_success() || answer.status == StatusCode::NOT_FOUND,
                    "{role} {method} {route}"
                );
                let varies: Vec<_> = answer.headers.get_all(header::VARY).iter().collect();
                assert!(varies.contains(&&HeaderValue::from_static("authorization")), "{method} {route}: {varies:?}");
                let is_kept = answer.status.is_success() && !route.ends_with("/sync");
                let cache = if is_kept { "private, no-cache" } else { "no-store" };
                assert_eq!(answer.header(header::CACHE_CONTROL), cache, "{method} {route}");
            } else {
                answer.expect_error(403, "forbidden");
            }
        }
    }
}

#[tokio::test]
async fn who_may_not_know_learns_nothing_of_what_exists() {
    let app = TestApp::guarded_with_map().await;
    let stranger = token("eve", &[("hers", "owner")]);
    let answer = async |path: &str| {
        let answer = app.send_as(&stranger, Method::GET, path, None).await;
        (answer.status, answer.json()["error"]["code"].clone(), answer.json()["error"]["message"].clone())
    };
    let (there, not_there) = (answer("/v1/graphs/m").await, answer("/v1/graphs/nowhere").await);
    assert_eq!(there.0, StatusCode::FORBIDDEN);
    assert_eq!(there, not_there);
    let create = |id: &str| app.send_as(&stranger, Method::POST, "/v1/graphs", Some(json!({ "id": id })));
    create("m").await.expect_error(403, "forbidden");
    create("nowhere").await.expect_error(403, "forbidden");
    app.send_as(&stranger, Method::GET, "/v1/graphs/hers", None).await.expect_error(404, "graph_not_found");
    app.send_as(&stranger, Method::GET, "/v1/graphs/a%20b", None).await.expect_error(400, "invalid_graph_id");
}

#[tokio::test]
async fn maps_are_made_by_those_who_may_edit_them() {
    let app = TestApp::guarded().await;
    let create = |token: String, body: Value| {
        let app = &app;
        async move { app.send_as(&token, Method::POST, "/v1/graphs", Some(body)).await.status.as_u16() }
    };
    let mine = || token("ada", &[("mine", "editor"), ("read", "viewer")]);
    assert_eq!(create(mine(), json!({"id": "mine"})).await, 201);
    assert_eq!(create(mine(), json!({"id": "read"})).await, 403);
    assert_eq!(create(mine(), json!({"id": "other"})).await, 403);
    assert_eq!(create(mine(), json!({})).await, 403);
    assert_eq!(create(token("bob", &[("*", "editor")]), json!({})).await, 201);
    assert_eq!(create(token("bob", &[("*", "viewer")]), json!({})).await, 403);
    assert_eq!(create(admin_token(), json!({"id": "other"})).await, 201);
}

#[tokio::test]
async fn lists_hold_what_the_caller_may_read() {
    let app = TestApp::guarded().await;
    let admin = admin_token();
    for n in 0..12 {
        let body = Some(json!({"id": format!("g{n}")}));
        app.send_as(&admin, Method::POST, "/v1/graphs", body).await.expect(StatusCode::CREATED);
    }
    let list = async |token: &str| {
        let (mut seen, mut path) = (Vec::new(), "/v1/graphs?limit=2".to_owned());
        loop {
            let page = app.send_as(token, Method::GET, &path, None).await.expect(StatusCode::OK);
            let graphs = page["graphs"].as_array().unwrap();
            assert!(graphs.len() <= 2);
            seen.extend(graphs.iter().map(|graph| graph["id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { return seen };
            assert_eq!(graphs.len(), 2);
            path = format!("/v1/graphs?limit=2&cursor={cursor}");
        }
    };
    let some = token("ada", &[("g1", "viewer"), ("g4", "owner"), ("g7", "commenter"), ("missing", "owner")]);
    assert_eq!(list(&some).await, ["g7", "g4", "g1"]);
    assert_eq!(list(&token("eve", &[])).await, [""; 0]);
    assert_eq!(list(&token("bob", &[("*", "viewer"), ("g1", "owner")])).await.len(), 12);
    assert_eq!(list(&admin).await.len(), 12);
}

#[tokio::test]
async fn a_version_has_the_name_of_the_token() {
    let app = TestApp::guarded_with_map().await;
    let named = |name: Option<&str>| {
        let mut token =
            synapti_server::auth::mint::NewToken::new("ada", synapti_server::clock::Clock::system().now(), 60);
        token.name = name.map(str::to_owned);
        token.graphs.insert("m".to_owned(), "editor".into());
        token.sign(SECRET)
    };
    let keep = async |token: String| {
        let body = Some(json!({"name": "v", "author": "Somebody Else"}));
        app.send_as(&token, Method::POST, "/v1/graphs/m/versions", body).await.expect(StatusCode::CREATED)["author"]
            .clone()
    };
    assert_eq!(keep(named(Some("Ada"))).await, "Ada");
    assert_eq!(keep(named(None)).await, "Somebody Else");
}

#[tokio::test]
async fn tickets_are_given_to_those_who_may_come_in() {
    let app = TestApp::guarded_with_map().await;
    let ask = async |token: &str, body: Option<Value>| app.send_as(token, Method::POST, "/v1/tickets", body).await;
    let ada = token("ada", &[("m", "viewer")]);
    let ticket = ask(&ada, None).await.expect(StatusCode::CREATED);
    assert_eq!(ticket["expires_in_seconds"], 30);
    assert_eq!(ticket["ticket"].as_str().unwrap().len(), 32);
    let for_m = ask(&ada, Some(json!({"graph_id": "m"}))).await;
    assert_eq!(for_m.header(header::CACHE_CONTROL), "no-store");
    assert_ne!(for_m.expect(StatusCode::CREATED)["ticket"], ticket["ticket"]);
    ask(&ada, Some(json!({"graph_id": "other"}))).await.expect_error(403, "forbidden");
    ask(&ada, Some(json!({"graph_id": "a b"}))).await.expect_error(400, "invalid_graph_id");
    assert_eq!(ask(&ada, Some(json!({"graph": "m"}))).await.expect_bad_field(), "graph");
    for _ in 2..100 {
        ask(&ada, None).await.expect(StatusCode::CREATED);
    }
    let full = ask(&ada, None).await;
    full.expect_error(503, "too_many_tickets");
    assert_eq!(full.header(header::RETRY_AFTER), "5");
}

#[tokio::test]
async fn credentials_that_are_not_understood_are_named() {
    let app = TestApp::guarded_with_map().await;
    let with = async |values: &[&str]| {
        let mut request = request(Method::GET, "/v1/graphs/m", None);
        for value in values {
            request.headers_mut().append(header::AUTHORIZATION, value.parse().unwrap());
        }
        app.send(request).await
    };
    let good = format!("Bearer {}", token("ada", &[("m", "viewer")]));
    assert_eq!(with(&[&good]).await.status, StatusCode::OK);
    with(&[&good, &good]).await.expect_error(400, "several_credentials");
    with(&["Basic dXNlcjpwYXNz"]).await.expect_error(401, "unauthenticated");
    // A token in the URL is for sockets.
    let in_url = format!("/v1/graphs/m?token={}", token("ada", &[("m", "viewer")]));
    app.get(&in_url).await.expect_error(401, "unauthenticated");
}
