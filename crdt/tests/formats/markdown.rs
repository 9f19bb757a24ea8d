//! Outlines as people write them, and as they are written.

use serde_json::json;
use synapti_crdt::map::{Format, export, import::ImportError};

use crate::maps::{imported, outline, problems, read};

fn shown(text: &str) -> serde_json::Value {
    outline(&imported(Format::Markdown, text.as_bytes()))
}

#[test]
fn headings_and_lists_are_levels() {
    let text = "# Top\n\nSaid of it.\n\n## One\n- a\n  - b\n    1. c\n- d\n\n### Deep\n* e\n\n## Two\n1. f\n";
    assert_eq!(
        shown(text),
        json!([["Top", "Said of it.", [["One", [["a", [["b", ["c"]]]], "d", ["Deep", ["e"]]]], ["Two", ["f"]],]]])
    );
    assert_eq!(shown(&text.replace('\n', "\r\n")), shown(text), "line ends of Windows");
    assert_eq!(shown(&format!("\u{feff}{text}")), shown(text), "a byte order mark");
    assert_eq!(
        shown("# t\n- a\n\t- b\n\t\t- c\n    - d\n"),
        json!([["t", [["a", [["b", ["c"]], "d"]]]]]),
        "tabs and spaces"
    );
}

#[test]
fn what_stands_below_an_item_is_its_summary() {
    let text = "# T\n\n- a\n  goes on\n\n  First line\n  second line\n\n  Next.\n- b\n\n  ```rust\n  let x = 1;\n\n  x\n  ```\n- > quoted\n";
    assert_eq!(
        shown(text),
        json!([["T", [["a goes on", "First line\nsecond line\n\nNext."], ["b", "let x = 1;\n\nx"], "quoted"]]])
    );
}

#[test]
fn markup_becomes_readable_text() {
    let text = "# **T** *i*\n- [ ] to do\n- [x] `done` ~~old~~ <b>bold</b><br>next\n- [site](https://example.org/)\n- see\n\n  [there](http://a.b) and <http://c.d>\n- ![pic](#x) A &amp; B\n<!-- nothing -->\n";
    assert_eq!(
        shown(text),
        json!([[
            "T i",
            [
                "to do",
                "done old bold next",
                ["site", "https://example.org/"],
                ["see", "there (http://a.b) and http://c.d"],
                "pic A & B",
            ]
        ]])
    );
}

#[test]
fn a_map_has_one_root() {
    let topic = |text: &str| imported(Format::Markdown, text.as_bytes()).topic;
    // Several headings of the first level: the first is the root, the others float.
    assert_eq!(shown("# A\n- a\n# B\n- b"), json!([["A", ["a"]], ["B", ["b"]]]));
    assert_eq!(topic("# A\n# B"), "A");
    assert_eq!(topic("---\ntitle: About\n---\n# A\n# B"), "About");
    // What comes before it hangs under it.
    assert_eq!(shown("intro\n\n- a\n\n# T\n\nsaid\n\n- b"), json!([["T", "intro\n\nsaid", ["a", "b"]]]));
    // Without one, the front matter names the root.
    let named = "---\ntitle: \"About \\\"it\\\"\"\nx:\n  y: 2\n---\n\n## One\n- a\n\n## Two\n";
    assert_eq!(shown(named), json!([["About \"it\"", [["One", ["a"]], "Two"]]]));
    assert_eq!(topic(named), "About \"it\"");
    assert_eq!(shown("## One\n- a\n## Two"), json!([["One", ["a"]], "Two"]));
    assert_eq!(shown("- only\n  - a"), json!([["only", ["a"]]]));
    assert_eq!(shown("- a\n- b"), json!([["Imported outline", ["a", "b"]]]));
    assert_eq!(shown("Just words\nin lines\n\nand more"), json!([["Just words in lines", "and more"]]));
    assert_eq!(shown("Setext\n======\n\n- a"), json!([["Setext", ["a"]]]));
}

