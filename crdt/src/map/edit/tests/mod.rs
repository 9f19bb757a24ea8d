mod foreign;

use yrs::{
    Any, Array, ArrayPrelim, Doc, GetString, Map, MapPrelim, MapRef, OffsetKind, Options, Out, ReadTxn, StateVector,
    Text, TextPrelim, TextRef, Transact, Update, updates::decoder::Decode,
};

use super::*;
use crate::map::tree::{ParentLink, Tree};
use crate::map::{MapRoots, MapState, read_map};

struct TestMap {
    doc: Doc,
    roots: MapRoots,
}

impl TestMap {
    fn empty(client_id: u64) -> Self {
        let doc = Doc::with_options(Options {
            client_id: yrs::ClientID::new(client_id),
            offset_kind: OffsetKind::Utf16,
            ..Options::default()
        });
        let roots = MapRoots::resolve(&doc);
        Self { doc, roots }
    }

    /// A map with the root `r` and its children `a`, `b` and `c`.
    fn small() -> Self {
        let map = Self::empty(1);
        map.ok(MapEdit::Init {
            topic: "Tides".into(),
            root: Some(NewNode::new("r", "Root")),
            created_at: "2026-01-02T03:04:05Z".into(),
        });
        for id in ["a", "b", "c"] {
            map.ok(MapEdit::AddNode(NewNode::new(id, id)));
        }
        map
    }

    fn edit(&self, edit: &MapEdit) -> Result<(), EditError> {
        apply_edit(&mut self.doc.transact_mut(), &self.roots, edit)
    }

    #[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
    #[track_caller]
    fn ok(&self, edit: MapEdit) {
        self.edit(&edit).unwrap();
    }

    /// An edit that must be refused, and must then have written nothing.
    #[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
    #[track_caller]
    fn refused(&self, edit: MapEdit) -> EditError {
        let before = self.encoded();
        let error = self.edit(&edit).unwrap_err();
        assert_eq!(self.encoded(), before, "nothing was written");
        error
    }

    fn state(&self) -> MapState {
        read_map(&self.doc.transact(), &self.roots)
    }

    fn encoded(&self) -> Vec<u8> {
        let txn = self.doc.transact();
        txn.encode_state_as_update_v1(&StateVector::default())
    }

    fn receive(&self, update: &[u8]) {
        let update = Update::decode_v1(update).unwrap();
        self.doc.transact_mut().apply_update(update).unwrap();
    }

    fn copy(&self, client_id: u64) -> Self {
        let copy = Self::empty(client_id);
        copy.receive(&self.encoded());
        copy
    }

    fn node(&self, id: &str) -> MapRef {
        let txn = self.doc.transact();
        self.roots.nodes.get(&txn, id).unwrap().cast().unwrap()
    }

    fn text(&self, id: &str, key: &str) -> TextRef {
        let node = self.node(id);
        node.get(&self.doc.transact(), key).unwrap().cast().unwrap()
    }

    /// Writes a raw value into a node, as a foreign client could.
    fn put(&self, id: &str, key: &str, value: impl Into<Any>) {
        let node = self.node(id);
        node.insert(&mut self.doc.transact_mut(), key, value.into());
    }

    /// The tree as nested text: `r(a b(c)) t`.
    fn shape(&self) -> String {
        let state = self.state();
        let tree = state.derive_tree();
        let ids: Vec<&String> = state.nodes.keys().collect();
        let mut parts = Vec::new();
        for &top in tree.root.iter().chain(&tree.topics) {
            let mut part = String::new();
            write_branch(&mut part, &tree, &ids, top);
            parts.push(part);
        }
        parts.join(" ")
    }
}

fn write_branch(out: &mut String, tree: &Tree, ids: &[&String], node: usize) {
    out.push_str(ids[node]);
    let children = &tree.nodes[node].children;
    for (position, &child) in children.iter().enumerate() {
        out.push(if position == 0 { '(' } else { ' ' });
        write_branch(out, tree, ids, child);
    }
    if !children.is_empty() {
        out.push(')');
    }
}

fn under(id: &str, parent: &str) -> NewNode {
    NewNode { parent: ParentRef::Under(parent.into()), ..NewNode::new(id, id) }
}

fn topic(id: &str) -> NewNode {
    NewNode { parent: ParentRef::Topic, ..NewNode::new(id, id) }
}

fn patch(id: &str, patch: NodePatch) -> MapEdit {
    MapEdit::PatchNode { id: id.into(), patch }
}

