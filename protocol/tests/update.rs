//! The update scanner, one rule at a time.

use proptest::prelude::*;
use synapti_protocol::DecodeError;
use synapti_protocol::json::JsonFault;
use synapti_protocol::lib0::{write_var_str, write_var_uint};
use synapti_protocol::limits::{CLIENT_ID_MAX, CLOCK_MAX, EMPTY_ENTRIES_MAX};
use synapti_protocol::update::{
    ContentKind, DeleteRange, EMPTY_UPDATE, Id, StructKind, UpdateWriter, scan, scan_state_vector,
};

/// An update with one struct, of client 5 at clock 10.
fn one(structure: &[u8]) -> Vec<u8> {
    several(1, structure)
}

fn several(count: u32, structs: &[u8]) -> Vec<u8> {
    let mut writer = UpdateWriter::new();
    writer.section(5, 10, count, [structs]);
    writer.finish()
}

/// An item without origins in the root type "t", with this content.
fn item(content_ref: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![content_ref, 1, 1, b't'];
    bytes.extend(content);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_var_str(&mut bytes, text);
    bytes
}

fn clock(value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_var_uint(&mut bytes, value.into());
    bytes
}

/// The offset of the first struct in [`one`]: counts and ids of one byte each.
const STRUCT_AT: usize = 4;

#[test]
fn the_empty_update_is_empty() {
    let view = scan(&EMPTY_UPDATE).unwrap();
    assert!(view.is_empty());
    assert_eq!((view.client_count(), view.struct_count()), (0, 0));
    assert_eq!(view.delete_set_bytes(), [0]);
    assert_eq!(UpdateWriter::new().finish(), EMPTY_UPDATE);
    assert_eq!(scan(&[]), Err(DecodeError::Truncated { at: 0 }));
    assert_eq!(scan(&[0]), Err(DecodeError::Truncated { at: 1 }));
    assert_eq!(scan(&[0, 0, 0]), Err(DecodeError::TrailingBytes { at: 2, extra: 1 }));
}

#[test]
fn places_are_read_as_they_are_spelt() {
    let spelt: [(&[u8], _); 6] = [
        (&[0x81, 1, 2, 3], (Some((1, 2)), None, None, None, None)),
        (&[0x41, 1, 2, 3], (None, Some((1, 2)), None, None, None)),
        // The key bit means nothing beside an origin.
        (&[0xe1, 5, 9, 7, 8, 3], (Some((5, 9)), Some((7, 8)), None, None, None)),
        (&[0x01, 1, 1, b't', 3], (None, None, None, Some("t"), None)),
        (&[0x21, 1, 1, b't', 1, b'k', 3], (None, None, None, Some("t"), Some("k"))),
        (&[0x21, 0, 6, 4, 1, b'k', 3], (None, None, Some((6, 4)), None, Some("k"))),
    ];
    for (bytes, place) in spelt {
        let update = one(bytes);
        let view = scan(&update).unwrap();
        let section = view.sections().next().unwrap();
        let found = section.structs().next().unwrap();
        let pair = |id: Id| (id.client, id.clock);
        let found_place =
            (found.origin.map(pair), found.right_origin.map(pair), found.parent.map(pair), found.root, found.key);
        assert_eq!(found_place, place, "{bytes:?}");
        assert_eq!((found.bytes, found.content), (bytes, &[3][..]));
        assert_eq!((found.clock, found.len, found.end()), (10, 3, 13));
        assert_eq!((section.clock, section.end, section.bytes), (10, 13, bytes));
    }
}

