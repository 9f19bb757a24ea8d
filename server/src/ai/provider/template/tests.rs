use std::{collections::HashSet, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{
    languages::{LANGUAGES, Language},
    outline::Shape,
    scaffold::{Kind, kind_for_title},
    *,
};
use crate::ai::{
    prompt::ask_of,
    provider::{Finish, Piece},
    reader::{AnswerReader, Limits, ReadEvent, read_object},
    task::{CoherenceTask, ExpandTask, GenerateTask},
};

async fn pieces(task: &Task, pace: Duration) -> Vec<Piece> {
    let mut answer = TemplateProvider.ask(&ask_of(task, 1000, pace)).await.unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = answer.next().await.unwrap() {
        pieces.push(piece);
    }
    assert_eq!(answer.next().await.unwrap(), None);
    assert_eq!(pieces.pop(), Some(Piece::End(Finish::Whole)));
    pieces
}

fn text_of(pieces: &[Piece]) -> String {
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.as_str(),
        other => panic!("{other:?}"),
    });
    texts.collect()
}

/// The answer, after a check of what the schema says.
fn answered(task: &Task) -> Value {
    let ask = ask_of(task, 1000, Duration::ZERO);
    let text = match task {
        Task::Generate(task) => children::generated(task),
        Task::Expand(task) => children::expanded(task),
        Task::Coherence(task) => check::checked(task),
    };
    let answer: Value = serde_json::from_str(&text).unwrap();
    fits(&answer, &ask.schema);
    answer
}

fn fits(value: &Value, schema: &Value) {
    let is_right = match schema["type"].as_str().unwrap() {
        "object" => {
            let (fields, properties) = (value.as_object().unwrap(), schema["properties"].as_object().unwrap());
            fields.iter().for_each(|(name, value)| fits(value, &properties[name]));
            fields.len() == properties.len()
        }
        "array" => {
            value.as_array().unwrap().iter().for_each(|item| fits(item, &schema["items"]));
            true
        }
        "string" => schema["enum"].as_array().is_none_or(|words| words.contains(value)) && value.is_string(),
        "number" => value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number)),
        "boolean" => value.is_boolean(),
        other => panic!("{other}"),
    };
    assert!(is_right, "{value} is not {schema}");
}

fn titles_of(answer: &Value) -> Vec<String> {
    let items = answer.get("nodes").or_else(|| answer.get("sub_concepts")).unwrap().as_array().unwrap();
    let titles: Vec<String> = items.iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect();
    assert_eq!(titles.iter().collect::<HashSet<_>>().len(), titles.len(), "{titles:?}");
    titles
}

fn generate(topic: &str, nodes_max: usize, language: &str) -> Vec<String> {
    let task = GenerateTask { topic: topic.into(), nodes_max, language: language.into(), ..Default::default() };
    titles_of(&answered(&Task::Generate(task)))
}

fn expand(task: ExpandTask) -> Vec<String> {
    titles_of(&answered(&Task::Expand(task)))
}

/// Everything that people can come to see in a language.
fn texts_of(language: &Language) -> Vec<&'static str> {
    let check = &language.check;
    let mut texts = vec![check.balanced, check.layered, check.distinct, check.described, check.small, check.uneven];
    texts.extend([check.flat, check.wide, check.twice, check.undescribed, check.untitled, check.note]);
    texts.extend([
        check.label,
        language.label,
        language.focus.0,
        language.focus.1,
        language.further.0,
        language.further.1,
    ]);
    for kind in Kind::ALL {
        let scaffold = language.scaffold(kind);
        texts.push(scaffold.name);
        texts.extend(scaffold.items.iter().flat_map(|(title, prompt)| [*title, *prompt]));
    }
    texts
}

