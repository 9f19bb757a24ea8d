//! Several people edit one map at the same time, hear of each other late, twice and out of turn, and end up with the
//! same map, the same tree and the same JSON.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use proptest::prelude::*;
use proptest::sample::Index;
use synapti_crdt::map::{
    Children, EdgePatch, MapEdit, MapRoots, MapState, NewEdge, NewNode, NodePatch, ParentRef, ProjectionContext,
    apply_edit, project, read_map,
};
use yrs::updates::decoder::Decode;
use yrs::{ClientID, Doc, OffsetKind, Options, ReadTxn, StateVector, Transact, Update};

const REPLICAS: usize = 3;

struct Replica {
    doc: Doc,
    roots: MapRoots,
    /// Updates on their way here.
    mailbox: Vec<Vec<u8>>,
}

impl Replica {
    fn new(client_id: u64) -> Self {
        let doc = Doc::with_options(Options {
            client_id: ClientID::new(client_id),
            offset_kind: OffsetKind::Utf16,
            ..Options::default()
        });
        let roots = MapRoots::resolve(&doc);
        Self { doc, roots, mailbox: Vec::new() }
    }

    fn state(&self) -> MapState {
        read_map(&self.doc.transact(), &self.roots)
    }

    fn state_vector(&self) -> StateVector {
        self.doc.transact().state_vector()
    }

    fn news_since(&self, vector: &StateVector) -> Vec<u8> {
        self.doc.transact().encode_state_as_update_v1(vector)
    }

    fn receive(&self, update: &[u8]) {
        let update = Update::decode_v1(update).unwrap();
        self.doc.transact_mut().apply_update(update).unwrap();
    }

    /// Carries out an edit; one that is refused must write nothing.
    fn edit(&self, edit: &MapEdit) {
        let before = self.news_since(&StateVector::default());
        let result = apply_edit(&mut self.doc.transact_mut(), &self.roots, edit);
        if result.is_err() {
            assert_eq!(self.news_since(&StateVector::default()), before, "{edit:?}");
        }
    }

