use super::*;
use crate::{
    AsideLimits, Op, Replica,
    map::{MapEdit, MapState, NewNode, NodePatch, ParentRef, state::Proposed},
};

const RUN: &str = "run-1";

struct Map {
    replica: Replica,
    wrote: Vec<IdRange>,
}

impl Map {
    fn new() -> Self {
        let mut replica = Replica::new(7, AsideLimits::default());
        let root = Some(NewNode::new("root", "Planets"));
        let init = MapEdit::Init { topic: "Planets".into(), root, created_at: "2026-01-01T00:00:00Z".into() };
        assert!(replica.apply([Op::Edit(&init)], 0).results[0].is_ok());
        Self { replica, wrote: Vec::new() }
    }

    fn grow(&mut self, steps: Vec<GrowStep>) -> Vec<Fate> {
        let edit = RunEdit::Grow(Growth { run: RUN.into(), source: Source::Ai, steps });
        let applied = self.replica.apply([Op::Run(&edit)], 0);
        let [RunOutcome::Grown(grown)] = applied.outcomes.as_slice() else { panic!("{:?}", applied.results) };
        self.wrote.push(grown.wrote);
        grown.fates.clone()
    }

    fn node(&mut self, id: &str, parent: &str, title: &str) {
        let steps = vec![begin(id, parent, title), append(id, GrowField::Summary, "", "About it.")];
        assert_eq!(self.grow(steps), [Fate::Done, Fate::Done]);
    }

    fn edit(&mut self, edit: &MapEdit) {
        assert!(self.replica.apply([Op::Edit(edit)], 0).results[0].is_ok());
    }

    fn patch(&mut self, id: &str, patch: NodePatch) {
        self.edit(&MapEdit::PatchNode { id: id.into(), patch });
    }

    fn settle(&mut self, what: Verdict, nodes: Option<&[&str]>) -> Settled {
        let nodes = nodes.map(|nodes| nodes.iter().map(|id| (*id).to_owned()).collect());
        let edit = RunEdit::Settle(Settlement { run: RUN.into(), what, nodes, wrote: self.wrote.clone() });
        let applied = self.replica.apply([Op::Run(&edit)], 0);
        let [RunOutcome::Settled(settled)] = applied.outcomes.as_slice() else { panic!("{:?}", applied.results) };
        settled.clone()
    }

    fn state(&self) -> MapState {
        self.replica.map()
    }

    fn ids(&self) -> Vec<String> {
        self.state().nodes.into_keys().collect()
    }
}

fn begin(id: &str, parent: &str, title: &str) -> GrowStep {
    GrowStep::Begin { id: id.into(), parent: parent.into(), title: title.into() }
}

fn append(id: &str, field: GrowField, written: &str, text: &str) -> GrowStep {
    GrowStep::Append { id: id.into(), field, written: written.into(), text: text.into() }
}

fn seal(id: &str, title: &str) -> GrowStep {
    GrowStep::Seal { id: id.into(), title: title.into() }
}

#[test]
fn a_run_makes_its_own_map_once_and_nobody_elses() {
    let init = |root: &str| {
        let (topic, created_at) = ("Moons".into(), "2026-01-01T00:00:00Z".into());
        vec![GrowStep::Init { topic, root: root.into(), created_at }, begin(&format!("{root}-a"), root, "Io")]
    };
    let mut map = Map { replica: Replica::new(7, AsideLimits::default()), wrote: Vec::new() };
    assert_eq!(map.grow(init("r")), [Fate::Done; 2]);
    assert_eq!((map.state().topic.as_deref(), map.state().root.as_deref()), (Some("Moons"), Some("r")));
    assert_eq!(map.grow(init("r")), [Fate::Done, Fate::Exists]);
    assert_eq!(map.grow(init("other")), [Fate::Exists, Fate::Gone], "and nothing else is done");
    assert_eq!(map.ids(), ["r", "r-a"]);
}

#[test]
fn a_node_grows_in_its_texts() {
    let mut map = Map::new();
    assert_eq!(map.grow(vec![begin("a", "root", "Ma")]), [Fate::Done]);
    let looks = Looks { color: Some("#3B82F6".into()), strength: Some(0.5), ..Looks::default() };
    let steps = vec![
        append("a", GrowField::Title, "Ma", "rs 😀"),
        seal("a", "Mars 😀"),
        append("a", GrowField::Summary, "", "Red"),
        append("a", GrowField::Summary, "Red", " and cold"),
        GrowStep::Set { id: "a".into(), looks },
    ];
    assert_eq!(map.grow(steps), [Fate::Done; 5]);
    let node = map.state().nodes.remove("a").unwrap();
    assert_eq!((node.title.as_str(), node.summary.as_str()), ("Mars 😀", "Red and cold"));
    assert_eq!((node.run.as_deref(), node.source, node.state), (Some(RUN), Some(Source::Ai), Some(Proposed)));
    assert_eq!((node.color.as_deref(), node.strength), (Some("#3B82F6"), Some(0.5)));
    assert!(map.wrote.iter().all(|range| range.client == 7 && !range.is_empty()));
}

