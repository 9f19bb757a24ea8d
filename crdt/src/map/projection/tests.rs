use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::map::tree::ParentLink;
use crate::map::{EdgeState, Proposed, Source};

fn child(title: &str, parent: &str, order: &str) -> NodeState {
    NodeState {
        title: title.into(),
        parent: ParentLink::Node(parent.into()),
        order: order.into(),
        source: Some(Source::Human),
        ..NodeState::default()
    }
}

fn link(source: &str, target: &str) -> EdgeState {
    EdgeState { source: source.into(), target: target.into(), relationship: Some("causes".into()), strength: Some(0.5) }
}

fn sample() -> MapState {
    let root = NodeState { title: "Tides".into(), ..NodeState::default() };
    let placed = NodeState {
        pos: Some([1.005, -0.001, 3.0]),
        color: Some("#10b981".into()),
        size: Some(2.0),
        expandable: false,
        collapsed: true,
        source: Some(Source::Ai),
        run: Some("job".into()),
        state: Some(Proposed),
        ..child("Moon", "r", "a1")
    };
    MapState {
        schema: Some(1),
        topic: Some("Tides".into()),
        root: Some("r".into()),
        created_at: Some("2026-01-02T03:04:05Z".into()),
        nodes: BTreeMap::from([
            ("r".to_owned(), root),
            ("b".to_owned(), placed),
            ("c".to_owned(), child("Sun", "r", "a0")),
            ("a".to_owned(), child("Orbit", "b", "a0")),
        ]),
        edges: BTreeMap::from([("e1".to_owned(), link("c", "a")), ("e2".to_owned(), link("c", "gone"))]),
        ..MapState::default()
    }
}

fn context() -> ProjectionContext {
    ProjectionContext {
        id: "g".into(),
        created_at_fallback: "1970-01-01T00:00:00Z".into(),
        last_modified: "2026-02-03T04:05:06Z".into(),
    }
}

fn projected(state: &MapState) -> Value {
    serde_json::to_value(project(state, &context())).unwrap()
}

#[test]
fn a_map_reads_as_the_published_json() {
    let graph = projected(&sample());
    assert_eq!(graph["id"], "g");
    assert_eq!(graph["topic"], "Tides");
    assert_eq!(graph["created_at"], "2026-01-02T03:04:05Z");
    assert_eq!(graph["last_modified"], "2026-02-03T04:05:06Z");
    assert_eq!(
        graph["metadata"],
        json!({
            "generation_time": null,
            "complexity_score": 0.21,
            "total_expandable_nodes": 3,
            "ai_model_version": null,
        })
    );
    let nodes = graph["nodes"].as_array().unwrap();
    let ids: Vec<&Value> = nodes.iter().map(|node| &node["id"]).collect();
    assert_eq!(ids, ["r", "c", "b", "a"], "depth first, in sibling order");
    assert_eq!(
        nodes[0],
        json!({
            "id": "r", "title": "Tides", "summary": "",
            "position": {"x": 0, "y": 0, "z": 0},
            "color": "#8B5CF6", "size": 1.5, "given": [], "expandable": true,
            "parent_id": null, "connections": ["b", "c"], "order": "", "depth": 0,
            "collapsed": false, "source": null, "run": null,
        })
    );
    assert_eq!(
        nodes[2],
        json!({
            "id": "b", "title": "Moon", "summary": "",
            "position": {"x": 1, "y": 0, "z": 3},
            "color": "#10b981", "size": 2, "given": ["position", "color", "size"], "expandable": false,
            "parent_id": "r", "connections": ["a", "r"], "order": "a1", "depth": 1,
            "collapsed": true, "source": "ai", "run": "job", "state": "proposed",
        })
    );
    assert_eq!(nodes[3]["connections"], json!(["b", "c"]), "over the tree and over cross links");
    assert_eq!((&nodes[1]["color"], &nodes[1]["size"]), (&json!("#A884F8"), &json!(1.2)));
}

