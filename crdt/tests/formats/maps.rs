//! Maps to write to files, and what becomes of files.

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};
use synapti_crdt::{
    AsideLimits, Op, Replica,
    map::{
        EdgeState, Format, GraphJson, MapEdit, MapState, NodeState, ProjectionContext, Proposed, Source,
        import::{self, Import, ImportError, ImportLimits, Problem},
        project,
        tree::ParentLink,
    },
};

pub const LIMITS: ImportLimits = ImportLimits { nodes_max: 2_000 };

pub fn read(format: Format, bytes: &[u8]) -> Result<Import, ImportError> {
    let mut next = 0;
    import::read(format, bytes, LIMITS, &mut || {
        next += 1;
        format!("id{next}")
    })
}

/// The map that a file makes.
pub fn imported(format: Format, bytes: &[u8]) -> GraphJson {
    let Import { mut map, .. } = read(format, bytes).unwrap_or_else(|error| panic!("{error}"));
    map.created_at = "2026-01-01T00:00:00Z".into();
    let mut replica = Replica::new(1, AsideLimits::default());
    let applied = replica.apply([Op::Edit(&MapEdit::Import(map.into()))], 0);
    applied.results.into_iter().for_each(|result| result.unwrap());
    projected(&replica.map())
}

pub fn projected(state: &MapState) -> GraphJson {
    project(state, &ProjectionContext { id: "m".into(), ..ProjectionContext::default() })
}

pub fn problems(format: Format, text: &str) -> Vec<(String, String)> {
    match read(format, text.as_bytes()) {
        Err(ImportError::Problems(problems)) => {
            problems.into_iter().map(|Problem { field, message }| (field, message)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Title, summary and children of each node, from the top.
pub fn outline(graph: &GraphJson) -> Value {
    fn branch(graph: &GraphJson, parent: Option<&str>) -> Vec<Value> {
        let children = graph.nodes.iter().filter(|node| node.parent_id.as_deref() == parent);
        let shown = children.map(|node| match (node.summary.as_str(), branch(graph, Some(&node.id))) {
            ("", below) if below.is_empty() => json!(node.title),
            ("", below) => json!([node.title, below]),
            (summary, below) if below.is_empty() => json!([node.title, summary]),
            (summary, below) => json!([node.title, summary, below]),
        });
        shown.collect()
    }
    branch(graph, None).into()
}

/// Texts that are hard to write down.
pub fn any_text() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "",
        "a",
        "word",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        "\\",
        "*",
        "**",
        "_",
        "__",
        "`",
        "```",
        "#",
        "## ",
        "-",
        "- ",
        "---",
        "+",
        "=",
        "===",
        "1.",
        "12) ",
        "[",
        "]",
        "(",
        ")",
        "](#1)",
        "![",
        "<",
        ">",
        "<b>",
        "<!-- cross links -->",
        "<!-- untitled -->",
        "&",
        "&amp;",
        "&#10;",
        ";",
        "~",
        "~~",
        "~~~",
        "|",
        "|-|",
        ":",
        "!",
        "\"",
        "'",
        "$",
        "{#x}",
        "[x] ",
        "title: ",
        "🙂",
        "👩‍👩‍👧",
        "שלום",
        "\u{202e}",
        "\u{a0}",
        "\u{2028}",
        "\u{85}",
        "\r",
        "\r\n",
        "\u{b}",
        "\u{feff}",
        "é",
        "http://a.b/",
        "<http://a.b>",
        " → ",
        "0.5",
        "@",
        "\u{200b}",
        "\0",
    ]);
    prop_oneof![vec(piece, 0..6).prop_map(|pieces| pieces.concat()), "\\PC{0,8}", "[ -~\n]{0,12}"]
}

fn any_node(count: usize) -> impl Strategy<Value = NodeState> {
    let looks = (
        option::of((-100_i32..100, -100_i32..100).prop_map(|(x, y)| [f64::from(x) / 4.0, f64::from(y), 0.5])),
        option::of("#[0-9a-f]{6}"),
        option::of((1_u32..40).prop_map(|size| f64::from(size) / 8.0)),
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), option::of("[a-z]{3}"));
    let source = select(vec![Source::Human, Source::Ai, Source::Template, Source::Import]);
    (any_text(), any_text(), 0..count, any::<bool>(), "[a-c][0-9]", looks, flags, source).prop_map(
        |(
            title,
            summary,
            parent,
            is_topic,
            order,
            (pos, color, size),
            (expandable, collapsed, proposed, run),
            source,
        )| {
            let parent = if is_topic && parent % 3 == 0 { ParentLink::Null } else { ParentLink::Node(id(parent)) };
            NodeState {
                title,
                summary,
                parent,
                order,
                pos,
                color,
                size,
                expandable,
                collapsed,
                source: Some(source),
                run,
                state: proposed.then_some(Proposed),
                ..NodeState::default()
            }
        },
    )
}

fn id(at: usize) -> String {
    format!("n{at}")
}

fn any_edge(count: usize) -> impl Strategy<Value = EdgeState> {
    let strength = prop_oneof![Just(1.0), (0_u32..=100).prop_map(|hundredths| f64::from(hundredths) / 100.0)];
    let relationship = prop_oneof![any_text(), Just("contains".to_owned())];
    (0..count, 0..count, relationship, strength).prop_map(|(source, target, relationship, strength)| EdgeState {
        source: id(source),
        target: id(target),
        relationship: Some(relationship),
        strength: Some(strength),
    })
}

/// Any map, circles and orphans among its nodes.
pub fn any_map() -> impl Strategy<Value = MapState> {
    (0_usize..12, any::<bool>()).prop_flat_map(|(count, has_own_topic)| {
        let nodes = vec(any_node(count.max(1)), count);
        let edges = vec(any_edge(count.max(1)), 0..5);
        (nodes, edges, any_text()).prop_map(move |(nodes, edges, topic)| {
            let topic = if has_own_topic { Some(topic) } else { nodes.first().map(|node| node.title.clone()) };
            MapState {
                schema: Some(1),
                topic,
                root: Some(id(0)),
                created_at: Some("2026-01-01T00:00:00Z".into()),
                nodes: nodes.into_iter().enumerate().map(|(at, node)| (id(at), node)).collect(),
                edges: edges.into_iter().enumerate().map(|(at, edge)| (format!("e{at}"), edge)).collect(),
                ..MapState::default()
            }
        })
    })
}