#[test]
fn contents_count_their_elements() {
    let embed = text(r#"{"image":1}"#);
    let format = [text("bold"), text("null")].concat();
    let document = [text("guid"), vec![118, 1, 1, b'k', 120]].concat();
    let contents: [(ContentKind, &[u8], u32); 13] = [
        (ContentKind::Deleted, &[4], 4),
        (ContentKind::Json, &[2, 1, b'1', 4, b't', b'r', b'u', b'e'], 2),
        (ContentKind::Binary, &[2, 0xff, 0xfe], 1),
        (ContentKind::String, &text("aé€😀"), 5),
        (ContentKind::String, &text(""), 0),
        (ContentKind::Embed, &embed, 1),
        (ContentKind::Format, &format, 1),
        (ContentKind::Type, &[2], 1),
        (ContentKind::Type, &[3, 1, b'p'], 1),
        (ContentKind::Any, &[3, 126, 125, 1, 117, 0], 3),
        (ContentKind::Any, &[0], 0),
        (ContentKind::Doc, &document, 1),
        (ContentKind::Deleted, &[0], 0),
    ];
    for (kind, content, len) in contents {
        let update = one(&item(kind as u8, content));
        let view = scan(&update).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        let found = view.sections().next().unwrap().structs().next().unwrap();
        assert_eq!((found.kind, found.len), (StructKind::Item(kind), len));
        assert_eq!(found.content, content);
        assert_eq!(view.has_legacy_json(), kind == ContentKind::Json);
        assert_eq!(view.has_empty_parts(), len == 0);
        assert!(!view.is_empty() && !view.has_skips());
    }
}

#[test]
fn gc_and_skip_have_only_a_length() {
    let update = several(3, &[0, 7, 10, 5, 0, 1]);
    let view = scan(&update).unwrap();
    assert!(view.has_skips());
    let section = view.sections().next().unwrap();
    let found: Vec<_> = section.structs().map(|next| (next.kind, next.clock, next.len)).collect();
    assert_eq!(found, [(StructKind::Gc, 10, 7), (StructKind::Skip, 17, 5), (StructKind::Gc, 22, 1)]);
    // With flags, Yjs would still read a GC where yrs would read an item.
    for info in [0x80, 0x40, 0x20, 0x8a, 0x4a, 0x2a] {
        assert!(scan(&one(&[info, 1, 1, 1, 1, 1, 1])).is_err(), "{info:#x}");
    }
}

#[test]
fn contents_that_one_side_cannot_read_are_refused() {
    // 11 is a move, which yrs does not read; above it Yjs knows nothing. Bit 4 belongs to the number for Yjs only.
    for tag in [11, 12, 13, 14, 15, 16, 17, 0x11, 0x18, 0x1f] {
        assert_eq!(
            scan(&one(&item(tag, &[1, 1, 1]))),
            Err(DecodeError::UnknownTag { what: "content", tag: tag.into(), at: STRUCT_AT })
        );
    }
    // An XML hook, a weak link, yrs' own sub-document and undefined types, and what nobody knows.
    for tag in [5, 7, 8, 9, 15, 200] {
        let at = STRUCT_AT + 4;
        assert_eq!(
            scan(&one(&item(7, &[tag, 1, b'x']))),
            Err(DecodeError::UnknownTag { what: "shared type", tag: tag.into(), at })
        );
    }
    for missing in [126, 127] {
        assert!(scan(&one(&item(9, &[1, b'g', missing]))).is_err());
    }
    assert!(scan(&one(&item(9, &[1, b'g', 120]))).is_ok());
}

#[test]
fn embedded_json_must_hold_in_every_reader() {
    let at = STRUCT_AT + 4 + 1;
    let fault = JsonFault::Syntax;
    let embed = |json: &str| one(&item(5, &text(json)));
    assert_eq!(scan(&embed("{}}")), Err(DecodeError::Json { at: at + 2, fault }));
    assert_eq!(scan(&embed("undefined")), Err(DecodeError::Json { at, fault }));
    let fault = JsonFault::NotPortable;
    assert_eq!(scan(&embed(r#""\udfff""#)), Err(DecodeError::Json { at: at + 1, fault }));
    assert!(scan(&one(&item(6, &[text("bold"), text("tru")].concat()))).is_err());

    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    assert!(matches!(scan(&embed(&deep)), Err(DecodeError::TooDeep { depth_max: 64, .. })));

    // The old kind had a word for undefined, and JSON.parse takes lone surrogates.
    let old = [vec![2], text("undefined"), text(r#""\udfff""#)].concat();
    assert!(scan(&one(&item(2, &old))).is_ok());
    assert!(scan(&one(&item(2, &[vec![1], text("Undefined")].concat()))).is_err());
}

#[test]
fn values_nest_sixty_four_levels_and_no_more() {
    let nested = |levels| {
        let mut content = vec![1];
        content.extend([117, 1].repeat(levels));
        content.push(127);
        one(&item(8, &content))
    };
    assert!(scan(&nested(64)).is_ok());
    assert!(matches!(scan(&nested(65)), Err(DecodeError::TooDeep { depth_max: 64, .. })));
    assert!(matches!(scan(&nested(20_000)), Err(DecodeError::TooDeep { depth_max: 64, .. })));
}

#[test]
fn declared_counts_must_fit_the_bytes() {
    let too_large = |bytes: &[u8]| matches!(scan(bytes), Err(DecodeError::CountTooLarge { .. }));
    // Sections, structs, values, delete set clients, delete ranges: 200 million each.
    let million = [0x80, 0x84, 0xaf, 0x5f];
    assert!(too_large(&[&million[..], &[0]].concat()));
    assert!(too_large(&[&[1], &million[..], &[5, 0, 0]].concat()));
    assert!(too_large(&one(&item(8, &million))));
    assert!(too_large(&one(&item(2, &million))));
    assert!(too_large(&[&[0], &million[..]].concat()));
    assert!(too_large(&[&[0, 1, 5], &million[..]].concat()));
    assert!(matches!(scan_state_vector(&[&million[..], &[0]].concat()), Err(DecodeError::CountTooLarge { .. })));
}

#[test]
fn clocks_end_at_their_limit() {
    let fits = clock(CLOCK_MAX - 10);
    let one_more = clock(CLOCK_MAX - 9);
    for info in [0, 10] {
        assert!(scan(&one(&[&[info], &fits[..]].concat())).is_ok());
        assert_eq!(scan(&one(&[&[info], &one_more[..]].concat())), Err(DecodeError::Overflow { at: STRUCT_AT }));
    }
    assert!(scan(&one(&item(1, &fits))).is_ok());
    assert!(scan(&one(&item(1, &one_more))).is_err());
    // The second struct begins where the first ends.
    assert!(scan(&several(2, &[&[0], &fits[..], &[0, 1]].concat())).is_err());

    let deletes = |first: u32, len: u32| {
        let mut writer = UpdateWriter::new();
        writer.delete(5, &[(first, len)]);
        writer.finish()
    };
    assert!(scan(&deletes(1, CLOCK_MAX - 1)).is_ok());
    assert!(scan(&deletes(1, CLOCK_MAX)).is_err());
    assert!(scan(&deletes(u32::MAX, 1)).is_err());

    let mut vector = vec![1, 5];
    write_var_uint(&mut vector, u64::from(CLOCK_MAX) + 1);
    assert_eq!(scan_state_vector(&vector), Err(DecodeError::Overflow { at: 2 }));
}

#[test]
fn clients_end_at_their_limit() {
    let update = |client| {
        let mut writer = UpdateWriter::new();
        writer.section(client, 0, 1, [&[0, 1][..]]);
        writer.finish()
    };
    assert!(scan(&update(CLIENT_ID_MAX)).is_ok());
    assert_eq!(scan(&update(CLIENT_ID_MAX + 1)), Err(DecodeError::Overflow { at: 2 }));
}

#[test]
fn nobody_refers_to_their_own_future() {
    let refused = Err(DecodeError::ForwardReference { at: STRUCT_AT });
    for info in [0x81, 0x41] {
        assert!(scan(&one(&[info, 5, 9, 1])).is_ok());
        assert_eq!(scan(&one(&[info, 5, 10, 1])), refused);
        assert_eq!(scan(&one(&[info, 5, 99, 1])), refused);
        assert!(scan(&one(&[info, 6, 99, 1])).is_ok());
    }
    assert_eq!(scan(&one(&[1, 0, 5, 10, 1])), refused);
}

/// One struct for each client, in this order, and then one deleted element of each.
fn update_of(clients: &[u64]) -> Vec<u8> {
    let mut writer = UpdateWriter::new();
    for client in clients {
        writer.section(*client, 0, 1, [&[0, 1][..]]);
    }
    writer.finish()
}

fn deletes_of(clients: &[u64]) -> Vec<u8> {
    let mut writer = UpdateWriter::new();
    for client in clients {
        writer.delete(*client, &[(3, 1)]);
    }
    writer.finish()
}

#[test]
fn a_client_has_one_section_and_one_list_of_deletions() {
    for build in [update_of, deletes_of] {
        for clients in [&[9, 5, 1][..], &[1, 5, 9], &[5, 9, 1], &[300, 1, 200, 2]] {
            assert!(scan(&build(clients)).is_ok(), "{clients:?}");
        }
        for clients in [&[5, 5][..], &[5, 9, 5], &[9, 5, 1, 5], &[1, 2, 3, 2, 4]] {
            assert!(
                matches!(scan(&build(clients)), Err(DecodeError::DuplicateClient { client: 2 | 5 })),
                "{clients:?}"
            );
        }
    }
}

#[test]
fn entries_without_content_are_few() {
    let sections = |count: usize| {
        let mut writer = UpdateWriter::new();
        for client in 0..count as u64 {
            // By turns no struct and a struct of length 0.
            match client % 2 {
                0 => writer.section(client, 0, 0, []),
                _ => writer.section(client, 0, 1, [&[10, 0][..]]),
            }
        }
        writer.finish()
    };
    let deletions = |count: usize| {
        let mut writer = UpdateWriter::new();
        for client in 0..count as u64 {
            writer.delete(client, &[]);
        }
        writer.finish()
    };
    assert!(scan(&sections(EMPTY_ENTRIES_MAX)).is_ok());
    assert!(scan(&deletions(EMPTY_ENTRIES_MAX)).is_ok_and(|view| view.is_empty()));
    for update in [sections(EMPTY_ENTRIES_MAX + 1), deletions(EMPTY_ENTRIES_MAX + 1)] {
        assert!(matches!(scan(&update), Err(DecodeError::EmptyEntries { .. })));
    }
}

#[test]
fn deletions_are_listed_without_the_empty_ones() {
    let mut writer = UpdateWriter::new();
    writer.delete(9, &[(0, 0), (4, 2)]);
    writer.delete(7, &[]);
    writer.delete(3, &[(1, 1), (8, 0)]);
    let update = writer.finish();
    let view = scan(&update).unwrap();
    let found: Vec<DeleteRange> = view.delete_set().collect();
    assert_eq!(found, [DeleteRange { client: 9, clock: 4, len: 2 }, DeleteRange { client: 3, clock: 1, len: 1 },]);
    assert_eq!(view.delete_set_bytes(), &update[1..]);
}

#[test]
fn errors_do_not_quote_what_they_refuse() {
    let error = scan(&one(&item(5, &text("secret")))).unwrap_err();
    assert_eq!(error.to_string(), "invalid JSON at byte 9: syntax error");
}

/// A section: client, first clock and GC lengths.
type GcSection = (u64, u32, Vec<u32>);

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        sections in prop::collection::btree_map(
            0..=CLIENT_ID_MAX,
            (0..1000_u32, prop::collection::vec(1..1000_u32, 1..5)),
            0..6,
        ),
        deletions in prop::collection::btree_map(
            0..=CLIENT_ID_MAX,
            prop::collection::vec((0..1000_u32, 1..1000_u32), 1..5),
            0..6,
        ),
    ) {
        let sections: Vec<GcSection> = sections
            .into_iter()
            .rev()
            .map(|(client, (first, lens))| (client, first, lens))
            .collect();
        let mut writer = UpdateWriter::new();
        for (client, first, lens) in &sections {
            let structs: Vec<Vec<u8>> =
                lens.iter().map(|len| [vec![0], clock(*len)].concat()).collect();
            writer.section(*client, *first, lens.len() as u32, structs.iter().map(Vec::as_slice));
        }
        for (client, ranges) in &deletions {
            writer.delete(*client, ranges);
        }
        let update = writer.finish();
        let view = scan(&update).unwrap();

        let found: Vec<GcSection> = view
            .sections()
            .map(|section| {
                let lens = section.structs().map(|next| next.len).collect();
                (section.client, section.clock, lens)
            })
            .collect();
        prop_assert_eq!(found, sections);
        let found: Vec<_> = view
            .delete_set()
            .map(|range| (range.client, (range.clock, range.len)))
            .collect();
        let expected: Vec<_> = deletions
            .into_iter()
            .flat_map(|(client, ranges)| ranges.into_iter().map(move |range| (client, range)))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn text_is_counted_as_javascript_counts_it(content: String) {
        let update = one(&item(4, &text(&content)));
        let view = scan(&update).unwrap();
        let found = view.sections().next().unwrap().structs().next().unwrap();
        prop_assert_eq!(found.len as usize, content.encode_utf16().count());
    }

    #[test]
    fn duplicates_are_found_in_any_order(clients in prop::collection::vec(0..40_u64, 0..12)) {
        let distinct = clients.iter().collect::<std::collections::BTreeSet<_>>().len();
        for build in [update_of, deletes_of] {
            prop_assert_eq!(scan(&build(&clients)).is_ok(), distinct == clients.len());
        }
    }

    #[test]
    fn state_vectors_come_back(
        entries in prop::collection::vec((0..=CLIENT_ID_MAX, 0..=CLOCK_MAX), 0..8)
    ) {
        let mut bytes = Vec::new();
        write_var_uint(&mut bytes, entries.len() as u64);
        for (client, known) in &entries {
            write_var_uint(&mut bytes, *client);
            write_var_uint(&mut bytes, u64::from(*known));
        }
        let view = scan_state_vector(&bytes).unwrap();
        prop_assert_eq!(view.len(), entries.len());
        prop_assert_eq!(view.iter().collect::<Vec<_>>(), entries);
        for len in 0..bytes.len() {
            prop_assert!(scan_state_vector(&bytes[..len]).is_err());
        }
    }
}