#[test]
fn every_language_has_every_scaffold() {
    for language in &LANGUAGES {
        let mut titles = HashSet::new();
        for kind in Kind::ALL {
            let items = language.scaffold(kind).items;
            assert_eq!(items.len(), kind.categories().len(), "{} {kind:?}", language.tag);
            for (title, prompt) in items {
                assert!(titles.insert(title.to_lowercase()), "{}: {title} comes twice", language.tag);
                assert!(
                    title.chars().count() <= 30 && prompt.matches("{x}").count() == 1,
                    "{}: {prompt}",
                    language.tag
                );
            }
        }
        assert!(language.focus.1.contains("{x}") && language.focus.1.contains("{f}"), "{}", language.tag);
        let check = &language.check;
        for (text, place) in [
            (check.layered, "{n}"),
            (check.small, "{n}"),
            (check.uneven, "{x}"),
            (check.wide, "{x}"),
            (check.wide, "{n}"),
            (check.twice, "{x}"),
            (check.undescribed, "{n}"),
            (check.untitled, "{n}"),
        ] {
            assert!(text.contains(place), "{}: {text}", language.tag);
        }
        for text in texts_of(language) {
            assert!(!text.trim().is_empty());
            let mut words = text.split(|character: char| !character.is_alphanumeric());
            let claims = ["ai", "ki", "ia", "gpt"];
            assert!(!words.any(|word| claims.contains(&word.to_lowercase().as_str())), "{}: {text}", language.tag);
            assert!(!text.contains("人工智能") && !text.contains("人工知能"), "{text}");
        }
    }
}

#[test]
fn a_language_is_found_by_its_tag() {
    for (tag, found) in [("de", "de"), ("DE-at", "de"), ("pt_BR", "pt"), ("zh-Hant-TW", "zh"), ("sw", "en"), ("", "en")]
    {
        assert_eq!(Language::of(tag).tag, found);
    }
}

#[test]
fn words_choose_the_scaffold() {
    for (tag, title, kind) in [
        ("en", "Photosynthesis", Kind::FiveWs),
        ("en", "How to bake bread", Kind::Steps),
        ("en", "Cats vs. dogs", Kind::ProsCons),
        ("en", "Our company", Kind::Swot),
        ("en", "The housing CRISIS", Kind::Causes),
        ("en", "Orbits of planets", Kind::FiveWs),
        ("de", "Wie man Brot backt", Kind::Steps),
        ("de", "Warum Blätter fallen", Kind::Causes),
        ("de", "Wiesen im Sommer", Kind::FiveWs),
        ("fr", "Comment apprendre le piano", Kind::Steps),
        ("es", "¿Por qué llueve?", Kind::Causes),
        ("it", "Strategia digitale", Kind::Swot),
        ("zh", "为什么天空是蓝色的", Kind::Causes),
        ("ja", "パンの作り方", Kind::Steps),
        ("ja", "Windows vs Linux", Kind::ProsCons),
    ] {
        assert_eq!(kind_for_title(Language::of(tag), title, &[]), kind, "{title}");
    }
    assert_ne!(kind_for_title(Language::of("en"), "How to bake", &[Kind::Steps]), Kind::Steps);
}

#[test]
fn a_new_map_gets_branches_beside_its_root() {
    assert_eq!(generate("Bees", 8, "en"), ["Who?", "What?", "When?", "Where?", "Why?", "How?"]);
    assert_eq!(generate("Bees", 4, "de"), ["Wer?", "Was?", "Wann?"]);
    assert_eq!((generate("Bees", 1, "ja").len(), generate("Bees", 0, "ja").len()), (1, 1));
    let task = GenerateTask { topic: "Bees".into(), nodes_max: 8, existing: vec!["who?".into()], ..Default::default() };
    let answer = answered(&Task::Generate(task));
    assert!(!titles_of(&answer).contains(&"Who?".to_owned()));
    let categories: HashSet<_> = answer["nodes"].as_array().unwrap().iter().map(|node| &node["category"]).collect();
    assert!(categories.len() >= 4, "{categories:?}");
    let summary = answer["nodes"][0]["summary"].as_str().unwrap();
    assert!(summary.starts_with("Template: ") && summary.contains("“Bees”"), "{summary}");
}