#[test]
fn what_people_do_with_a_growing_node_counts() {
    let mut map = Map::new();
    map.grow(vec![begin("a", "root", "Ma"), begin("b", "root", "Ve")]);
    map.patch("a", NodePatch { title: Some("Our Mars".into()), ..NodePatch::default() });
    map.edit(&MapEdit::RemoveNode { id: "b".into(), children: crate::map::Children::Remove });
    map.patch("a", NodePatch { color: Some(Some("#000000".into())), ..NodePatch::default() });
    let looks = Looks { color: Some("#3B82F6".into()), ..Looks::default() };
    let steps = vec![
        append("a", GrowField::Title, "Ma", "rs"),
        append("b", GrowField::Title, "Ve", "nus"),
        begin("c", "b", "Clouds"),
        begin("a", "root", "Mars"),
        GrowStep::Set { id: "a".into(), looks },
    ];
    assert_eq!(map.grow(steps), [Fate::Taken, Fate::Gone, Fate::Gone, Fate::Exists, Fate::Done]);
    let node = map.state().nodes.remove("a").unwrap();
    assert_eq!((node.title.as_str(), node.color.as_deref()), ("Our Mars", Some("#000000")));
    assert_eq!(map.ids(), ["a", "root"]);
}

#[test]
fn of_two_siblings_with_one_title_the_newer_goes() {
    let mut map = Map::new();
    map.edit(&MapEdit::AddNode(NewNode::new("mine", " the  Moon")));
    map.edit(&MapEdit::AddNode(NewNode { parent: ParentRef::Under("mine".into()), ..NewNode::new("x", "Tides") }));
    map.grow(vec![begin("a", "root", "The moon"), begin("b", "root", "Tides")]);
    assert_eq!(
        map.grow(vec![seal("a", "The moon"), seal("b", "Tides"), seal("mine", " the  Moon")]),
        [Fate::Exists, Fate::Done, Fate::Taken]
    );
    assert_eq!(map.ids(), ["b", "mine", "root", "x"]);
}

#[test]
fn undo_removes_what_nobody_has_touched() {
    let mut map = Map::new();
    for (id, parent) in
        [("plain", "root"), ("edited", "root"), ("moved", "root"), ("parent", "root"), ("deep", "plain")]
    {
        map.node(id, parent, id);
    }
    for id in ["shortened", "coloured", "folded", "accepted", "restored"] {
        map.node(id, "root", id);
    }
    map.patch("edited", NodePatch { summary: Some("About it. And more.".into()), ..NodePatch::default() });
    map.patch("shortened", NodePatch { title: Some("short".into()), ..NodePatch::default() });
    map.patch("moved", NodePatch { parent: Some(ParentRef::Under("edited".into())), ..NodePatch::default() });
    map.patch("coloured", NodePatch { color: Some(Some("#000000".into())), ..NodePatch::default() });
    map.patch("folded", NodePatch { collapsed: Some(Some(true)), ..NodePatch::default() });
    map.edit(&MapEdit::AddNode(NewNode { parent: ParentRef::Under("parent".into()), ..NewNode::new("mine", "Mine") }));
    assert_eq!(map.settle(Verdict::Accept, Some(&["accepted"])).changed, ["accepted"]);
    assert_eq!(map.state().nodes["accepted"].state, None);

    // As another node, or this one after a restart, would see it.
    let snapshot = map.replica.snapshot();
    map.replica = Replica::load(99, AsideLimits::default(), [snapshot.as_slice()]).unwrap();
    map.wrote.push(IdRange { client: 7, from: 0, to: u32::MAX });
    let known = map.settle(Verdict::Accept, Some(&[])).wrote;
    assert!(known.iter().all(|range| range.to < u32::MAX), "only what there is: {known:?}");
    map.wrote.pop();
    let mut undone = map.settle(Verdict::Undo, None);
    undone.changed.sort();
    undone.kept.sort();
    assert_eq!(undone.changed, ["accepted", "deep", "folded", "plain", "restored"]);
    assert_eq!(undone.kept, ["coloured", "edited", "moved", "parent", "shortened"]);
    assert_eq!(map.ids(), ["coloured", "edited", "mine", "moved", "parent", "root", "shortened"]);
}

#[test]
fn rejecting_removes_proposals_one_by_one_or_all() {
    let mut map = Map::new();
    for id in ["a", "b", "c", "d"] {
        map.node(id, "root", id);
    }
    map.node("under-d", "d", "x");
    map.patch("a", NodePatch { title: Some("mine".into()), ..NodePatch::default() });
    map.settle(Verdict::Accept, Some(&["b"]));
    let rejected = map.settle(Verdict::Reject, Some(&["d"]));
    assert_eq!((rejected.changed.len(), rejected.kept), (0, vec!["d".to_owned()]));
    assert_eq!(map.settle(Verdict::Reject, None).changed, ["c", "d", "under-d"]);
    assert_eq!(map.ids(), ["a", "b", "root"]);
    assert_eq!(map.settle(Verdict::Reject, Some(&["a", "b", "root"])).changed, ["a"], "it is named");
    assert_eq!(map.ids(), ["b", "root"]);
}

#[test]
fn other_runs_and_people_are_left_alone() {
    let mut map = Map::new();
    map.node("a", "root", "a");
    map.edit(&MapEdit::AddNode(NewNode { run: Some("run-2".into()), ..NewNode::new("other", "o") }));
    // Without its ranges nothing counts as the run's own.
    map.wrote.clear();
    let undone = map.settle(Verdict::Undo, None);
    assert_eq!((undone.changed.len(), undone.kept), (0, vec!["a".to_owned()]));
    assert_eq!(map.ids(), ["a", "other", "root"]);
}
