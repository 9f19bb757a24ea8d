use synapti_crdt::map::Looks;

use super::*;
use crate::ai::reader::{AnswerReader, Limits};

/// An answer in chunks of so many bytes, as steps: all that gathered after each chunk.
fn grow(growing: &mut Growing, answer: &str, chunk: usize) -> Vec<Vec<GrowStep>> {
    let mut reader = AnswerReader::new(Limits::of(50));
    let (mut number, mut edits) = (0, Vec::new());
    let mut next = || {
        number += 1;
        number
    };
    let chars: Vec<char> = answer.chars().collect();
    for part in chars.chunks(chunk) {
        let text: String = part.iter().collect();
        growing.hear(reader.push(&text).unwrap(), &mut next);
        if growing.has_steps() {
            edits.push(carried_out(growing));
        }
    }
    growing.hear(reader.finish().unwrap(), &mut next);
    edits.push(carried_out(growing));
    edits
}

fn carried_out(growing: &mut Growing) -> Vec<GrowStep> {
    let steps = growing.take_steps();
    growing.learn(&steps, &vec![Fate::Done; steps.len()]);
    steps
}

/// What the steps write: id, parent, title, summary.
fn written(steps: &[Vec<GrowStep>]) -> Vec<(String, String, String, String)> {
    let mut nodes: Vec<(String, String, String, String)> = Vec::new();
    for step in steps.iter().flatten() {
        match step {
            GrowStep::Begin { id, parent, title } => {
                nodes.push((id.clone(), parent.clone(), title.clone(), String::new()));
            }
            GrowStep::Append { id, field, written, text } => {
                let node = nodes.iter_mut().find(|node| node.0 == *id).unwrap();
                let field = if *field == GrowField::Title { &mut node.2 } else { &mut node.3 };
                assert_eq!(field, written, "a step knows what is there");
                field.push_str(text);
            }
            GrowStep::Seal { id, title } => {
                assert_eq!(&nodes.iter().find(|node| node.0 == *id).unwrap().2, title);
            }
            GrowStep::Set { .. } | GrowStep::Init { .. } | GrowStep::SetMeta { .. } => {}
        }
    }
    nodes
}

fn growing(existing: &[&str], nodes_max: usize) -> Growing {
    let existing: Vec<String> = existing.iter().map(|title| (*title).to_owned()).collect();
    Growing::new("root", "run".into(), &existing, nodes_max)
}

const TWO: &str = r#"{"nodes": [{"title": "Mars 😀", "summary": "Red.", "category": "tool", "importance": 1},
    {"summary": "Cold and far.", "title": "Neptune", "expandable": false, "relationship": "is a", "strength": "50%"}]}"#;

#[test]
fn any_chunks_make_the_same_nodes() {
    for chunk in [1, 2, 3, 7, 1_000] {
        let mut growing = growing(&[], 8);
        let steps = grow(&mut growing, TWO, chunk);
        let expected = [("run-1", "root", "Mars 😀", "Red."), ("run-2", "root", "Neptune", "Cold and far.")];
        let expected =
            expected.map(|(id, parent, title, summary)| (id.into(), parent.into(), title.into(), summary.into()));
        assert_eq!(written(&steps), expected, "chunks of {chunk}");
        let looks: Vec<&Looks> = steps
            .iter()
            .flatten()
            .filter_map(|step| match step {
                GrowStep::Set { looks, .. } => Some(looks),
                _ => None,
            })
            .collect();
        assert_eq!((looks[0].color.as_deref(), looks[0].size), (Some("#EF4444"), Some(1.4)));
        assert_eq!((looks[1].expandable, looks[1].strength), (Some(false), Some(0.5)));
        assert_eq!(looks[1].relationship.as_deref(), Some("is a"));
        let sprouts: Vec<_> = growing.finished().map(|sprout| (sprout.id.as_str(), sprout.is_expandable)).collect();
        assert_eq!(sprouts, [("run-1", true), ("run-2", false)]);
        assert_eq!((growing.give_up(), growing.was_empty()), (vec![], false));
    }
}

