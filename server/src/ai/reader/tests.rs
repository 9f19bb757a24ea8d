//! The reader on answers as models write them, on every chunking of them, and on bytes that nobody meant.

use std::{fs, path::Path};

use proptest::{collection, prelude::*};
use serde_json::{Value, json};

use super::*;

#[path = "../../../../protocol/tests/fuzz/mutate.rs"]
mod mutate;

const ITERATIONS_DEFAULT: u64 = 2000;
const SEED_DEFAULT: u64 = 0x5eed;

/// An element as it is when its last event has come.
#[derive(Debug, Default, PartialEq)]
struct Element {
    title: Option<String>,
    summary: Option<String>,
    values: Vec<(String, Value)>,
    is_whole: bool,
}

impl Element {
    fn text(&mut self, field: TextField) -> &mut Option<String> {
        match field {
            TextField::Title => &mut self.title,
            TextField::Summary => &mut self.summary,
        }
    }
}

/// Joins events, and checks that they come in order.
fn elements_of(events: Vec<ReadEvent>) -> Vec<Element> {
    let (mut elements, mut open, mut writing) = (Vec::new(), None::<Element>, None);
    for event in events {
        match event {
            ReadEvent::ElementBegins => {
                assert!(open.replace(Element::default()).is_none(), "an element within another");
            }
            ReadEvent::Text { field, text } => {
                assert!(!text.is_empty());
                assert!(writing.is_none_or(|other| other == field), "a text within another");
                writing = Some(field);
                let element = open.as_mut().expect("a text outside of elements");
                element.text(field).get_or_insert_default().push_str(&text);
            }
            ReadEvent::TextEnds(field) => {
                assert!(writing.take().is_none_or(|other| other == field));
                open.as_mut().unwrap().text(field).get_or_insert_default();
            }
            ReadEvent::Value { name, value } => {
                assert!(writing.is_none(), "a value within a text");
                open.as_mut().unwrap().values.push((name, value));
            }
            ReadEvent::ElementEnds { is_whole } => {
                assert!(writing.is_none(), "a text that is not closed");
                elements.push(Element { is_whole, ..open.take().unwrap() });
            }
        }
    }
    assert!(open.is_none(), "an element that is not closed");
    elements
}

fn read_chunks<'a>(limits: Limits, chunks: impl Iterator<Item = &'a str>) -> Result<Vec<Element>, ReadError> {
    let (mut reader, mut events) = (AnswerReader::new(limits), Vec::new());
    for chunk in chunks {
        events.extend(reader.push(chunk)?);
    }
    events.extend(reader.finish()?);
    Ok(elements_of(events))
}

