//! The tree rules, checked against vectors that other implementations share.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;
use synapti_crdt::map::tree::{ParentLink, Tree, TreeInput, derive};

/// One case of `vectors/tree.json`. A node's `parent` is an id, null, absent (as null), or anything else (no node).
#[derive(serde::Deserialize)]
struct Case {
    name: String,
    meta_root: Option<String>,
    nodes: Vec<BTreeMap<String, Value>>,
    expect: Expected,
}

#[derive(serde::Deserialize, Debug, PartialEq)]
struct Expected {
    root: Option<String>,
    /// The floating topics, sorted.
    topics: Vec<String>,
    /// The nodes that hang under the root only because they have nowhere else to be, sorted.
    orphans: Vec<String>,
    /// Every node with children, with its children sorted.
    children: BTreeMap<String, Vec<String>>,
    /// All nodes, depth first in sibling order.
    preorder: Vec<String>,
}

#[test]
fn the_shared_vectors_hold() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("vectors/tree.json")).unwrap();
    assert!(cases.len() >= 30);
    for case in &cases {
        let input: Vec<TreeInput<'_>> = case.nodes.iter().map(input_of).collect();
        let forwards = describe(&input, &derive(&input, case.meta_root.as_deref()));
        assert_eq!(forwards, case.expect, "{}", case.name);
        let reversed: Vec<TreeInput<'_>> = input.iter().rev().copied().collect();
        let backwards = describe(&reversed, &derive(&reversed, case.meta_root.as_deref()));
        assert_eq!(backwards, case.expect, "{}, reversed", case.name);
    }
}

fn input_of(node: &BTreeMap<String, Value>) -> TreeInput<'_> {
    TreeInput {
        id: node["id"].as_str().unwrap(),
        parent: match node.get("parent") {
            None | Some(Value::Null) => ParentLink::Null,
            Some(Value::String(id)) => ParentLink::Node(id),
            Some(_) => ParentLink::Invalid,
        },
        order: node.get("order").and_then(Value::as_str).unwrap_or(""),
    }
}

