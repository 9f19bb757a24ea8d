//! Texts that others are typing into, and documents that others have written in their own way.

use super::*;

#[test]
fn a_new_title_keeps_what_others_type_beside_the_change() {
    let map = TestMap::small();
    map.ok(retitle("a", "The tides of the sea 🌊🌊"));
    let other = map.copy(2);
    let typed = other.text("a", "title");
    typed.insert(&mut other.doc.transact_mut(), 0, ">> ");
    map.ok(retitle("a", "The tides of the moon 🌊🌙"));
    map.receive(&other.encoded());
    other.receive(&map.encoded());
    assert_eq!(map.state().nodes["a"].title, ">> The tides of the moon 🌊🌙");
    assert_eq!(other.state(), map.state());
}

#[test]
fn characters_that_share_half_a_surrogate_pair_are_changed_whole() {
    // U+1F30A and U+1F319 share their first unit; U+1F30A and U+1FB0A their second.
    for (old, new) in [
        ("🌊", "🌙"),
        ("a🌊b", "a\u{1FB0A}b"),
        ("🌊🌊", "🌊"),
        ("", "🌊"),
        ("🌊x", ""),
        ("aaa", "aa"),
        ("é", "e\u{301}"),
        ("日本", "日本語"),
    ] {
        let map = TestMap::small();
        map.ok(retitle("a", old));
        map.ok(retitle("a", new));
        assert_eq!(map.state().nodes["a"].title, new, "{old} to {new}");
        let copy = map.copy(9);
        assert_eq!(copy.state().nodes["a"].title, new, "{old} to {new}, sent");
    }
}

#[test]
fn titles_that_are_no_plain_text_are_replaced() {
    let map = TestMap::small();
    map.put("a", "title", "a plain string");
    assert_eq!(map.state().nodes["a"].title, "a plain string");
    map.ok(retitle("a", "a text"));
    assert_eq!(map.text("a", "title").get_string(&map.doc.transact()), "a text");

    let title = map.text("b", "title");
    title.insert_embed(&mut map.doc.transact_mut(), 0, ArrayPrelim::from(["embedded"]));
    map.ok(retitle("b", "without it"));
    assert_eq!(map.state().nodes["b"].title, "without it");
    assert_eq!(map.text("b", "title").len(&map.doc.transact()), 10);

    map.put("c", "title", 5);
    assert_eq!(map.state().nodes["c"].title, "");
    map.ok(retitle("c", "five"));
    assert_eq!(map.state().nodes["c"].title, "five");
}

#[test]
fn anything_may_be_in_the_document() {
    let map = TestMap::small();
    {
        let mut txn = map.doc.transact_mut();
        let nodes = &map.roots.nodes;
        nodes.insert(&mut txn, "plain", "no map");
        nodes.insert(&mut txn, "text", TextPrelim::new("no map"));
        nodes.insert(&mut txn, "array", ArrayPrelim::from([1, 2]));
        nodes.insert(&mut txn, "bare", MapPrelim::default());
        map.roots.edges.insert(&mut txn, "plain", 1);
        map.roots.edges.insert(&mut txn, "bare", MapPrelim::default());
        map.roots.meta.insert(&mut txn, "schema", 1.5);
        map.roots.meta.insert(&mut txn, "created_at", Any::Undefined);
    }
    for (key, value) in [
        ("parent", Any::from(true)),
        ("order", Any::from(1)),
        ("pos", Any::from(vec![Any::from(1.0), Any::from(f64::NAN), Any::from(0)])),
        ("color", Any::from("red")),
        ("size", Any::from(f64::INFINITY)),
        ("expandable", Any::from("no")),
        ("collapsed", Any::Null),
        ("source", Any::from("robot")),
        ("run", Any::from(7)),
        ("state", Any::from("accepted")),
        ("unknown", Any::from(vec![0_u8])),
    ] {
        map.put("a", key, value);
    }
    let state = map.state();
    assert_eq!((state.schema, state.created_at), (None, None));
    assert_eq!(state.nodes.keys().collect::<Vec<_>>(), ["a", "b", "bare", "c", "r"]);
    assert!(state.edges.is_empty());
    let expected =
        crate::map::NodeState { title: "a".into(), parent: ParentLink::Invalid, ..crate::map::NodeState::default() };
    assert_eq!(state.nodes["a"], expected);
    assert_eq!(state.nodes["bare"], crate::map::NodeState::default());
    assert_eq!(map.refused(remove("plain", Children::Remove)), EditError::NodeNotFound("plain".into()));
    // What is in the way of a node, without being one, is replaced.
    map.ok(MapEdit::AddNode(NewNode::new("plain", "a node")));
    assert_eq!(map.state().nodes["plain"].title, "a node");
    map.ok(MapEdit::RemoveEdge { id: "plain".into() });
}

#[test]
fn numbers_of_every_encoding_are_read() {
    let map = TestMap::small();
    let big = Any::Number(yrs::Number::Int(1 << 60));
    for value in [Any::from(2.0), Any::from(2), Any::from(2_i64), Any::from(2.0_f32)] {
        map.put("a", "size", value);
        assert_eq!(map.state().nodes["a"].size, Some(2.0));
    }
    map.put("a", "size", big);
    assert_eq!(map.state().nodes["a"].size, Some(2.0_f64.powi(60)));
    let node = map.node("b");
    let pos: yrs::ArrayRef = node.insert(
        &mut map.doc.transact_mut(),
        "pos",
        ArrayPrelim::from([Any::from(1), Any::from(2.5), Any::from(-3)]),
    );
    assert_eq!(map.state().nodes["b"].pos, Some([1.0, 2.5, -3.0]));
    pos.push_back(&mut map.doc.transact_mut(), 4);
    assert_eq!(map.state().nodes["b"].pos, None);
}

#[test]
fn a_place_is_stored_as_one_array_of_plain_numbers() {
    let map = TestMap::small();
    let pos = Some(Some([1.0, -0.0, 2.25]));
    map.ok(patch("a", NodePatch { pos, ..NodePatch::default() }));
    let node = map.node("a");
    let stored = node.get(&map.doc.transact(), "pos");
    let expected = Any::from(vec![Any::from(1), Any::from(0), Any::from(2.25)]);
    assert_eq!(stored, Some(Out::Any(expected)));
}