fn read(answer: &str) -> Vec<Element> {
    read_chunks(Limits::of(50), std::iter::once(answer)).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn titles(answer: &str) -> Vec<String> {
    read(answer).into_iter().map(|element| element.title.unwrap_or_default()).collect()
}

#[test]
fn an_answer_is_read_in_the_order_of_its_fields() {
    let elements = read(
        r#"{"nodes": [{"importance": 0.5, "summary": "First.", "category": "tool", "title": "Axe"}, {"title": "Bow"}]}"#,
    );
    let values = vec![("importance".to_owned(), json!(0.5)), ("category".to_owned(), json!("tool"))];
    let axe = Element { title: Some("Axe".into()), summary: Some("First.".into()), values, is_whole: true };
    assert_eq!(elements, [axe, Element { title: Some("Bow".into()), is_whole: true, ..Element::default() }]);
}

#[test]
fn text_comes_as_soon_as_its_characters_do() {
    let mut reader = AnswerReader::new(Limits::of(5));
    let text = |field, text: &str| ReadEvent::Text { field, text: text.into() };
    assert_eq!(reader.push("```json\n{\"nodes\":[{\"ti").unwrap(), [ReadEvent::ElementBegins]);
    assert_eq!(reader.push("tle\":\"Or").unwrap(), [text(TextField::Title, "Or")]);
    assert_eq!(reader.push("bit \\uD83D").unwrap(), [text(TextField::Title, "bit")]);
    assert_eq!(reader.push("\\uDE").unwrap(), []);
    assert_eq!(reader.push("80 ").unwrap(), [text(TextField::Title, " 🚀")]);
    assert_eq!(reader.push("\"").unwrap(), [ReadEvent::TextEnds(TextField::Title)]);
    assert_eq!(reader.push(",\"importance\":0.").unwrap(), []);
    let importance = ReadEvent::Value { name: "importance".into(), value: json!(0.5) };
    assert_eq!(reader.push("5,\"summary\":\"So").unwrap(), [importance, text(TextField::Summary, "So")]);
    let end = [ReadEvent::TextEnds(TextField::Summary), ReadEvent::ElementEnds { is_whole: false }];
    assert_eq!(reader.finish().unwrap(), end);
}

#[test]
fn what_is_nearly_json_is_read_all_the_same() {
    for answer in [
        r#"{"nodes":[{"title":"a"},{"title":"b"}]}"#,
        r#"[{"title":"a"},{"title":"b"}]"#,
        r#"{"sub_concepts":[{"title":"a",},{"title":"b",},],}"#,
        r#"Here [as asked] is {the} map [1]: {"tags":["x",1],"deep":{"nodes":[{"title":"a"},{"title":"b"}]}} Enjoy [it]!"#,
        "Sure!\n```json\n{\"nodes\":[{\"title\":\"a\"},{\"title\":\"b\"}]}\n```\nAnything [{\"title\":\"else\"}]?",
        r#"{"nodes":[{"title":"a"}{"title":"b"}"#,
        r#"{"nodes":[{"title":"a","title":"c"},"word",7,["x",{"title":"y"}],null,{"title":"b"}]}"#,
        r#"{"nodes":[{"title":"a","summary":null,{"title" "b"]}"#,
        r#"{"nodes":[{"title":null,"title":"a"},{"x":{"title":"c","l":[{"title":"d"}]},"title":"b"}]}"#,
        r#"{"a":"[{\"title\":\"in a text\"}]","nodes":[{"title":" a"},{"title":"b\u0000\n"}]}"#,
        r#"{"nodes":[{"title":"a" "importance":1},{"importance":True,"title":"b"}]"#,
    ] {
        assert_eq!(titles(answer), ["a", "b"], "{answer}");
    }
}

#[test]
fn wrong_types_keep_what_they_say() {
    let elements = read(
        r#"[{"title":1984,"strength":"high","expandable":1,"summary":true},{"title":{"a":1}},{"title":["x"]},{"title":Word}]"#,
    );
    assert_eq!(elements[0].title.as_deref(), Some("1984"));
    assert_eq!(elements[0].summary.as_deref(), Some("true"));
    assert_eq!(elements[0].values, [("strength".to_owned(), json!("high")), ("expandable".to_owned(), json!(1))]);
    let rest: Vec<_> = elements[1..].iter().map(|element| element.title.as_deref()).collect();
    assert_eq!(rest, [None, None, Some("Word")]);
}

#[test]
fn texts_come_clean_and_within_their_limits() {
    let limits = Limits { title_chars_max: 5, summary_chars_max: 8, ..Limits::of(2) };
    let answer = "[{\"title\":\" \\u202Ea\\t\r\n b\u{7}\\uFFFE c def\",\"summary\":\" one\\r\\n\\n two \"},\
        {\"title\":\"   \",\"summary\":\"\\uD83Dx\\uDE00\\u12\"},{\"title\":\"too many\"}]";
    let elements = read_chunks(limits, std::iter::once(answer)).unwrap();
    let texts: Vec<_> = elements.iter().map(|e| (e.title.as_deref().unwrap(), e.summary.as_deref().unwrap())).collect();
    assert_eq!(texts, [("a b c", "one\n\n tw"), ("", "\u{FFFD}x\u{FFFD}\u{FFFD}")]);
    assert_eq!(clean("  a\n\u{2066}b  c\u{85}", 4), "a b");
}

#[test]
fn what_does_not_end_is_refused() {
    let read = |text: &str| read_chunks(Limits { bytes_max: 100_000, ..Limits::of(3) }, std::iter::once(text));
    assert_eq!(read(&"[{\"x\":".repeat(10_000)), Err(ReadError::TooManyNested));
    assert_eq!(read(&"[".repeat(100_000)), Err(ReadError::TooManyNested));
    assert_eq!(read(&format!("[{{\"x\":{}{}}}]", "[".repeat(32), "]".repeat(32))).map(|read| read.len()), Ok(1));
    assert_eq!(read(&" ".repeat(100_001)), Err(ReadError::TooLarge { bytes_max: 100_000 }));
    assert_eq!(read("I cannot help with that [sorry: {no}."), Err(ReadError::NotJson));
    assert_eq!(read(""), Err(ReadError::NotJson));
    assert_eq!(read("{\"nodes\":[]}"), Ok(Vec::new()));
    assert_eq!(read_object("none"), Err(ReadError::NotJson));
    assert_eq!(read_object(&"{\"x\":".repeat(1000)), Err(ReadError::TooManyNested));
    assert_eq!(
        read_object(&" ".repeat(OBJECT_BYTES_MAX + 1)),
        Err(ReadError::TooLarge { bytes_max: OBJECT_BYTES_MAX })
    );
}

#[test]
fn an_object_is_repaired() {
    let whole =
        json!({"coherence_score": 0.5, "strengths": ["a", "b"], "improvements": [], "missing_concepts": [true]});
    for answer in [
        r#"{"coherence_score":0.5,"strengths":["a","b"],"improvements":[],"missing_concepts":[true]}"#,
        r#"So {well}: {} ```{"coherence_score":0.5,"strengths":["a" "b",],"improvements":[],"missing_concepts":[True,]}``` {"a":1}"#,
        r#"{"coherence_score":0.5 "strengths":["a","b","improvements":[],"missing_concepts":[true"#,
    ] {
        let read = Value::Object(read_object(answer).unwrap());
        if answer.contains("\"b\",\"impr") {
            // A list that is not closed swallows what follows it, and nothing is lost.
            assert_eq!(read["strengths"].as_array().unwrap()[..2], [json!("a"), json!("b")]);
        } else {
            assert_eq!(read, whole, "{answer}");
        }
    }
}

/// Files of the JSON test suite, with whether they are valid JSON.
fn suite() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/json");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned())
        })
        .collect()
}

