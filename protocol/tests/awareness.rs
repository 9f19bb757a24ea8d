//! Awareness payloads.

use proptest::prelude::*;
use synapti_protocol::DecodeError;
use synapti_protocol::awareness::{AwarenessEntry, encode, scan};
use synapti_protocol::json::JsonFault;
use synapti_protocol::limits::{AWARENESS_ENTRIES_MAX, CLIENT_ID_MAX};

fn states() -> impl Strategy<Value = Vec<(u64, u32, String)>> {
    let state = prop_oneof![
        Just("null".to_owned()),
        "[a-zé]{0,9}".prop_map(|name| format!(r#"{{"user":{{"name":"{name}"}}}}"#)),
    ];
    prop::collection::vec((0..=CLIENT_ID_MAX, any::<u32>(), state), 0..8)
}

proptest! {
    #[test]
    fn entries_come_back_and_were_built_in_one_allocation(states in states()) {
        let entries: Vec<_> = states
            .iter()
            .map(|(client, clock, state)| AwarenessEntry { client: *client, clock: *clock, state })
            .collect();
        let payload = encode(&entries);
        prop_assert_eq!(payload.len(), payload.capacity());
        let view = scan(&payload).unwrap();
        prop_assert_eq!(view.len(), entries.len());
        prop_assert_eq!(view.iter().collect::<Vec<_>>(), entries);
        for len in 0..payload.len() {
            prop_assert!(scan(&payload[..len]).is_err());
        }
    }

    #[test]
    fn no_bytes_make_the_scanner_panic(payload: Vec<u8>) {
        if let Ok(view) = scan(&payload) {
            prop_assert_eq!(view.iter().count(), view.len());
        }
    }
}

fn entry(state: &str) -> AwarenessEntry<'_> {
    AwarenessEntry { client: 7, clock: 1, state }
}

#[test]
fn leaving_is_the_json_null() {
    let payload = encode(&[entry("null"), entry(" null\n"), entry("\"null\""), entry("{}")]);
    let view = scan(&payload).unwrap();
    let removals: Vec<bool> = view.iter().map(|entry| entry.is_removal()).collect();
    assert_eq!(removals, [true, true, false, false]);
}

#[test]
fn states_that_would_break_a_browser_are_refused() {
    let broken = encode(&[entry("{}"), entry("{\"a\":}")]);
    // Count, then four bytes of heads and two of state, then three more of the second head.
    let at = 1 + 3 + 2 + 3 + "{\"a\":".len();
    assert_eq!(scan(&broken), Err(DecodeError::Json { at, fault: JsonFault::Syntax }));

    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    assert_eq!(scan(&encode(&[entry(&deep)])), Err(DecodeError::TooDeep { at: 1 + 4 + 64, depth_max: 64 }));
    assert!(scan(&encode(&[entry("undefined")])).is_err());
    assert!(scan(&encode(&[entry("")])).is_err());
}

#[test]
fn counts_and_ends_are_checked() {
    assert_eq!(scan(&[200, 1, 0, 0, 0]), Err(DecodeError::CountTooLarge { at: 0, declared: 200, remaining: 3 }));
    assert_eq!(scan(&[0, 0]), Err(DecodeError::TrailingBytes { at: 1, extra: 1 }));
    // A clock that does not fit 32 bits.
    assert_eq!(scan(&[1, 7, 0x80, 0x80, 0x80, 0x80, 0x10, 2, b'{', b'}']), Err(DecodeError::Overflow { at: 2 }));
}

#[test]
fn a_message_has_so_many_entries_at_most() {
    let entries = |count: usize| {
        let entry = |client| AwarenessEntry { client: client as u64, clock: 1, state: "null" };
        encode(&(0..count).map(entry).collect::<Vec<_>>())
    };
    assert_eq!(scan(&entries(AWARENESS_ENTRIES_MAX)).unwrap().len(), AWARENESS_ENTRIES_MAX);
    let refused = scan(&entries(AWARENESS_ENTRIES_MAX + 1)).unwrap_err();
    assert!(matches!(refused, DecodeError::TooMany { declared, .. } if declared == AWARENESS_ENTRIES_MAX + 1));
}