#[test]
fn a_node_begins_with_the_first_letter_and_what_gathers_is_one_step() {
    let mut one = growing(&[], 8);
    let steps = grow(&mut one, r#"{"nodes": [{"title": "Mars", "summary": "Red and cold."}]}"#, 1);
    assert!(matches!(&steps[0][..], [GrowStep::Begin { title, .. }] if title == "M"));
    let mut all = growing(&[], 8);
    let steps = grow(&mut all, r#"{"nodes": [{"title": "Mars", "summary": "Red and cold."}]}"#, 1_000);
    assert_eq!(steps[0].len(), 4, "begin, seal, summary, looks: {:?}", steps[0]);
}

#[test]
fn titles_that_are_there_never_show() {
    let mut growing = growing(&["Mars", "the  MOON"], 8);
    let answer = r#"{"n":[{"title":"mars"},{"title":"Mars rovers"},{"title":"The Moon"},{"title":"mars ROVERS"},{"title":""},{"summary":"x"}]}"#;
    let steps = grow(&mut growing, answer, 1);
    let titles: Vec<_> = written(&steps).into_iter().map(|node| node.2).collect();
    assert_eq!(titles, ["Mars rovers"]);
    assert!(matches!(&steps[0][..], [GrowStep::Begin { title, .. }] if title == "Mars r"), "{:?}", steps[0]);
    assert!(!growing.was_empty());
}

#[test]
fn there_are_never_more_than_were_wanted() {
    let mut growing = growing(&[], 2);
    let steps = grow(&mut growing, r#"[{"title":"a"},{"title":"b"},{"title":"c"}]"#, 4);
    assert_eq!(written(&steps).len(), 2);
    assert!(growing.is_full());
}

#[test]
fn what_is_not_whole_is_known_and_given_up() {
    let mut growing = growing(&[], 8);
    let steps = grow(&mut growing, r#"{"nodes":[{"title":"a","summary":"x"},{"title":"half","summ"#, 5);
    assert_eq!(written(&steps).len(), 2);
    assert_eq!(growing.finished().count(), 1);
    assert_eq!(growing.give_up(), ["run-2"]);
}

#[test]
fn what_was_read_and_not_carried_out_is_not_whole() {
    let mut growing = growing(&[], 8);
    let mut reader = AnswerReader::new(Limits::of(50));
    let mut number = 0;
    let events = reader.push(r#"[{"title":"a","summary":"x"},{"title":"b","summary":"y"}]"#).unwrap();
    growing.hear(events, || {
        number += 1;
        number
    });
    let steps = growing.take_steps();
    assert_eq!(growing.finished().count(), 0);
    let first = steps.iter().position(|step| matches!(step, GrowStep::Set { .. })).unwrap() + 1;
    growing.learn(&steps[..first], &vec![Fate::Done; first]);
    assert_eq!(growing.finished().map(|sprout| sprout.id.as_str()).collect::<Vec<_>>(), ["run-1"]);
    assert_eq!(growing.give_up(), ["run-2"]);
}

#[test]
fn what_somebody_has_taken_is_left_alone() {
    let mut growing = growing(&[], 8);
    let mut reader = AnswerReader::new(Limits::of(50));
    let mut number = 0;
    let mut hear = |growing: &mut Growing, text: &str| {
        growing.hear(reader.push(text).unwrap(), || {
            number += 1;
            number
        });
        growing.take_steps()
    };
    let begun = hear(&mut growing, r#"[{"title":"Ma"#);
    growing.learn(&begun, &[Fate::Done]);
    let more = hear(&mut growing, "rs");
    growing.learn(&more, &[Fate::Taken]);
    let steps = hear(&mut growing, r#" rovers","summary":"Six."#);
    assert!(!steps.iter().any(|step| matches!(step, GrowStep::Append { field: GrowField::Title, .. })), "{steps:?}");
    let summary = steps.iter().any(|step| matches!(step, GrowStep::Append { field: GrowField::Summary, .. }));
    assert!(summary, "only the title is somebody else's: {steps:?}");
    growing.learn(
        &[GrowStep::Append {
            id: "run-1".into(),
            field: GrowField::Summary,
            written: String::new(),
            text: "Six.".into(),
        }],
        &[Fate::Gone],
    );
    assert!(hear(&mut growing, r#" More.","category":"tool"}"#).is_empty(), "the node is gone");
    assert_eq!(growing.finished().count(), 0);
}
