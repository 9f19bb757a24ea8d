//! Graph ids and close codes.

use std::collections::HashMap;

use proptest::prelude::*;
use synapti_protocol::close::{CloseCode, fit_reason};
use synapti_protocol::graph_id::{GraphId, InvalidGraphId};
use synapti_protocol::limits::CLOSE_REASON_BYTES_MAX;

proptest! {
    #[test]
    fn graph_ids_are_their_text(text in "[A-Za-z0-9._~-]{1,128}") {
        let id: GraphId = text.parse().unwrap();
        prop_assert_eq!(id.as_str(), &text);
        prop_assert_eq!(id.to_string(), text);
    }

    #[test]
    fn other_texts_are_no_graph_ids(text in ".*[^A-Za-z0-9._~-].*") {
        prop_assert_eq!(GraphId::try_from(text.as_str()), Err(InvalidGraphId));
    }

    #[test]
    fn reasons_fit_a_close_frame(reason: String, padding in 0..200_usize) {
        let reason = format!("{}{reason}", "é".repeat(padding));
        let fitted = fit_reason(&reason);
        prop_assert!(fitted.len() <= CLOSE_REASON_BYTES_MAX);
        prop_assert!(reason.starts_with(fitted));
        prop_assert!(fitted == reason || fitted.len() > CLOSE_REASON_BYTES_MAX - 4);
    }
}

#[test]
fn graph_ids_have_a_length() {
    assert!(GraphId::try_from("").is_err());
    assert!(GraphId::try_from("x".repeat(128).as_str()).is_ok());
    let error = GraphId::try_from("x".repeat(129).as_str()).unwrap_err();
    assert_eq!(error.to_string(), "a graph id is 1 to 128 characters of A-Z a-z 0-9 . _ ~ -");
}

#[test]
fn maps_keyed_by_graph_id_are_asked_with_text() {
    let rooms = HashMap::from([(GraphId::try_from("team.map").unwrap(), 1)]);
    assert_eq!(rooms.get("team.map"), Some(&1));
    assert_eq!(rooms.get("other"), None);
}

#[test]
fn close_codes_are_known_by_number() {
    let codes: Vec<u16> = CloseCode::ALL.iter().map(|known| known.code()).collect();
    assert_eq!(codes, [1008, 1012, 1013, 4400, 4401, 4403, 4404, 4410, 4413, 4503]);
    for known in CloseCode::ALL {
        assert_eq!(CloseCode::from_code(known.code()), Some(known));
        assert_eq!(fit_reason(known.reason()), known.reason());
        assert!(!known.reason().is_empty());
    }
    assert_eq!(CloseCode::from_code(1000), None);
}

#[test]
fn clients_stop_where_trying_again_cannot_help() {
    let terminal: Vec<u16> =
        CloseCode::ALL.into_iter().filter(|known| known.is_terminal()).map(CloseCode::code).collect();
    assert_eq!(terminal, [4400, 4401, 4403, 4404, 4410, 4413]);
}