fn move_under(id: &str, parent: &str) -> MapEdit {
    let parent = Some(ParentRef::Under(parent.into()));
    patch(id, NodePatch { parent, ..NodePatch::default() })
}

fn remove(id: &str, children: Children) -> MapEdit {
    MapEdit::RemoveNode { id: id.into(), children }
}

fn retitle(id: &str, title: &str) -> MapEdit {
    let title = Some(title.to_owned());
    patch(id, NodePatch { title, ..NodePatch::default() })
}

#[test]
fn a_map_starts_with_a_topic_and_a_root() {
    let map = TestMap::small();
    let state = map.state();
    assert_eq!(state.schema, Some(1));
    assert_eq!(state.topic.as_deref(), Some("Tides"));
    assert_eq!(state.root.as_deref(), Some("r"));
    assert_eq!(state.created_at.as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(map.shape(), "r(a b c)");
    let again = MapEdit::Init { topic: "Other".into(), root: None, created_at: String::new() };
    assert_eq!(map.refused(again), EditError::AlreadyInitialised);
}

#[test]
fn the_first_node_becomes_the_root_whatever_meta_says() {
    let map = TestMap::empty(1);
    map.ok(MapEdit::AddNode(topic("x")));
    assert_eq!(map.state().root.as_deref(), Some("x"));
    map.ok(remove("x", Children::Remove));
    map.ok(MapEdit::AddNode(NewNode::new("y", "y")));
    assert_eq!(map.state().root.as_deref(), Some("y"));
}

#[test]
fn everything_that_a_node_can_have_is_read_back() {
    let map = TestMap::small();
    map.ok(MapEdit::AddNode(NewNode {
        summary: "why 🌊".into(),
        pos: Some([1.0, -0.25, 1e300]),
        color: Some("#12aBcD".into()),
        size: Some(1.25),
        expandable: Some(false),
        collapsed: Some(true),
        source: Source::Ai,
        run: Some("job".into()),
        state: Some(Proposed),
        ..under("d", "a")
    }));
    let state = map.state();
    let node = &state.nodes["d"];
    assert_eq!((node.title.as_str(), node.summary.as_str()), ("d", "why 🌊"));
    assert_eq!(node.parent, ParentLink::Node("a".into()));
    assert_eq!(node.pos, Some([1.0, -0.25, 1e300]));
    assert_eq!(node.color.as_deref(), Some("#12aBcD"));
    assert_eq!(node.size, Some(1.25));
    assert!(!node.expandable && node.collapsed);
    assert_eq!((node.source, node.run.as_deref()), (Some(Source::Ai), Some("job")));
    assert_eq!(node.state, Some(Proposed));

    map.ok(patch(
        "d",
        NodePatch {
            summary: Some(String::new()),
            pos: Some(None),
            color: Some(None),
            size: Some(None),
            expandable: Some(None),
            collapsed: Some(None),
            source: Some(Source::Human),
            run: Some(None),
            state: Some(None),
            ..NodePatch::default()
        },
    ));
    let cleared = &map.state().nodes["d"];
    assert_eq!(
        cleared,
        &crate::map::NodeState {
            title: "d".into(),
            parent: ParentLink::Node("a".into()),
            order: "a0".into(),
            source: Some(Source::Human),
            ..crate::map::NodeState::default()
        }
    );
}

#[test]
fn nodes_are_placed_before_and_after_their_siblings() {
    let map = TestMap::small();
    let before = |id: &str, sibling: &str| NewNode { before: Some(sibling.into()), ..NewNode::new(id, id) };
    map.ok(MapEdit::AddNode(before("d", "a")));
    map.ok(MapEdit::AddNode(before("e", "b")));
    map.ok(MapEdit::AddNode(NewNode { after: Some("b".into()), ..NewNode::new("f", "f") }));
    assert_eq!(map.shape(), "r(d a e b f c)");
    // Without a parent, a node goes to where its new neighbour is.
    map.ok(MapEdit::AddNode(under("g", "a")));
    map.ok(MapEdit::AddNode(before("h", "g")));
    assert_eq!(map.shape(), "r(d a(h g) e b f c)");
    let after_g = Some("g".to_owned());
    map.ok(patch("c", NodePatch { after: after_g, ..NodePatch::default() }));
    assert_eq!(map.shape(), "r(d a(h g c) e b f)");
}

#[test]
fn a_gap_between_equal_or_foreign_orders_is_made() {
    let map = TestMap::small();
    for id in ["a", "b", "c"] {
        map.put(id, "order", "a1");
    }
    map.ok(MapEdit::AddNode(NewNode { before: Some("b".into()), ..NewNode::new("x", "x") }));
    assert_eq!(map.shape(), "r(a x b c)");
    assert_eq!(map.state().nodes["a"].order, "a1", "what is before the gap is left alone");

    map.put("a", "order", "");
    map.put("x", "order", "");
    map.ok(MapEdit::AddNode(NewNode { before: Some("a".into()), ..NewNode::new("y", "y") }));
    assert_eq!(map.shape(), "r(y a x b c)");

    map.put("c", "order", "z".repeat(10_000));
    map.ok(MapEdit::AddNode(NewNode::new("z", "z")));
    assert_eq!(map.shape(), "r(y a x b c z)");
    assert!(map.state().nodes.values().all(|node| node.order.len() < 10));
}

#[test]
fn moves_keep_the_branch_and_refuse_cycles() {
    let map = TestMap::small();
    map.ok(MapEdit::AddNode(under("d", "a")));
    map.ok(MapEdit::AddNode(under("e", "d")));
    map.ok(move_under("d", "c"));
    assert_eq!(map.shape(), "r(a b c(d(e)))");
    for parent in ["c", "d", "e"] {
        let error = map.refused(move_under("c", parent));
        let expected = EditError::WouldCycle { node: "c".into(), parent: parent.into() };
        assert_eq!(error, expected);
    }
    assert_eq!(map.refused(move_under("c", "none")), EditError::ParentNotFound("none".into()));
    assert_eq!(map.refused(move_under("none", "c")), EditError::NodeNotFound("none".into()));
    assert_eq!(map.refused(move_under("r", "c")), EditError::RootCannotMove("r".into()));
}

#[test]
fn a_refused_move_does_not_let_the_rest_of_its_patch_through() {
    let map = TestMap::small();
    let error = map.refused(patch(
        "a",
        NodePatch { title: Some("new".into()), parent: Some(ParentRef::Under("a".into())), ..NodePatch::default() },
    ));
    assert!(matches!(error, EditError::WouldCycle { .. }));
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() {
    let map = TestMap::small();
    map.ok(MapEdit::AddNode(NewNode { pos: Some([1.0, 2.0, 3.5]), size: Some(2.0), ..under("d", "a") }));
    let before = map.encoded();
    map.ok(patch(
        "d",
        NodePatch {
            title: Some("d".into()),
            summary: Some(String::new()),
            parent: Some(ParentRef::Under("a".into())),
            pos: Some(Some([1.0, 2.0, 3.5])),
            size: Some(Some(2.0)),
            color: Some(None),
            source: Some(Source::Human),
            ..NodePatch::default()
        },
    ));
    map.ok(patch("d", NodePatch::default()));
    map.ok(MapEdit::PatchMeta { topic: Some("Tides".into()), root: Some("r".into()) });
    assert_eq!(map.encoded(), before);
}

#[test]
fn moving_within_a_concurrent_cycle_leaves_the_others_where_they_are() {
    let map = TestMap::small();
    // Two people moved a under b and b under a at the same time: a hangs under the root.
    map.put("a", "parent", "b");
    map.put("b", "parent", "a");
    assert_eq!(map.shape(), "r(a(b) c)");
    map.ok(move_under("b", "c"));
    assert_eq!(map.shape(), "r(a c(b))");
}

#[test]
fn removing_takes_the_branch_or_lifts_it() {
    let map = TestMap::small();
    for (id, parent) in [("d", "b"), ("e", "b"), ("f", "d")] {
        map.ok(MapEdit::AddNode(under(id, parent)));
    }
    let copy = map.copy(2);
    map.ok(remove("b", Children::Remove));
    assert_eq!(map.shape(), "r(a c)");
    copy.ok(remove("b", Children::Lift));
    assert_eq!(copy.shape(), "r(a d(f) e c)");
    assert_eq!(copy.refused(remove("b", Children::Lift)), EditError::NodeNotFound("b".into()));
    assert_eq!(copy.refused(remove("r", Children::Lift)), EditError::RootHasChildren("r".into()));
    // A branch includes what somebody else hung under it; what they did unseen becomes an orphan, not a loss.
    let other = map.copy(3);
    other.ok(MapEdit::AddNode(under("g", "c")));
    map.ok(remove("c", Children::Remove));
    map.receive(&other.encoded());
    assert_eq!(map.shape(), "r(a g)");
}

#[test]
fn topics_float_and_never_take_over_the_root() {
    let map = TestMap::empty(1);
    // A foreign client's map: no root named, the lowest topic is it.
    for id in ["m", "n"] {
        map.roots.nodes.insert(&mut map.doc.transact_mut(), id, MapPrelim::default());
    }
    assert_eq!(map.shape(), "m n");
    map.ok(MapEdit::AddNode(NewNode { before: Some("n".into()), ..topic("a") }));
    assert_eq!(map.shape(), "m a n");
    assert_eq!(map.state().root.as_deref(), Some("m"));
    map.ok(move_under("n", "m"));
    map.ok(MapEdit::AddNode(under("o", "n")));
    map.ok(patch("n", NodePatch { parent: Some(ParentRef::Topic), before: Some("a".into()), ..NodePatch::default() }));
    assert_eq!(map.shape(), "m n(o) a");
    map.ok(remove("n", Children::Lift));
    assert_eq!(map.shape(), "m o a");
    map.ok(MapEdit::PatchMeta { topic: None, root: Some("a".into()) });
    assert_eq!(map.shape(), "a m o");
    let missing = MapEdit::PatchMeta { topic: Some("x".into()), root: Some("none".into()) };
    assert_eq!(map.refused(missing), EditError::NodeNotFound("none".into()));
}

#[test]
fn edges_link_nodes_that_exist() {
    let map = TestMap::small();
    let edge = |id: &str, source: &str, target: &str| NewEdge {
        id: id.into(),
        source: source.into(),
        target: target.into(),
        relationship: "causes".into(),
        strength: 0.5,
    };
    map.ok(MapEdit::AddEdge(edge("e", "a", "b")));
    let again = map.refused(MapEdit::AddEdge(edge("e", "a", "c")));
    assert_eq!(again, EditError::EdgeExists("e".into()));
    let dangling = map.refused(MapEdit::AddEdge(edge("f", "a", "none")));
    assert_eq!(dangling, EditError::EndpointNotFound("none".into()));
    let loops = map.refused(MapEdit::AddEdge(edge("f", "a", "a")));
    assert!(matches!(loops, EditError::Invalid { field: "target", .. }));
    for strength in [-0.1, 1.1, f64::NAN] {
        let strong = NewEdge { strength, ..edge("f", "a", "b") };
        assert!(matches!(map.refused(MapEdit::AddEdge(strong)), EditError::Invalid { .. }));
    }

    let change = |patch: EdgePatch| MapEdit::PatchEdge { id: "e".into(), patch };
    let target = Some("c".to_owned());
    map.ok(change(EdgePatch { target, strength: Some(1.0), ..EdgePatch::default() }));
    let looping = map.refused(change(EdgePatch { source: Some("c".into()), ..EdgePatch::default() }));
    assert!(matches!(looping, EditError::Invalid { field: "target", .. }));
    let state = map.state();
    assert_eq!(state.edges["e"].target, "c");
    assert_eq!(state.edges["e"].strength, Some(1.0));

    map.ok(MapEdit::RemoveEdge { id: "e".into() });
    let gone = map.refused(MapEdit::RemoveEdge { id: "e".into() });
    assert_eq!(gone, EditError::EdgeNotFound("e".into()));
}

#[test]
fn values_out_of_range_are_refused() {
    let map = TestMap::small();
    let refused = |new: NewNode| match map.refused(MapEdit::AddNode(new)) {
        EditError::Invalid { field, .. } => field,
        other => panic!("{other}"),
    };
    assert_eq!(refused(NewNode::new("", "x")), "id");
    assert_eq!(refused(NewNode::new("x".repeat(257), "x")), "id");
    assert_eq!(refused(NewNode { color: Some("red".into()), ..NewNode::new("x", "x") }), "color");
    assert_eq!(refused(NewNode { size: Some(0.0), ..NewNode::new("x", "x") }), "size");
    assert_eq!(refused(NewNode { size: Some(f64::INFINITY), ..NewNode::new("x", "x") }), "size");
    let pos = Some([0.0, f64::NAN, 0.0]);
    assert_eq!(refused(NewNode { pos, ..NewNode::new("x", "x") }), "pos");
    let both = NewNode { before: Some("a".into()), after: Some("b".into()), ..NewNode::new("x", "x") };
    assert_eq!(refused(both), "before");
    let elsewhere = NewNode { after: Some("r".into()), ..under("x", "a") };
    assert_eq!(map.refused(MapEdit::AddNode(elsewhere)), EditError::SiblingNotFound("r".into()));
    assert_eq!(map.refused(MapEdit::AddNode(under("x", "none"))), EditError::ParentNotFound("none".into()));
    assert_eq!(map.refused(MapEdit::AddNode(NewNode::new("a", "x"))), EditError::NodeExists("a".into()));
}