#[test]
fn a_scaffold_grows_in_turn_and_never_repeats_itself() {
    for language in &LANGUAGES {
        let mut path: Vec<String> = vec!["Bees".into()];
        let mut names = HashSet::new();
        for level in 0..30 {
            let task = ExpandTask {
                topic: "Bees".into(),
                path: path[..path.len() - 1].to_vec(),
                title: path.last().unwrap().clone(),
                is_from_template: level > 0,
                children_max: 3 + level % 4,
                language: language.tag.into(),
                ..Default::default()
            };
            let answer = answered(&Task::Expand(task.clone()));
            assert_eq!(answer, answered(&Task::Expand(task)), "equal requests get equal answers");
            let titles = titles_of(&answer);
            assert!((1..=3 + level % 4).contains(&titles.len()));
            assert!(titles.iter().all(|title| !path.contains(title)), "{titles:?} below {path:?}");
            for concept in answer["sub_concepts"].as_array().unwrap() {
                let summary = concept["summary"].as_str().unwrap();
                assert!(summary.starts_with(language.label) && summary.contains("Bees"), "{summary}");
                assert!(!summary.contains('{') && concept["expandable"] == true);
            }
            if level < 4 {
                let name = answer["sub_concepts"][0]["relationship"].as_str().unwrap().to_owned();
                assert!(names.insert(name.clone()), "{}: {name} again", language.tag);
            }
            path.push(titles.last().unwrap().clone());
        }
    }
}

#[test]
fn why_asks_for_causes() {
    let why = |is_from_template| ExpandTask {
        topic: "Bees".into(),
        path: vec!["Bees".into()],
        title: "Why?".into(),
        is_from_template,
        children_max: 5,
        ..Default::default()
    };
    assert_eq!(expand(why(true))[..2], ["Triggers", "Root causes"]);
    let answer = answered(&Task::Expand(why(true)));
    assert!(answer["sub_concepts"][0]["summary"].as_str().unwrap().contains("“Bees / Why”"), "{answer}");
}

#[test]
fn there_is_always_something_new() {
    let mut task = ExpandTask { title: "Bees".into(), children_max: 5, language: "nl".into(), ..Default::default() };
    for round in 0..30 {
        let titles = expand(task.clone());
        assert!(!titles.is_empty() && titles.iter().all(|title| !task.existing.contains(title)), "{round}: {titles:?}");
        if round == 1 {
            assert_eq!(titles, ["Hoe?"], "the rest of a scaffold comes first");
        }
        task.existing.extend(titles);
    }
}

