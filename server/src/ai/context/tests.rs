use std::time::Instant;

use synapti_crdt::map::{EdgeState, tree::ParentLink};

use super::*;

fn node(title: &str, parent: Option<&str>, order: usize) -> NodeState {
    let parent = parent.map_or(ParentLink::Null, |id| ParentLink::Node(id.to_owned()));
    NodeState { title: title.to_owned(), parent, order: format!("a{order:05}"), ..NodeState::default() }
}

/// A root with branches `b0`, `b1`…, each with as many leaves.
fn map(branches: usize, leaves: usize) -> MapState {
    let mut map = MapState { topic: Some("Space".into()), root: Some("root".into()), ..MapState::default() };
    map.nodes.insert("root".into(), node("Space", None, 0));
    for branch in 0..branches {
        let id = format!("b{branch}");
        map.nodes.insert(id.clone(), node(&format!("Branch {branch}"), Some("root"), branch));
        for leaf in 0..leaves {
            map.nodes.insert(format!("{id}-{leaf}"), node(&format!("Leaf {branch}.{leaf}"), Some(&id), leaf));
        }
    }
    map
}

fn wish() -> ExpandWish {
    ExpandWish { focus_areas: vec!["fuel".into()], children_max: 4, language: "de".into() }
}

fn tokens_of(task: &ExpandTask) -> usize {
    let lists = [&task.path, &task.siblings, &task.existing, &task.neighbours];
    let texts = lists.into_iter().flatten().chain([&task.topic, &task.title, &task.summary]);
    texts.map(|text| estimate(text)).sum()
}

#[test]
fn a_node_is_told_with_its_surroundings() {
    let mut map = map(4, 3);
    map.nodes.get_mut("b1").unwrap().summary = "All about\n branches".into();
    map.nodes.get_mut("b1").unwrap().source = Some(Source::Template);
    let link = |source: &str, target: &str, strength| EdgeState {
        source: source.into(),
        target: target.into(),
        relationship: None,
        strength: Some(strength),
    };
    map.edges.insert("e1".into(), link("b1", "b0-0", 0.2));
    map.edges.insert("e2".into(), link("b3-2", "b1", 0.9));
    map.edges.insert("e3".into(), link("b1", "gone", 1.0));
    map.edges.insert("e4".into(), link("b1", "b1", 1.0));
    let task = expand_task(&map, "b1", &wish(), 1000).unwrap();
    assert_eq!(
        (task.topic.as_str(), task.title.as_str(), task.summary.as_str()),
        ("Space", "Branch 1", "All about branches")
    );
    assert_eq!(task.path, ["Space"]);
    assert_eq!(task.siblings, ["Branch 0", "Branch 2", "Branch 3"]);
    assert_eq!(task.existing, ["Leaf 1.0", "Leaf 1.1", "Leaf 1.2"]);
    assert_eq!(task.neighbours, ["Leaf 3.2", "Leaf 0.0"]);
    assert!(task.is_from_template);
    assert_eq!(
        (task.focus_areas.as_slice(), task.children_max, task.language.as_str()),
        (&["fuel".to_owned()][..], 4, "de")
    );
    let leaf = expand_task(&map, "b2-1", &wish(), 1000).unwrap();
    assert_eq!((leaf.path, leaf.is_from_template), (vec!["Space".into(), "Branch 2".into()], false));
    assert_eq!(expand_task(&map, "nobody", &wish(), 1000), None);
}

#[test]
fn a_budget_is_kept_and_shared_fairly() {
    let mut map = map(300, 300);
    map.nodes.get_mut("b150").unwrap().summary = "word ".repeat(2000);
    for tokens_max in [0, 20, 100, 1000, 5000] {
        let task = expand_task(&map, "b150", &wish(), tokens_max).unwrap();
        assert!(tokens_of(&task) <= tokens_max.max(20), "{} of {tokens_max}", tokens_of(&task));
        assert!(task.siblings.len().abs_diff(task.existing.len()) <= 1);
    }
    let task = expand_task(&map, "b150", &wish(), 500).unwrap();
    assert_eq!(task.path, ["Space"]);
    assert_eq!(task.siblings[..3], ["Branch 149", "Branch 151", "Branch 148"]);
    assert_eq!(task.existing.last().unwrap(), "Leaf 150.299");
    assert!(task.siblings.len() > 10 && task.summary.ends_with(CUT));
}

#[test]
fn long_titles_are_cut() {
    assert_eq!(short("abcdef", 6), "abcdef");
    assert_eq!(short("ab cdefg", 4), "ab…");
    assert_eq!(short("äöüß€😀x", 6), "äöüß€…");
    let mut map = map(1, 1);
    map.nodes.get_mut("b0-0").unwrap().title = "x".repeat(500);
    let task = expand_task(&map, "b0", &wish(), 1000).unwrap();
    assert_eq!(task.existing[0].chars().count(), OTHER_TITLE_CHARS_MAX);
}

#[test]
fn an_outline_shows_what_fits() {
    let mut small = map(2, 2);
    small.nodes.get_mut("b0").unwrap().summary = "First".into();
    small.nodes.insert("float".into(), node("Afloat", None, 9));
    let task = coherence_task(&small, "fr", 1000);
    let whole = "- Space\n  - Branch 0 — First\n    - Leaf 0.0\n    - Leaf 0.1\n  - Branch 1\n    - Leaf 1.0\n    - Leaf 1.1\n- Afloat\n";
    assert_eq!((task.outline.as_str(), task.nodes, task.language.as_str()), (whole, 8, "fr"));

    let large = map(20, 100);
    let outline = coherence_task(&large, "en", 600).outline;
    assert!(estimate(&outline) <= 600, "{}", estimate(&outline));
    let count = |part: &str| outline.matches(part).count();
    assert_eq!(count("- Branch "), 20);
    assert!((0..20).all(|branch| count(&format!("Leaf {branch}.")).abs_diff(count("Leaf 0.")) <= 1), "{outline}");
    let more = outline
        .lines()
        .filter_map(|line| line.trim().strip_prefix("… (")?.strip_suffix(" more)")?.parse::<usize>().ok());
    assert_eq!(count("- ") + more.sum::<usize>(), large.nodes.len());
    assert_eq!(coherence_task(&large, "en", 0).outline, format!("… ({} more)\n", large.nodes.len()));
    assert_eq!(coherence_task(&MapState::default(), "en", 99).outline, "");
}

/// A promise of cost rather than of time: no step may be quadratic, and a debug build on a busy machine is slow.
#[test]
fn a_large_map_is_no_trouble() {
    for (branches, leaves) in [(99, 100), (1, 10_000), (10_000, 0)] {
        let map = map(branches, leaves);
        let begun = Instant::now();
        let expand = expand_task(&map, "b0", &wish(), 4000).unwrap();
        let coherence = coherence_task(&map, "en", 4000);
        println!("{} nodes: {:?}", map.nodes.len(), begun.elapsed());
        assert!(tokens_of(&expand) <= 4000 && estimate(&coherence.outline) <= 4000);
        assert!(expand.siblings.len() + expand.existing.len() > 100);
    }
}
