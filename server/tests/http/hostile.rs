//! Bodies that nobody would send on purpose.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::app::TestApp;

fn any_json() -> impl Strategy<Value = Value> {
    let ids = select(vec!["sun", "mars", "earth", "phobos", "near", "contains:mars", "nobody", ""]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (-200_i64..200).prop_map(Value::from),
        ids.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "#[0-9a-fA-F]{6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let position =
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(x, y, z)| json!({"x": x, "y": y, "z": z}));
        prop_oneof![vec(inner, 0..3).prop_map(Value::from), position]
    })
}

fn any_body() -> impl Strategy<Value = Value> {
    let fields = select(vec![
        "id",
        "title",
        "summary",
        "parent_id",
        "before",
        "after",
        "position",
        "color",
        "size",
        "expandable",
        "collapsed",
        "source",
        "target",
        "relationship",
        "strength",
        "topic",
        "root",
        "other",
    ]);
    vec((fields, any_json()), 0..5)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// What the API may answer to nonsense: done, or whose mistake it is. Never that the server failed.
fn is_an_answer(status: u16) -> bool {
    matches!(status, 200 | 201 | 204 | 400 | 404 | 409 | 422)
}

#[test]
fn no_body_makes_the_server_fail_or_the_map_unreadable() {
    let runtime = Runtime::new().unwrap();
    let app = runtime.block_on(TestApp::with_map());
    proptest!(ProptestConfig::with_cases(192), |(body in any_body())| {
        runtime.block_on(async {
            for path in ["/v1/graphs", "/v1/graphs/m/nodes", "/v1/graphs/m/edges"] {
                let answer = app.post(path, body.clone()).await;
                prop_assert!(is_an_answer(answer.status.as_u16()), "POST {path} {body}: {}", answer.text());
            }
            for path in ["/v1/graphs/m", "/v1/graphs/m/nodes/mars", "/v1/graphs/m/edges/near"] {
                let answer = app.patch(path, body.clone()).await;
                prop_assert!(is_an_answer(answer.status.as_u16()), "PATCH {path} {body}: {}", answer.text());
            }
            let graph = app.get("/v1/graphs/m").await;
            prop_assert_eq!(graph.status.as_u16(), 200);
            prop_assert!(graph.json()["nodes"].as_array().is_some_and(|nodes| nodes.len() >= 4));
            Ok(())
        })?;
    });
}
