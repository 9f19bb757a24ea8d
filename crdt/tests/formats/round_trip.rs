//! What goes out comes back, and what comes in never does harm.

use proptest::prelude::*;
use synapti_crdt::map::{Format, GraphJson, export};

use crate::maps::{any_map, any_text, imported, projected, read};

/// What an outline keeps: everything that people have written.
fn written(graph: &GraphJson) -> Vec<(u32, String, String)> {
    graph.nodes.iter().map(|node| (node.depth, node.title.clone(), node.summary.clone())).collect()
}

fn links(graph: &GraphJson) -> Vec<(usize, usize, String, String)> {
    let at = |id: &str| graph.nodes.iter().position(|node| node.id == id).unwrap();
    let cross = graph.edges.iter().filter(|edge| !edge.derived);
    let mut links: Vec<_> = cross
        .map(|edge| (at(&edge.source), at(&edge.target), edge.relationship.clone(), edge.strength.to_string()))
        .collect();
    links.sort();
    links
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn an_outline_reads_back_as_the_map_that_it_was(map in any_map()) {
        let graph = projected(&map);
        let text = export::markdown(&graph).unwrap();
        let back = imported(Format::Markdown, text.as_bytes());
        prop_assert_eq!(written(&back), written(&graph), "{}", text);
        prop_assert_eq!(links(&back), links(&graph), "{}", text);
        prop_assert_eq!(&back.topic, &graph.topic);
        prop_assert_eq!(export::markdown(&back).unwrap(), text);
    }

    #[test]
    fn json_reads_back_as_the_map_that_it_was(map in any_map()) {
        let graph = projected(&map);
        let text = serde_json::to_vec(&graph).unwrap();
        prop_assert_eq!(imported(Format::Json, &text), graph);
    }

    #[test]
    fn any_text_is_an_outline_or_an_error(text in proptest::collection::vec(any_text(), 0..30)) {
        let text = text.concat();
        if let Ok(import) = read(Format::Markdown, text.as_bytes()) {
            let count = import.map.nodes.len();
            let graph = imported(Format::Markdown, text.as_bytes());
            prop_assert_eq!(graph.nodes.len(), count);
            let outline = export::markdown(&graph).unwrap();
            prop_assert_eq!(written(&imported(Format::Markdown, outline.as_bytes())), written(&graph));
        }
        let is_object = text.trim_start().starts_with('{');
        prop_assert!(is_object || read(Format::Json, text.as_bytes()).is_err());
    }

    #[test]
    fn any_bytes_are_an_outline_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in Format::ALL {
            let is_text = std::str::from_utf8(&bytes).is_ok();
            prop_assert!(is_text || read(format, &bytes).is_err());
        }
    }
}