    fn json(&self) -> String {
        let graph = project(&self.state(), &ProjectionContext::default());
        serde_json::to_string(&graph).unwrap()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Edit(usize, Action),
    /// Puts what the first knows and the second does not into the second's mailbox.
    Send(usize, usize),
    /// Delivers one of the mails, and keeps it, so that it may come again.
    Deliver(usize, Index),
}

#[derive(Debug, Clone)]
enum Action {
    Add { parent: Option<Index>, after: Option<Index>, title: String },
    Retitle { node: Index, title: String },
    Move { node: Index, parent: Option<Index>, before: Option<Index> },
    Remove { node: Index, lift: bool },
    Link { source: Index, target: Index },
    Relink { edge: Index, target: Index },
    Unlink { edge: Index },
    Crown { node: Index },
}

fn any_action() -> impl Strategy<Value = Action> {
    let index = any::<Index>;
    let maybe = || proptest::option::of(any::<Index>());
    let title = || "[ab🌊🌙]{0,6}";
    prop_oneof![
        6 => (maybe(), maybe(), title())
            .prop_map(|(parent, after, title)| Action::Add { parent, after, title }),
        3 => (index(), title()).prop_map(|(node, title)| Action::Retitle { node, title }),
        6 => (index(), maybe(), maybe())
            .prop_map(|(node, parent, before)| Action::Move { node, parent, before }),
        2 => (index(), any::<bool>()).prop_map(|(node, lift)| Action::Remove { node, lift }),
        2 => (index(), index()).prop_map(|(source, target)| Action::Link { source, target }),
        1 => (index(), index()).prop_map(|(edge, target)| Action::Relink { edge, target }),
        1 => index().prop_map(|edge| Action::Unlink { edge }),
        1 => index().prop_map(|node| Action::Crown { node }),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let replica = || 0..REPLICAS;
    prop_oneof![
        4 => (replica(), any_action()).prop_map(|(replica, action)| Step::Edit(replica, action)),
        2 => (replica(), replica()).prop_map(|(from, to)| Step::Send(from, to)),
        3 => (replica(), any::<Index>()).prop_map(|(to, mail)| Step::Deliver(to, mail)),
    ]
}

/// Turns an action into an edit of the map as this replica sees it. `number` makes new ids unique.
fn edit_of(action: &Action, state: &MapState, number: usize) -> Option<MapEdit> {
    let nodes: Vec<&String> = state.nodes.keys().collect();
    let edges: Vec<&String> = state.edges.keys().collect();
    let pick = |from: &[&String], index: &Index| (!from.is_empty()).then(|| index.get(from).as_str().to_owned());
    let node = |index: &Index| pick(&nodes, index);
    let maybe = |index: &Option<Index>| index.as_ref().and_then(node);
    Some(match action {
        Action::Add { parent, after, title } => MapEdit::AddNode(NewNode {
            parent: maybe(parent).map_or(ParentRef::Default, ParentRef::Under),
            after: maybe(after),
            ..NewNode::new(format!("n{number}"), title.as_str())
        }),
        Action::Retitle { node: index, title } => MapEdit::PatchNode {
            id: node(index)?,
            patch: NodePatch { title: Some(title.clone()), ..NodePatch::default() },
        },
        Action::Move { node: index, parent, before } => MapEdit::PatchNode {
            id: node(index)?,
            patch: NodePatch {
                parent: Some(maybe(parent).map_or(ParentRef::Topic, ParentRef::Under)),
                before: maybe(before),
                ..NodePatch::default()
            },
        },
        Action::Remove { node: index, lift } => {
            MapEdit::RemoveNode { id: node(index)?, children: if *lift { Children::Lift } else { Children::Remove } }
        }
        Action::Link { source, target } => MapEdit::AddEdge(NewEdge {
            id: format!("e{number}"),
            source: node(source)?,
            target: node(target)?,
            relationship: "related".into(),
            strength: 0.5,
        }),
        Action::Relink { edge, target } => MapEdit::PatchEdge {
            id: pick(&edges, edge)?,
            patch: EdgePatch { target: node(target), ..EdgePatch::default() },
        },
        Action::Unlink { edge } => MapEdit::RemoveEdge { id: pick(&edges, edge)? },
        Action::Crown { node: index } => MapEdit::PatchMeta { topic: None, root: node(index) },
    })
}

fn perform(replicas: &mut [Replica], step: &Step, number: usize) {
    match step {
        Step::Edit(replica, action) => {
            let replica = &replicas[*replica];
            if let Some(edit) = edit_of(action, &replica.state(), number) {
                replica.edit(&edit);
            }
        }
        Step::Send(from, to) => {
            let news = replicas[*from].news_since(&replicas[*to].state_vector());
            replicas[*to].mailbox.push(news);
        }
        Step::Deliver(to, mail) => {
            let replica = &replicas[*to];
            if !replica.mailbox.is_empty() {
                let update: &Vec<u8> = mail.get(&replica.mailbox);
                replica.receive(update);
            }
        }
    }
}

fn resync(replicas: &[Replica]) {
    for from in replicas {
        for to in replicas {
            to.receive(&from.news_since(&to.state_vector()));
        }
    }
}

fn started() -> Vec<Replica> {
    let replicas: Vec<Replica> = (0..REPLICAS).map(|n| Replica::new(n as u64 + 1)).collect();
    replicas[0].edit(&MapEdit::Init {
        topic: "Tides".into(),
        root: Some(NewNode::new("root", "Tides")),
        created_at: "2026-01-02T03:04:05Z".into(),
    });
    for id in ["a", "b", "c", "d"] {
        replicas[0].edit(&MapEdit::AddNode(NewNode::new(id, id)));
    }
    resync(&replicas);
    replicas
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn replicas_agree_whatever_happened_at_the_same_time(
        steps in proptest::collection::vec(any_step(), 1..90)
    ) {
        let mut replicas = started();
        for (number, step) in steps.iter().enumerate() {
            perform(&mut replicas, step, number);
        }
        resync(&replicas);
        resync(&replicas);
        let state = replicas[0].state();
        let json = replicas[0].json();
        for other in &replicas[1..] {
            prop_assert_eq!(&other.state(), &state);
            prop_assert_eq!(other.state().derive_tree(), state.derive_tree());
            prop_assert_eq!(&other.json(), &json);
        }
        let mut shown = state.derive_tree().preorder();
        shown.sort_unstable();
        prop_assert_eq!(shown, (0..state.nodes.len()).collect::<Vec<_>>());
    }

    #[test]
    fn an_edit_puts_nodes_where_it_said(steps in proptest::collection::vec(any_step(), 1..60)) {
        // After any history, a node that moves comes to hang under its new parent, right before its new sibling, and
        // nothing outside its branch changes its parent.
        let mut replicas = started();
        for (number, step) in steps.iter().enumerate() {
            perform(&mut replicas, step, number);
            let Step::Edit(replica, Action::Move { .. }) = step else {
                continue;
            };
            let replica = &replicas[*replica];
            let before = Shown::of(&replica.state());
            let Some(moved) = before.ids.last().cloned() else {
                continue;
            };
            let neighbour = before.ids[before.ids.len() / 2].clone();
            let edit = MapEdit::PatchNode {
                id: moved.clone(),
                patch: NodePatch { before: Some(neighbour.clone()), ..NodePatch::default() },
            };
            if apply_edit(&mut replica.doc.transact_mut(), &replica.roots, &edit).is_err() {
                continue;
            }
            let after = Shown::of(&replica.state());
            prop_assert_eq!(after.parent_of(&moved), before.parent_of(&neighbour));
            prop_assert_eq!(after.next_sibling(&moved), Some(neighbour));
            for id in before.ids.iter().filter(|id| **id != moved) {
                prop_assert_eq!(after.parent_of(id), before.parent_of(id), "{}", id);
            }
        }
    }
}

/// The tree with ids in the place of indices.
struct Shown {
    ids: Vec<String>,
    tree: synapti_crdt::map::tree::Tree,
}

impl Shown {
    fn of(state: &MapState) -> Self {
        Self { ids: state.nodes.keys().cloned().collect(), tree: state.derive_tree() }
    }

    fn index(&self, id: &str) -> usize {
        self.ids.iter().position(|other| other == id).unwrap()
    }

    fn parent_of(&self, id: &str) -> Option<String> {
        let parent = self.tree.nodes[self.index(id)].parent?;
        Some(self.ids[parent].clone())
    }

    fn next_sibling(&self, id: &str) -> Option<String> {
        let index = self.index(id);
        let siblings = match self.tree.nodes[index].parent {
            Some(parent) => &self.tree.nodes[parent].children,
            None => &self.tree.topics,
        };
        let position = siblings.iter().position(|&sibling| sibling == index)?;
        siblings.get(position + 1).map(|&next| self.ids[next].clone())
    }
}