#[test]
fn what_somebody_asks_for_comes_first() {
    let focus = ["Honey", "{x} and {f}", " honey ", "", "Queens"].map(str::to_owned).to_vec();
    let task = ExpandTask { title: "Bees".into(), focus_areas: focus, children_max: 4, ..Default::default() };
    let answer = answered(&Task::Expand(task.clone()));
    assert_eq!(titles_of(&answer), ["Honey", "{x} and {f}", "Queens", "Who?"]);
    let summary = answer["sub_concepts"][1]["summary"].as_str().unwrap();
    assert_eq!(summary.matches("{x} and {f}").count(), 1, "{summary}");
    assert_eq!(expand(ExpandTask { children_max: 1, ..task }), ["Honey"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_at_its_pace() {
    let task = Task::Generate(GenerateTask { topic: "Bees".into(), nodes_max: 8, ..Default::default() });
    let pace = Duration::from_secs(3);
    let mut answer = TemplateProvider.ask(&ask_of(&task, 1000, pace)).await.unwrap();
    let begun = Instant::now();
    answer.next().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO, "the first piece comes at once");
    // A wait that is given up loses nothing.
    assert!(tokio::time::timeout(Duration::from_micros(1), answer.next()).await.is_err());
    let begun = Instant::now();
    let slow = pieces(&task, pace).await;
    let took = begun.elapsed();
    assert!(took > pace.mul_f64(0.9) && took <= pace + Duration::from_millis(1), "{took:?}");
    let lengths = slow.iter().map(|piece| text_of(std::slice::from_ref(piece)).chars().count());
    let lengths: Vec<usize> = lengths.collect();
    assert!(lengths[..lengths.len() - 1].iter().all(|length| (2..=8).contains(length)), "{lengths:?}");
    let begun = Instant::now();
    let quick = pieces(&task, Duration::ZERO).await;
    assert_eq!((begun.elapsed(), quick.len()), (Duration::ZERO, 1));
    assert_eq!(text_of(&slow), text_of(&quick));
}

#[tokio::test(start_paused = true)]
async fn a_title_comes_before_its_summary() {
    let task = Task::Expand(ExpandTask { title: "Bees".into(), children_max: 2, ..Default::default() });
    let (mut reader, mut events) = (AnswerReader::new(Limits::of(2)), Vec::new());
    for piece in pieces(&task, Duration::from_secs(1)).await {
        events.extend(reader.push(&text_of(&[piece])).unwrap());
    }
    let fields = events.iter().filter_map(|event| match event {
        ReadEvent::TextEnds(field) => Some(format!("{field:?}")),
        _ => None,
    });
    assert_eq!(fields.collect::<Vec<_>>(), ["Title", "Summary", "Title", "Summary"]);
    assert_eq!(events.iter().filter(|event| **event == ReadEvent::ElementEnds { is_whole: true }).count(), 2);
}

fn check(outline: &str, nodes: usize) -> (f64, Vec<String>, Vec<String>) {
    let task = CoherenceTask { topic: "Bees".into(), outline: outline.into(), nodes, language: "en".into() };
    let answer = answered(&Task::Coherence(task));
    let texts = |name: &str| -> Vec<String> { serde_json::from_value(answer[name].clone()).unwrap() };
    assert!(texts("missing_concepts").is_empty(), "a template cannot know what is missing");
    let (strengths, improvements) = (texts("strengths"), texts("improvements"));
    assert!(strengths.iter().chain(&improvements).all(|text| text.starts_with("Structure check: ")));
    assert!(improvements.last().unwrap().contains("only the shape"));
    (answer["coherence_score"].as_f64().unwrap(), strengths, improvements)
}

#[test]
fn a_map_is_judged_by_its_shape() {
    let good = "- Bees — x\n  - Honey — y\n    - Comb — z\n  - Queen — y\n    - Eggs — z\n";
    let (best, strengths, improvements) = check(good, 5);
    assert_eq!((best, strengths.len(), improvements.len()), (1.0, 4, 1), "{strengths:?} {improvements:?}");

    let bad = "- Bees — x\n  - Honey\n    - honey\n    - \n    … (40 more)\n  - Queen\n";
    let (worse, _, improvements) = check(bad, 45);
    assert!(worse < best && worse > 0.0);
    for fault in ["“Honey” is far larger", "“Honey” comes more than once", "without a title: 1", "without a summary: 4"]
    {
        assert!(improvements.iter().any(|text| text.contains(fault)), "{fault}: {improvements:?}");
    }

    let nodes: Vec<String> = (0..12).map(|n| format!("  - Node {n}\n")).collect();
    let flat = format!("- Bees\n{}", nodes.concat());
    let (_, _, improvements) = check(&flat, 13);
    assert!(
        improvements[0].contains("directly under the centre")
            && improvements[1].contains("“Bees” has many children (12)")
    );
    let (empty, strengths, improvements) = check("", 0);
    assert!(empty < 0.9 && strengths.is_empty() && improvements[0].contains("few nodes (0)"));
    check("no outline at all\n        - x\n… (y more)\n  … (99999999999999999999 more)\n", 2);
}

#[test]
fn an_outline_is_read_as_it_is_written() {
    let shape = Shape::of("- A — s\n  - B\n    - C\n    … (7 more)\n- D\n");
    let branches: Vec<_> =
        shape.nodes.iter().map(|node| (node.title.as_str(), node.depth, node.children, node.branch)).collect();
    assert_eq!(branches, [("A", 0, 1, 10), ("B", 1, 1, 9), ("C", 2, 0, 1), ("D", 0, 0, 1)]);
    assert_eq!((shape.levels(), shape.has_summaries(), shape.main_branches().count()), (2, true, 1));
}

#[test]
fn every_language_answers_every_task() {
    for language in &LANGUAGES {
        for topic in
            ["Bees", "", "\"\\ {x} {f} \u{1F41D}", "Bees vs wasps", "How to keep bees", "Bee market", "Why bees die"]
        {
            let titles = generate(topic, 20, language.tag);
            assert!(titles.len() >= 4, "{titles:?}");
            let expand = ExpandTask {
                title: topic.into(),
                children_max: 20,
                language: language.tag.into(),
                ..Default::default()
            };
            assert!(titles_of(&answered(&Task::Expand(expand))).len() >= 4);
        }
        let task = CoherenceTask {
            outline: "- A\n  - A\n".into(),
            nodes: 2,
            language: language.tag.into(),
            ..Default::default()
        };
        let answer = answered(&Task::Coherence(task.clone()));
        assert_eq!(Value::Object(read_object(&check::checked(&task)).unwrap()), answer);
        assert!(
            answer["improvements"]
                .as_array()
                .unwrap()
                .iter()
                .all(|text| text.as_str().unwrap().starts_with(language.check.label))
        );
    }
}