fn describe(input: &[TreeInput<'_>], tree: &Tree) -> Expected {
    let id = |&index: &usize| input[index].id.to_owned();
    let mut orphans: Vec<String> =
        (0..input.len()).filter(|&index| tree.nodes[index].is_orphan).map(|index| id(&index)).collect();
    orphans.sort();
    Expected {
        root: tree.root.map(|root| id(&root)),
        topics: tree.topics.iter().map(id).collect(),
        orphans,
        children: (0..input.len())
            .filter(|&index| !tree.nodes[index].children.is_empty())
            .map(|index| (id(&index), tree.nodes[index].children.iter().map(id).collect()))
            .collect(),
        preorder: tree.preorder().iter().map(id).collect(),
    }
}

/// The rules again, in the plainest form that can be written down, quadratic and all.
fn derive_plainly(nodes: &[(String, ParentLink<String>, String)], meta_root: Option<&str>) -> Expected {
    let ids: Vec<&str> = nodes.iter().map(|node| node.0.as_str()).collect();
    let is_node = |id: &str| ids.contains(&id);
    let named_root = meta_root.filter(|id| is_node(id));
    let mut parents: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut is_topic: BTreeMap<&str, bool> = BTreeMap::new();
    for (id, parent, _) in nodes {
        let parent = match parent.as_deref() {
            ParentLink::Node(parent) if is_node(parent) && parent != id => Some(parent),
            _ => None,
        };
        let is_root = named_root == Some(id);
        parents.insert(id, parent.filter(|_| !is_root));
        is_topic.insert(id, is_root || matches!(nodes.iter().find(|n| n.0 == *id).unwrap().1, ParentLink::Null));
    }
    let before = parents.clone();
    for &start in &ids {
        let mut cycle = vec![start];
        while let Some(parent) = before[cycle.last().unwrap()] {
            if parent == start {
                parents.insert(cycle.iter().min().unwrap(), None);
                break;
            }
            if cycle.len() > ids.len() {
                break;
            }
            cycle.push(parent);
        }
    }
    let key = |id: &&str| (nodes.iter().find(|node| node.0 == **id).unwrap().2.clone(), (*id).to_owned());
    let mut sorted = ids.clone();
    sorted.sort_by_key(key);
    let tops = |topics: bool| -> Vec<&str> {
        let is_top = |id: &&str| parents[*id].is_none() && is_topic[*id] == topics;
        sorted.iter().copied().filter(is_top).collect()
    };
    let root = named_root.or_else(|| tops(true).first().copied()).or_else(|| tops(false).first().copied());
    let orphans: Vec<&str> = tops(false).into_iter().filter(|id| Some(*id) != root).collect();
    let mut children: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in sorted.iter().filter(|id| Some(**id) != root) {
        let parent = parents[id].or_else(|| root.filter(|_| orphans.contains(id)));
        if let Some(parent) = parent {
            children.entry(parent.to_owned()).or_default().push((*id).to_owned());
        }
    }
    let topics: Vec<String> = tops(true).into_iter().filter(|id| Some(*id) != root).map(str::to_owned).collect();
    let mut preorder = Vec::new();
    let mut stack: Vec<String> = topics.iter().rev().cloned().collect();
    stack.extend(root.map(str::to_owned));
    while let Some(id) = stack.pop() {
        stack.extend(children.get(&id).into_iter().flatten().rev().cloned());
        preorder.push(id);
    }
    let mut orphans: Vec<String> = orphans.into_iter().map(str::to_owned).collect();
    orphans.sort();
    Expected { root: root.map(str::to_owned), topics, orphans, children, preorder }
}

fn any_link() -> impl Strategy<Value = ParentLink<String>> {
    prop_oneof![
        2 => Just(ParentLink::Null),
        12 => (0..14_u8).prop_map(|id| ParentLink::Node(format!("n{id}"))),
        1 => Just(ParentLink::Invalid),
    ]
}

proptest! {
    #[test]
    fn any_graph_gives_the_tree_that_the_rules_say(
        nodes in proptest::collection::btree_map(0..12_u8, (any_link(), "[ab]?"), 0..12),
        meta_root in proptest::option::of((0..14_u8).prop_map(|id| format!("n{id}"))),
    ) {
        let nodes: Vec<(String, ParentLink<String>, String)> = nodes
            .into_iter()
            .map(|(id, (parent, order))| (format!("n{id}"), parent, order))
            .collect();
        let input: Vec<TreeInput<'_>> = nodes
            .iter()
            .map(|(id, parent, order)| TreeInput { id, parent: parent.as_deref(), order })
            .collect();
        let tree = derive(&input, meta_root.as_deref());
        let derived = describe(&input, &tree);
        prop_assert_eq!(&derived, &derive_plainly(&nodes, meta_root.as_deref()));

        let mut seen = derived.preorder.clone();
        seen.sort();
        let mut all: Vec<String> = nodes.iter().map(|node| node.0.clone()).collect();
        all.sort();
        prop_assert_eq!(seen, all, "every node appears exactly once");
        for (index, place) in tree.nodes.iter().enumerate() {
            let above = place.parent.map(|parent| tree.nodes[parent].depth + 1);
            prop_assert_eq!(place.depth, above.unwrap_or(0), "{}", index);
        }
    }
}

#[test]
fn chains_and_cycles_of_a_hundred_thousand_need_no_recursion() {
    const LENGTH: usize = 100_000;
    let ids: Vec<String> = (0..LENGTH).map(|index| format!("{index:06}")).collect();
    let input_with = |first: ParentLink<&'static str>| -> Vec<TreeInput<'_>> {
        (0..LENGTH)
            .map(|index| TreeInput {
                id: &ids[index],
                parent: index.checked_sub(1).map_or(first, |above| ParentLink::Node(&ids[above])),
                order: "",
            })
            .collect()
    };
    for first in [ParentLink::Null, ParentLink::Node("099999")] {
        let tree = derive(&input_with(first), None);
        assert_eq!(tree.root, Some(0));
        assert_eq!(tree.nodes[LENGTH - 1].depth as usize, LENGTH - 1);
        assert_eq!(tree.preorder().len(), LENGTH);
    }
}
