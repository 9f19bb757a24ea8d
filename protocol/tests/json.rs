//! The JSON validator against the published parsing suite, and its own limits.

use proptest::prelude::*;
use synapti_protocol::json::{JsonError, JsonFault, is_null, validate, validate_portable};

/// `JSONTestSuite`, one file per line: name and content in hex.
const SUITE: &str = include_str!("data/json-test-parsing.tsv");

fn is_accepted(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| validate(text).is_ok())
}

fn suite() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    SUITE.lines().map(|line| {
        let (name, hex) = line.split_once('\t').expect("two columns");
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
        (name, (0..hex.len()).step_by(2).map(byte).collect())
    })
}

#[test]
fn the_suite_is_judged_as_it_asks() {
    let (mut accepted, mut refused) = (0, 0);
    for (name, bytes) in suite() {
        if name.starts_with("y_") {
            assert!(is_accepted(&bytes), "{name}");
            accepted += 1;
        } else if name.starts_with("n_") {
            assert!(!is_accepted(&bytes), "{name}");
            refused += 1;
        }
    }
    assert_eq!((accepted, refused), (95, 186));
}

#[test]
fn what_the_suite_leaves_open_is_decided_here() {
    // Refused: what is not UTF-8 or begins with a byte order mark, and what nests too deep.
    // Accepted, but not portable: lone surrogates and numbers that no double holds.
    let not_portable = suite()
        .filter(|(name, bytes)| name.starts_with("i_") && is_accepted(bytes))
        .filter(|(_, bytes)| str::from_utf8(bytes).is_ok_and(|text| validate_portable(text).is_err()))
        .map(|(name, _)| name)
        .collect::<Vec<_>>();
    assert_eq!(
        not_portable,
        [
            "i_number_huge_exp",
            "i_number_neg_int_huge_exp",
            "i_number_pos_double_huge_exp",
            "i_number_real_neg_overflow",
            "i_number_real_pos_overflow",
            "i_object_key_lone_2nd_surrogate",
            "i_string_1st_surrogate_but_2nd_missing",
            "i_string_1st_valid_surrogate_2nd_invalid",
            "i_string_incomplete_surrogate_and_escape_valid",
            "i_string_incomplete_surrogate_pair",
            "i_string_incomplete_surrogates_escape_valid",
            "i_string_invalid_lonely_surrogate",
            "i_string_invalid_surrogate",
            "i_string_inverted_surrogates_U+1D11E",
            "i_string_lone_second_surrogate",
        ]
    );
}

#[test]
fn values_nest_sixty_four_levels_and_no_more() {
    let nested = |levels: usize, open: &str, close: &str| format!("{}0{}", open.repeat(levels), close.repeat(levels));
    for (open, close) in [("[", "]"), ("{\"k\":", "}"), ("[ [", "] ]")] {
        let levels = 64 / open.matches(['[', '{']).count();
        assert_eq!(validate(&nested(levels, open, close)), Ok(()));
        let error = validate(&nested(levels + 1, open, close)).unwrap_err();
        assert_eq!(error.fault, JsonFault::TooDeep);
    }
    // An empty container is a level like any other.
    let deepest = format!("{}[]{}", "[".repeat(64), "]".repeat(64));
    assert_eq!(validate(&deepest).unwrap_err().fault, JsonFault::TooDeep);
    // The two files of the suite that are too large to keep.
    assert!(validate(&"[".repeat(100_000)).is_err());
    assert!(validate(&"[{\"\":".repeat(50_000)).is_err());
}

#[test]
fn mixed_containers_close_in_order() {
    assert_eq!(validate(r#"{"a":[{"b":[]},[{}]],"c":{}}"#), Ok(()));
    for text in [r#"{"a":[}]"#, r#"[{"a":1]}"#, "[1}", r#"{"a":1]"#] {
        assert_eq!(validate(text).unwrap_err().fault, JsonFault::Syntax, "{text}");
    }
}

#[test]
fn errors_say_where() {
    assert_eq!(validate("[1,]"), Err(JsonError { at: 3, fault: JsonFault::Syntax }));
    assert_eq!(validate_portable(r#"["x\ud800"]"#), Err(JsonError { at: 3, fault: JsonFault::NotPortable }));
    assert_eq!(validate("[1,]").unwrap_err().to_string(), "syntax error at byte 3");
}

#[test]
fn portable_numbers_fit_every_reader() {
    for text in ["9223372036854775807", "-9223372036854775808", "18446744073709551616", "1e308"] {
        assert_eq!(validate_portable(text), Ok(()), "{text}");
    }
    for text in ["9223372036854775808", "18446744073709551615", "1e309", "-1e999999999999"] {
        assert_eq!(validate(text), Ok(()), "{text}");
        assert_eq!(validate_portable(text).unwrap_err().fault, JsonFault::NotPortable, "{text}");
    }
}

#[test]
fn null_is_seen_through_white_space() {
    assert!(is_null("null") && is_null(" \t\r\nnull "));
    assert!(!is_null("nul") && !is_null("\"null\"") && !is_null("\u{a0}null"));
}

fn json_text() -> impl Strategy<Value = String> {
    let space = prop::sample::select(vec!["", " ", "\n\t", "\r\n"]);
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false", "-0", "0.5e-7", "12E+3", r#""\u00e9\n\"""#])
            .prop_map(str::to_owned),
        any::<i64>().prop_map(|value| value.to_string()),
        "[^\"\\\\\\x00-\\x1f]*".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(5, 32, 4, move |inner| {
        let item = (space.clone(), inner, space.clone());
        let item = item.prop_map(|(before, value, after)| format!("{before}{value}{after}"));
        prop_oneof![
            prop::collection::vec(item.clone(), 1..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(item, 0..4).prop_map(|items| {
                let members = items.iter().map(|item| format!(" \"k\" :{item}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn generated_json_is_accepted(text in json_text()) {
        prop_assert_eq!(validate(&text), Ok(()));
        prop_assert_eq!(validate_portable(&text), Ok(()));
    }

    #[test]
    fn a_container_cut_short_is_refused(text in json_text().prop_filter("a container", |text| {
        text.starts_with(['[', '{'])
    })) {
        for len in (0..text.len()).filter(|len| text.is_char_boundary(*len)) {
            prop_assert!(validate(&text[..len]).is_err());
        }
    }

    #[test]
    fn no_text_makes_the_validator_panic(text: String) {
        let verdict = validate(&text);
        prop_assert!(verdict.is_ok() || validate_portable(&text).is_err());
    }
}
