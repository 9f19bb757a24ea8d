//! JSON of ours and of others.

use serde_json::{Value, json};
use synapti_crdt::{
    AsideLimits, Op, Replica,
    map::{Format, MapEdit, NewNode, Source, import::ImportError},
};

use crate::maps::{imported, outline, problems, read};

fn shown(file: &Value) -> Value {
    outline(&imported(Format::Json, file.to_string().as_bytes()))
}

fn told(file: &Value) -> Vec<(String, String)> {
    problems(Format::Json, &file.to_string())
}

fn fields(file: &Value) -> Vec<String> {
    told(file).into_iter().map(|(field, _)| field).collect()
}

/// As services without Yjs wrote their maps.
fn plain() -> Value {
    json!({
        "topic": "Tides",
        "nodes": [
            {"id": "r", "title": "Tides", "summary": "Water", "position": {"x": 0, "y": 0, "z": 0}, "color": "#8B5CF6", "size": 1.5,
             "expandable": true, "parent_id": null, "connections": ["m", "s"]},
            {"id": "m", "title": "Moon", "summary": null, "position": [1.5, -2], "expandable": false, "parent_id": "r", "connections": ["r"]},
            {"id": "s", "title": "Sun", "parent_id": "r", "position": {"x": 3, "y": 4}, "unknown": {"deep": [1, {"x": 2}]}},
        ],
        "edges": [
            {"source": "r", "target": "m", "relationship": "contains", "strength": 1.0},
            {"source": "m", "target": "s", "relationship": "aligns with", "strength": 0.4},
            {"source": "s", "target": "m"},
        ],
        "metadata": {"generation_time": 1.5},
    })
}

#[test]
fn the_plain_design_is_read() {
    let graph = imported(Format::Json, plain().to_string().as_bytes());
    assert_eq!(outline(&graph), json!([["Tides", "Water", ["Moon", "Sun"]]]));
    assert_eq!(graph.topic, "Tides");
    let node = |id: &str| graph.nodes.iter().find(|node| node.id == id).unwrap().clone();
    let place = |id: &str| serde_json::to_value(node(id).position).unwrap();
    assert_eq!(place("m"), json!({"x": 1.5, "y": -2, "z": 0}));
    assert_eq!(place("s"), json!({"x": 3, "y": 4, "z": 0}));
    assert!(!node("m").expandable && node("s").expandable);
    assert!(graph.nodes.iter().all(|node| node.source == Some(Source::Import)));
    let links: Vec<(&str, &str, &str)> = graph
        .edges
        .iter()
        .filter(|edge| !edge.derived)
        .map(|edge| (edge.source.as_str(), edge.target.as_str(), edge.relationship.as_str()))
        .collect();
    assert_eq!(links, [("m", "s", "aligns with"), ("s", "m", "related")], "the edge of the tree is no cross link");
}

#[test]
fn edges_and_connections_tell_parents_where_nodes_do_not() {
    let nodes = json!([{"id": 1, "title": "a"}, {"id": 2, "title": "b"}, {"id": 3, "title": "c"}]);
    let tree = json!([["a", [["b", ["c"]]]]]);
    let edges = json!([{"source": 1, "target": 2, "relationship": "Contains"}, {"source": 2, "target": 3, "relationship": "contains"}]);
    assert_eq!(shown(&json!({"nodes": nodes, "edges": edges})), tree);

    // Null everywhere says nothing either.
    let mut nulls = nodes.clone();
    nulls.as_array_mut().unwrap().iter_mut().for_each(|node| node["parent_id"] = Value::Null);
    assert_eq!(shown(&json!({"nodes": nulls, "edges": edges})), tree);
    assert_eq!(shown(&json!({"nodes": nulls})), json!(["a", "b", "c"]));

    let mut connected = nodes.clone();
    connected[1]["connections"] = json!([3, 1, 99]);
    assert_eq!(shown(&json!({"nodes": connected})), tree, "in either direction, and not to what is not there");
    let related = json!([{"source": 2, "target": 1, "relationship": "part of"}, {"source": 3, "target": 2}]);
    let graph = imported(Format::Json, json!({"nodes": nodes, "edges": related}).to_string().as_bytes());
    assert_eq!(outline(&graph), tree);
    assert_eq!(graph.edges.iter().filter(|edge| !edge.derived).count(), 2, "what they say is kept");

    // A null among parents that are named is a floating topic.
    let floats = json!({"nodes": [{"id": "a", "title": "a", "parent_id": null}, {"id": "b", "title": "b", "parent_id": "a"},
                                  {"id": "c", "title": "c", "parent_id": null, "connections": ["a"]}],
                        "edges": [{"source": "a", "target": "c", "relationship": "contains"}]});
    assert_eq!(shown(&floats), json!([["a", ["b"]], "c"]));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let file = json!({
        "topic": ["x"],
        "nodes": [
            {"id": "a", "title": "A", "parent_id": "b", "color": "red", "size": 0, "position": {"x": "1", "y": 2}},
            {"id": "b", "title": null, "parent_id": "a", "expandable": "yes", "source": "robot", "state": "maybe"},
            {"title": "no id", "connections": "a"},
            {"id": "a", "title": "again", "given": ["colour"], "parent_id": "gone"},
            7,
        ],
        "edges": [
            {"source": "a", "target": "gone", "strength": 1.5},
            {"id": "e", "source": "a", "target": "b", "relationship": 1},
            {"id": "e", "source": "a", "target": "b"},
            {"target": "b"},
        ],
    });
    assert_eq!(
        fields(&file),
        [
            "topic",
            "nodes[0].position",
            "nodes[0].color",
            "nodes[0].size",
            "nodes[1].title",
            "nodes[1].expandable",
            "nodes[1].source",
            "nodes[1].state",
            "nodes[2].id",
            "nodes[2].connections",
            "nodes[3].given",
            "nodes[4]",
            "nodes[3].id",
            "edges[0].target",
            "edges[0].strength",
            "edges[1].relationship",
            "edges[2].id",
            "edges[3].source",
            "nodes[3].parent_id",
            "nodes[0].parent_id",
        ]
    );
    assert!(told(&file).iter().all(|(_, message)| message.len() > 8), "each says what would be right");
    let circle = json!({"nodes": [{"id": "r", "title": ""}, {"id": "a", "title": "", "parent_id": "a"}]});
    assert!(told(&circle)[0].1.contains("circle"));
    let bad = json!({"nodes": vec![json!({"id": ""}); 100]});
    assert_eq!(fields(&bad).len(), 20);
    for (file, field) in [
        (json!([]), "."),
        (json!("x"), "."),
        (json!({}), "nodes"),
        (json!({"nodes": {}}), "nodes"),
        (json!({"nodes": [], "edges": 1}), "edges"),
        (json!({"nodes": [], "id": 1}), "id"),
    ] {
        assert_eq!(fields(&file), [field], "{file}");
    }
}

