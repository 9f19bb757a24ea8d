//! The content kind of old Yjs versions becomes today's, and nothing else changes.

use std::fmt::Write as _;

use proptest::prelude::*;
use synapti_protocol::lib0::{write_var_str, write_var_uint};
use synapti_protocol::update::{ContentKind, EMPTY_UPDATE, StructKind, UpdateWriter, modernize, scan};

/// A map entry "k" with these JSON texts as the old kind of content.
fn old_struct(texts: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0x22, 1, 1, b'm', 1, b'k'];
    write_var_uint(&mut bytes, texts.len() as u64);
    for text in texts {
        write_var_str(&mut bytes, text);
    }
    bytes
}

fn update_with(structs: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = UpdateWriter::new();
    let count = structs.len() as u32;
    writer.section(3, 0, count, structs.iter().map(Vec::as_slice));
    writer.delete(3, &[(0, 1)]);
    writer.finish()
}

fn modern_content(texts: &[&str]) -> Vec<u8> {
    let update = update_with(&[old_struct(texts)]);
    let modern = modernize(&scan(&update).expect("old, not wrong"));
    let view = scan(&modern).expect("what yrs reads");
    assert!(!view.needs_modernizing());
    let section = view.sections().next().expect("one section");
    let found = section.structs().next().expect("one struct");
    assert_eq!(found.kind, StructKind::Item(ContentKind::Any));
    assert_eq!((found.root, found.key), (Some("m"), Some("k")));
    assert_eq!(found.len as usize, texts.len());
    found.content.to_vec()
}

#[test]
fn values_are_written_as_yjs_writes_them_today() {
    let cases: [(&str, &[u8]); 19] = [
        ("undefined", &[127]),
        ("null", &[126]),
        (" true ", &[120]),
        ("false", &[121]),
        ("0", &[125, 0]),
        ("-1", &[125, 0x41]),
        ("1e2", &[125, 0xa4, 0x01]),
        ("2147483647", &[125, 0xbf, 0xff, 0xff, 0xff, 0x0f]),
        ("2147483648", &[124, 0x4f, 0, 0, 0]),
        ("-0", &[124, 0x80, 0, 0, 0]),
        ("0.5", &[124, 0x3f, 0, 0, 0]),
        ("0.1", &[123, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a]),
        ("1e999", &[124, 0x7f, 0x80, 0, 0]),
        (r#""""#, &[119, 0]),
        (r#""a\n\u0041\"\/""#, &[119, 5, b'a', b'\n', b'A', b'"', b'/']),
        (r#""\ud83d\ude00""#, &[119, 4, 0xf0, 0x9f, 0x98, 0x80]),
        (r#""\ud83dx""#, &[119, 4, 0xef, 0xbf, 0xbd, b'x']),
        ("[ ]", &[117, 0]),
        (r#" { "a" : [1 , {}] , "b":"c" } "#, &[118, 2, 1, b'a', 117, 2, 125, 1, 118, 0, 1, b'b', 119, 1, b'c']),
    ];
    for (text, value) in cases {
        assert_eq!(modern_content(&[text]), [&[1], value].concat(), "{text}");
    }
    assert_eq!(modern_content(&["1", "undefined"]), [2, 125, 1, 127]);
}

#[test]
fn long_lists_get_a_long_count() {
    let list = format!("[{}]", vec!["null"; 300].join(","));
    let content = modern_content(&[&list]);
    assert_eq!(content[..4], [1, 117, 0xac, 0x02]);
    assert_eq!(content.len(), 4 + 300);
}

#[test]
fn the_deepest_value_stays_readable() {
    let deepest = format!("{}{}", "[".repeat(64), "]".repeat(64));
    assert_eq!(modern_content(&[&deepest]).len(), 1 + 64 * 2);
}

#[test]
fn everything_else_stays_byte_for_byte() {
    let gc = vec![0, 4];
    let text = vec![0x84, 3, 3, 1, b'x'];
    let update = update_with(&[gc.clone(), old_struct(&["1"]), text.clone()]);
    let modern = modernize(&scan(&update).unwrap());
    let mut expected = old_struct(&[]);
    expected.truncate(expected.len() - 1);
    expected[0] = 0x28;
    expected.extend([1, 125, 1]);
    assert_eq!(modern, update_with(&[gc, expected, text]));
    assert_eq!(modernize(&scan(&modern).unwrap()), modern);
}

#[test]
fn what_says_nothing_is_left_out() {
    let empty_text = vec![4, 1, 1, b't', 0];
    let structs = [vec![0, 0], vec![0, 4], empty_text.clone(), old_struct(&[]), vec![10, 0], vec![10, 2]];
    let update = update_with(&structs);
    let view = scan(&update).unwrap();
    assert!(view.needs_modernizing() && view.has_empty_parts());
    assert_eq!(modernize(&view), update_with(&[vec![0, 4], vec![10, 2]]));

    let mut writer = UpdateWriter::new();
    writer.section(7, 3, 0, []);
    writer.section(5, 9, 1, [empty_text.as_slice()]);
    let update = writer.finish();
    assert_eq!(modernize(&scan(&update).unwrap()), EMPTY_UPDATE);

    let mut writer = UpdateWriter::new();
    writer.delete(9, &[(0, 0), (4, 2), (8, 1)]);
    writer.delete(7, &[]);
    writer.delete(3, &[(1, 0)]);
    let update = writer.finish();
    let view = scan(&update).unwrap();
    assert!(view.needs_modernizing());
    assert_eq!(modernize(&view), [0, 1, 9, 2, 4, 2, 8, 1]);
}

proptest! {
    #[test]
    fn strings_survive(content: String) {
        let mut json = String::from("\"");
        for character in content.chars() {
            match character {
                '"' | '\\' => json.extend(['\\', character]),
                '\0'..='\x1f' => {
                    write!(json, "\\u{:04x}", u32::from(character)).unwrap();
                }
                _ => json.push(character),
            }
        }
        json.push('"');
        let mut expected = vec![1, 119];
        write_var_str(&mut expected, &content);
        prop_assert_eq!(modern_content(&[&json]), expected);
    }
}