#[test]
fn the_test_suite_is_read_as_serde_reads_it() {
    let (mut valid, mut strings) = (0, 0);
    for (name, text) in suite() {
        let answer = format!(r#"{{"nodes":[{{"x":{text},"title":"t"}}]}}"#);
        let element = read_chunks(Limits::of(1), std::iter::once(answer.as_str()));
        let Ok(expected) = serde_json::from_str::<Value>(&text) else {
            assert!(!name.starts_with("y_"), "{name}");
            continue;
        };
        valid += 1;
        let element = &element.unwrap_or_else(|error| panic!("{name}: {error}"))[0];
        assert_eq!(element.values, [("x".to_owned(), expected.clone())], "{name}");
        assert_eq!((element.title.as_deref(), element.is_whole), (Some("t"), true), "{name}");
        if let Value::Object(object) = &expected {
            assert_eq!(&read_object(&text).unwrap(), object, "{name}");
        }
        if let Some([Value::String(string)]) = expected.as_array().map(Vec::as_slice) {
            strings += 1;
            let written = text.trim().trim_start_matches('[').trim_end_matches(']');
            let title = read(&format!(r#"[{{"title":{written}}}]"#)).remove(0).title;
            assert_eq!(title, Some(clean(string, 200)), "{name}");
        }
    }
    assert!(valid > 90 && strings > 40, "{valid} valid files, {strings} strings");
}

#[test]
fn no_file_of_the_test_suite_does_harm() {
    let mut files = 0;
    for (name, text) in suite() {
        files += 1;
        for answer in [
            text.clone(),
            format!(r#"{{"nodes":[{{"title":{text},"summary":{text}}},{text}]}}"#),
            format!("[{{\"title\":\"{text}\"}}"),
        ] {
            let whole = read_chunks(Limits::of(9), std::iter::once(answer.as_str()));
            assert_eq!(whole, read_chunks(Limits::of(9), answer.split_inclusive(|_| true)), "{name}");
            let _ = read_object(&answer);
        }
    }
    assert!(files > 300, "{files} files");
}

/// An answer as text: right, broken, or cut, with characters of all lengths.
fn answers() -> impl Strategy<Value = String> {
    let text = r#"([a-z ü語😀\t]|\\[nu"\\/tb]|\\u[0-9a-fA-F]{4}|\\uD83D\\uDE0[0-9]|\\uD83D){0,12}"#;
    let value = prop_oneof![
        text.prop_map(|text| format!("\"{text}\"")),
        "-?[0-9]{1,4}(\\.[0-9]{1,3})?(e[0-9])?",
        "true|false|null|True|[a-z]{1,4}",
        "(\\[|\\{\"a\":|\\]|\\}|1|,|\"x\"){0,9}",
    ];
    let field = ("title|summary|category|strength|[a-z]{0,3}", value);
    let object = collection::vec(field, 0..5).prop_map(|fields| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", fields.join(","))
    });
    let prose = "([a-z \n]|\\[[a-z]\\]|\\{[a-z]\\}|```){0,6}";
    let cut = any::<prop::sample::Index>();
    (prose, collection::vec(object, 0..4), prose, cut).prop_map(|(before, objects, after, cut)| {
        let mut answer = format!("{before}{{\"nodes\": [{}]}}{after}", objects.join(", "));
        let at = cut.index(answer.chars().count() * 2 + 1);
        if let Some((at, _)) = answer.char_indices().nth(at) {
            answer.truncate(at);
        }
        answer
    })
}

proptest! {
    #[test]
    fn any_chunking_reads_the_same(answer in answers(), lengths in collection::vec(1..9_usize, 1..9)) {
        let mut chunks = Vec::new();
        let (mut rest, mut lengths) = (answer.as_str(), lengths.iter().cycle());
        while !rest.is_empty() {
            let length = *lengths.next().unwrap();
            let at = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
            chunks.push(&rest[..at]);
            rest = &rest[at..];
        }
        let limits = Limits { title_chars_max: 7, ..Limits::of(3) };
        let whole = read_chunks(limits, std::iter::once(answer.as_str()));
        prop_assert_eq!(&whole, &read_chunks(limits, chunks.into_iter()));
        for element in whole.into_iter().flatten() {
            let title = element.title.unwrap_or_default();
            prop_assert!(title.chars().count() <= 7 && title == clean(&title, 7), "{title:?}");
        }
    }

    #[test]
    fn every_title_comes_back(titles in collection::vec("\\PC{0,40}", 1..6), space in "[ \n\t]{0,3}") {
        let nodes: Vec<_> = titles.iter().map(|title| json!({"importance": 0.5, "title": title})).collect();
        let answer = format!("{space}{}{space}", json!({ "nodes": nodes }));
        let read: Vec<_> = read(&answer).into_iter().map(|element| element.title.unwrap()).collect();
        let clean: Vec<_> = titles.iter().map(|title| clean(title, 200)).collect();
        prop_assert_eq!(read, clean);
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// `FUZZ_ITERATIONS` and `FUZZ_SEED` steer it, as in the other fuzz tests.
#[test]
fn mutated_answers_do_no_harm() {
    let corpus: Vec<Vec<u8>> = [
        r#"{"nodes":[{"title":"Orbit \ud83d\ude80","summary":"How \"it\" turns.\n","category":"theory","importance":0.9}]}"#,
        r#"```json [{"title":7,"summary":[{"a":{}}],"x":null},{"title":"b",}] ``` and [more] {prose}"#,
        r#"{"coherence_score":0.25,"strengths":["deep"],"improvements":[],"missing_concepts":["a\u00e9"]}"#,
        r#"{"a":{"b":[1,[2,[{"title":"t","strength":-1e-3}]]]}}"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    let (seed, iterations) = (setting("FUZZ_SEED", SEED_DEFAULT), setting("FUZZ_ITERATIONS", ITERATIONS_DEFAULT));
    println!("FUZZ_SEED={seed} FUZZ_ITERATIONS={iterations}");
    let mut mutator = mutate::Mutator::new(seed);
    let mut read = 0;
    for _ in 0..iterations {
        let answer = String::from_utf8_lossy(&mutator.mutation_of(&corpus)).into_owned();
        let whole = read_chunks(Limits::of(3), std::iter::once(answer.as_str()));
        assert_eq!(whole, read_chunks(Limits::of(3), answer.split_inclusive(|_| true)), "{answer}");
        let elements = whole.unwrap_or_default();
        assert!(elements.len() <= 3, "{answer}");
        read += elements.len();
        let _ = read_object(&answer);
    }
    assert!(read > 0, "not one element was read");
}