#[test]
fn what_is_no_json_is_no_file() {
    for text in ["", "{", "{\"nodes\": []} x", "nodes", "{\"nodes\": [1,]}"] {
        assert!(matches!(read(Format::Json, text.as_bytes()), Err(ImportError::NotJson(_))), "{text}");
    }
    assert_eq!(read(Format::Json, b"{\"a\": \xff}"), Err(ImportError::NotText(6)));
    let deep = format!("{{\"nodes\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read(Format::Json, deep.as_bytes()).is_err());
    let many = json!({"nodes": vec![json!({}); 2_001]}).to_string();
    assert_eq!(read(Format::Json, many.as_bytes()), Err(ImportError::TooManyNodes(2_000)));
}

#[test]
fn only_what_is_given_is_fixed() {
    let graph = imported(Format::Json, plain().to_string().as_bytes());
    let given = serde_json::to_value(&graph.nodes[0].given).unwrap();
    assert_eq!(given, json!(["position", "color", "size"]));
    let mut file = serde_json::to_value(&graph).unwrap();
    file["nodes"][0]["given"] = json!(["size"]);
    let again = imported(Format::Json, file.to_string().as_bytes());
    assert_eq!(serde_json::to_value(&again.nodes[0].given).unwrap(), json!(["size"]));
}

#[test]
fn siblings_come_as_the_file_has_them() {
    let node = |id: &str, order: &str| json!({"id": id, "title": id, "parent_id": if id == "r" { None } else { Some("r") }, "order": order});
    let orders = |file: &Value| {
        let graph = imported(Format::Json, file.to_string().as_bytes());
        graph.nodes.iter().map(|node| (node.id.clone(), node.order.clone())).collect::<Vec<_>>()
    };
    let kept = orders(&json!({"nodes": [node("r", "x"), node("b", "a0"), node("a", "a0V")]}));
    assert_eq!(kept, [("r", "x"), ("b", "a0"), ("a", "a0V")].map(|(id, order)| (id.to_owned(), order.to_owned())));
    let moved = orders(&json!({"nodes": [node("r", "x"), node("b", "a1"), node("a", "a0")]}));
    assert_eq!(moved.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["r", "b", "a"]);
}

#[test]
fn only_an_empty_document_becomes_a_map_of_a_file() {
    let import = || {
        let map = read(Format::Json, plain().to_string().as_bytes()).unwrap().map;
        MapEdit::Import(map.into())
    };
    let first = |replica: &mut Replica, edit: &MapEdit| replica.apply([Op::Edit(edit)], 0).results.pop().unwrap();
    let mut replica = Replica::new(1, AsideLimits::default());
    assert!(first(&mut replica, &import()).is_ok());
    let before = replica.snapshot();
    assert!(first(&mut replica, &import()).is_err());
    assert_eq!(replica.snapshot(), before);
    let mut written = Replica::new(1, AsideLimits::default());
    assert!(first(&mut written, &MapEdit::AddNode(NewNode::new("n", "n"))).is_ok());
    assert!(first(&mut written, &import()).is_err());
}