#[test]
fn edges_are_visible_cross_links_and_then_the_tree() {
    let graph = projected(&sample());
    assert_eq!(
        graph["edges"],
        json!([
            {"id": "e1", "source": "c", "target": "a", "relationship": "causes", "strength": 0.5},
            {"id": "contains:c", "source": "r", "target": "c", "relationship": "contains", "strength": 1, "derived": true},
            {"id": "contains:b", "source": "r", "target": "b", "relationship": "contains", "strength": 1, "derived": true},
            {"id": "contains:a", "source": "b", "target": "a", "relationship": "contains", "strength": 1, "derived": true},
        ])
    );
    let mut state = sample();
    state.edges.insert("contains:c".into(), link("a", "r"));
    let bare = EdgeState { relationship: None, strength: None, ..link("b", "c") };
    state.edges.insert("bare".into(), bare);
    let edges = project(&state, &context()).edges;
    let ids: BTreeSet<&str> = edges.iter().map(|edge| edge.id.as_str()).collect();
    assert_eq!(ids.len(), edges.len(), "ids stay unique");
    assert_eq!((edges[0].relationship.as_str(), edges[0].strength), ("related", 1.0));
}

#[test]
fn every_node_appears_once_whatever_the_parents_say() {
    let mut state = sample();
    state.nodes.insert("x".into(), child("x", "y", "a0"));
    state.nodes.insert("y".into(), child("y", "x", "a0"));
    state.nodes.insert("lost".into(), child("lost", "gone", "a0"));
    state.nodes.insert("topic".into(), NodeState::default());
    let graph = project(&state, &context());
    let parents: BTreeMap<&str, Option<&str>> =
        graph.nodes.iter().map(|node| (node.id.as_str(), node.parent_id.as_deref())).collect();
    assert_eq!(graph.nodes.len(), 8);
    assert_eq!(parents.len(), 8);
    assert_eq!(parents["x"], Some("r"));
    assert_eq!(parents["y"], Some("x"));
    assert_eq!(parents["lost"], Some("r"));
    assert_eq!(parents["topic"], None);
    assert_eq!(graph.nodes.last().unwrap().id, "topic", "floating topics come last");
    assert_eq!(graph.nodes.last().unwrap().color, GENERAL_COLOR);
}

#[test]
fn an_empty_document_is_an_empty_map() {
    let graph = projected(&MapState::default());
    assert_eq!(graph["topic"], "");
    assert_eq!(graph["nodes"], json!([]));
    assert_eq!(graph["edges"], json!([]));
    assert_eq!(graph["created_at"], "1970-01-01T00:00:00Z");
    assert_eq!(graph["metadata"]["complexity_score"], 0);
}

#[test]
fn numbers_are_written_as_javascript_writes_them() {
    let mut state = sample();
    let node = state.nodes.get_mut("b").unwrap();
    node.pos = Some([-0.004, 12.345_678, 1e300]);
    node.size = Some(3.0);
    let text = serde_json::to_string(&project(&state, &context())).unwrap();
    assert!(text.contains(r#""position":{"x":0,"y":12.35,"z":1e+300}"#), "{text}");
    assert!(text.contains(r#""size":3,"#));
    assert!(text.contains(r#""complexity_score":0.21"#));
    assert!(!text.contains("-0,") && !text.contains(".0,") && !text.contains(".0}"), "{text}");
}

#[test]
fn the_score_grows_with_the_map_and_ends_at_one() {
    let chain = |count: usize, linked: bool| {
        let id = |n: usize| format!("{n:05}");
        let mut state = MapState::default();
        for n in 0..count {
            let mut node = child("x", &id(n.saturating_sub(1)), "a0");
            if n == 0 {
                node.parent = ParentLink::Null;
            }
            state.nodes.insert(id(n), node);
            if linked && n > 0 {
                state.edges.insert(id(n), link(&id(0), &id(n)));
            }
        }
        project(&state, &context()).metadata.complexity_score
    };
    let scores = [chain(1, false), chain(5, false), chain(50, false), chain(50, true), chain(2000, true)];
    assert!(scores.is_sorted_by(|a, b| a < b), "{scores:?}");
    assert!((scores[0] - 0.0).abs() < f64::EPSILON && (scores[4] - 1.0).abs() < f64::EPSILON);
}