/// Like the example that a known tool for mind maps in Markdown shows: no heading of the first level, every kind of block.
#[test]
fn a_document_with_everything_is_a_map() {
    let text = "---\ntitle: Showcase\nshowcase:\n  colours: 2\n---\n\n## Links\n\n- [Home](https://example.org/)\n- [Code](https://example.com/x/y)\n\n\
                ## Related\n\n- [one](https://example.com/1) for editors\n\n## Features\n\nNote the blocks.\n\n### Lists\n\n\
                - **strong** ~~old~~ *slanted* ==marked==\n- [x] checkbox\n- Formula: $x = {-b \\pm \\sqrt{b^2-4ac} \\over 2a}$ <!-- fold -->\n  - [More](#?d=x)\n\
                - Ordered\n  1. item 1\n  2. item 2\n\n### Blocks\n\n```js\nlog('hello')\n```\n\n| Fruit | Price |\n|-|-|\n| Apple | 4 |\n\n![](https://example.org/icon.png)\n";
    assert_eq!(
        shown(text),
        json!([[
            "Showcase",
            [
                ["Links", [["Home", "https://example.org/"], ["Code", "https://example.com/x/y"]]],
                ["Related", [["one for editors", "https://example.com/1"]]],
                [
                    "Features",
                    "Note the blocks.",
                    [
                        [
                            "Lists",
                            [
                                "strong old slanted ==marked==",
                                "checkbox",
                                ["Formula: $x = {-b \\pm \\sqrt{b^2-4ac} \\over 2a}$", ["More"]],
                                ["Ordered", ["item 1", "item 2"]],
                            ]
                        ],
                        [
                            "Blocks",
                            "log('hello')\n\n| Fruit | Price |\n|-|-|\n| Apple | 4 |\n\nhttps://example.org/icon.png"
                        ],
                    ]
                ],
            ]
        ]])
    );
}

#[test]
fn nothing_is_no_outline_and_an_empty_map_is_one() {
    for text in ["", " \n\t\n", "<!-- nothing -->", "---\n"] {
        assert_eq!(problems(Format::Markdown, text)[0].0, "outline", "{text:?}");
    }
    let empty = imported(Format::Markdown, b"---\ntitle: \"Later\"\n---\n");
    assert_eq!((empty.topic.as_str(), empty.nodes.len()), ("Later", 0));
    assert_eq!(export::markdown(&empty).unwrap(), "---\ntitle: \"Later\"\n---\n");
}

#[test]
fn nesting_and_number_are_bounded() {
    let nested =
        |levels: usize| (0..levels).flat_map(|level| ["  ".repeat(level), "- x\n".to_owned()]).collect::<String>();
    let deepest = imported(Format::Markdown, nested(101).as_bytes());
    assert_eq!(deepest.nodes.last().unwrap().depth, 100);
    assert!(export::markdown(&deepest).is_ok());
    let told = problems(Format::Markdown, &nested(102));
    assert!(told[0].1.contains("100 levels"), "{told:?}");
    let many = "- x\n".repeat(2_001);
    assert_eq!(read(Format::Markdown, many.as_bytes()), Err(ImportError::TooManyNodes(2_000)));
    // On the way out, too.
    let mut deeper = deepest;
    deeper.nodes.last_mut().unwrap().depth = 101;
    assert!(export::markdown(&deeper).unwrap_err().to_string().contains("as JSON"));
}

#[test]
fn cross_links_follow_their_nodes_when_the_outline_is_edited() {
    let links = |text: &str| {
        let graph = imported(Format::Markdown, text.as_bytes());
        let title = |id: &str| graph.nodes.iter().find(|node| node.id == id).unwrap().title.clone();
        let links: Vec<String> = graph
            .edges
            .iter()
            .filter(|edge| !edge.derived)
            .map(|edge| {
                format!("{}>{} {} {}", title(&edge.source), title(&edge.target), edge.relationship, edge.strength)
            })
            .collect();
        links
    };
    let list = "\n---\n\n<!-- cross links -->\n\n- [a](#1.1) → [b](#1.2): needs `0.5`\n- [b](#1.2) → [a](#1.1)\n";
    assert_eq!(links(&format!("# T\n- a\n- b\n{list}")), ["a>b needs 0.5", "b>a  1"]);
    assert_eq!(links(&format!("# T\n- new\n- a\n- b\n{list}")), ["a>b needs 0.5", "b>a  1"], "places have moved on");
    let told =
        problems(Format::Markdown, &format!("# T\n- a\n- a\n- c\n{list}- nonsense\n- [c](#1.3) → [c](#1.3) `2`\n"));
    let fields: Vec<&str> = told.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["cross link 1", "cross link 2", "cross link 3", "cross link 4"], "{told:?}");
    assert!(told[0].1.contains("`b`") && told[3].1.contains("0 to 1"), "{told:?}");
}

#[test]
fn hostile_outlines_take_no_time() {
    for text in [
        "> ".repeat(20_000),
        "- ".repeat(20_000),
        "[".repeat(50_000),
        "*a _b ".repeat(20_000),
        "`a ``".repeat(20_000),
        "<a ".repeat(50_000),
        "&#".repeat(50_000),
        "# ".repeat(50_000),
        "![".repeat(50_000),
        format!("# t\n{}", "1. x\n\n   y\n".repeat(1_500)),
    ] {
        drop(read(Format::Markdown, text.as_bytes()));
    }
    let twice = "# t\n- [a](#1)\n".repeat(1_000);
    assert_eq!(imported(Format::Markdown, twice.as_bytes()).nodes.len(), 2_000);
}
