//! What is cut into slices, where, and what is not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use synapti_protocol::lib0::{write_var_str, write_var_uint};
use synapti_protocol::update::{ContentKind, StructKind, UpdateWriter, scan, slices};

/// An item behind an element, or at the start of a root.
fn item(origin: Option<(u64, u32)>, content: u8) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some((client, clock)) = origin {
        out.push(0x80 | content);
        write_var_uint(&mut out, client);
        write_var_uint(&mut out, clock.into());
    } else {
        out.extend([content, 1]);
        write_var_str(&mut out, "text");
    }
    out
}

fn text(origin: Option<(u64, u32)>, content: &str) -> Vec<u8> {
    let mut out = item(origin, 4);
    write_var_str(&mut out, content);
    out
}

fn attribute(origin: (u64, u32)) -> Vec<u8> {
    let mut out = item(Some(origin), 6);
    write_var_str(&mut out, "bold");
    write_var_str(&mut out, "true");
    out
}

/// Sections of (client, first clock, structs), and one deleted element.
fn update(sections: &[(u64, u32, &[Vec<u8>])]) -> Vec<u8> {
    let mut writer = UpdateWriter::new();
    for (client, clock, structs) in sections {
        writer.section(*client, *clock, structs.len() as u32, structs.iter().map(Vec::as_slice));
    }
    writer.delete(1, &[(0, 1)]);
    writer.finish()
}

/// A slice's sections as (client, first clock, clock after the last struct), and how much it deletes.
type Slice = (Vec<(u64, u32, u32)>, usize);

fn cut(update: &[u8], bytes_max: usize) -> Vec<Slice> {
    let read = |slice: &Vec<u8>| {
        let view = scan(slice).unwrap();
        let sections = view.sections().map(|section| (section.client, section.clock, section.end));
        (sections.collect(), view.delete_set().count())
    };
    slices(&scan(update).unwrap(), bytes_max).iter().map(read).collect()
}

#[test]
fn what_a_struct_builds_on_comes_first() {
    let later = [text(Some((1, 3)), "ef")];
    let first = [text(None, "ab"), text(Some((1, 1)), "cd")];
    let update = update(&[(2, 0, &later), (1, 0, &first)]);
    let one_each = [(vec![(1, 0, 2)], 0), (vec![(1, 2, 4)], 0), (vec![(2, 0, 2)], 0), (vec![], 1)];
    assert_eq!(cut(&update, 1), one_each);
    assert_eq!(cut(&update, update.len()).len(), 1);
}

#[test]
fn what_is_not_in_the_update_is_with_its_receiver() {
    let (one, other) = ([text(Some((1, 4)), "a"), text(Some((3, 9)), "b")], [text(Some((2, 6)), "c")]);
    let update = update(&[(2, 7, &one), (1, 5, &other)]);
    assert_eq!(cut(&update, 1), [(vec![(2, 7, 8)], 0), (vec![(2, 8, 9)], 0), (vec![(1, 5, 6)], 0), (vec![], 1)]);
}

#[test]
fn a_slice_is_filled_from_several_clients() {
    let long = "x".repeat(400);
    let of = |client| [text(None, &long), text(Some((client, 399)), &long), text(Some((client, 799)), &long)];
    let (one, two, three) = (of(1), of(2), of(3));
    let update = update(&[(3, 0, &three), (2, 0, &two), (1, 0, &one)]);
    let slices = slices(&scan(&update).unwrap(), 1_800);
    assert_eq!(slices.len(), 3);
    assert!(slices.iter().all(|slice| slice.len() <= 1_800));
}

#[test]
fn attributes_come_with_all_the_text_and_all_deletions() {
    let one = [text(None, "a"), text(Some((1, 0)), "b"), attribute((1, 0)), text(Some((1, 1)), "c")];
    let other = [text(Some((1, 2)), "d")];
    let update = update(&[(2, 0, &other), (1, 0, &one)]);
    assert_eq!(cut(&update, 1), [(vec![(1, 0, 1)], 0), (vec![(1, 1, 2)], 0), (vec![(2, 0, 1), (1, 2, 4)], 1)]);
    let view = scan(&update).unwrap();
    let last = slices(&view, 1).pop().unwrap();
    let kinds = scan(&last).unwrap().sections().flat_map(|section| section.structs().map(|next| next.kind)).collect();
    let kinds: Vec<StructKind> = kinds;
    assert!(kinds.contains(&StructKind::Item(ContentKind::Format)));
}

#[test]
fn what_cannot_be_put_in_order_comes_back_whole() {
    let circle = update(&[(2, 0, &[text(Some((1, 0)), "a")]), (1, 0, &[text(Some((2, 0)), "b")])]);
    let hole = update(&[(1, 0, &[text(None, "a"), vec![10, 5], text(None, "b")])]);
    let empty_part = update(&[(1, 0, &[text(None, "a"), text(None, ""), text(None, "b")])]);
    for whole in [circle, hole, empty_part] {
        assert_eq!(slices(&scan(&whole).unwrap(), 1), std::slice::from_ref(&whole));
    }
}
