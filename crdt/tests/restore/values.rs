//! What exactly comes back, and by how small an edit.

use synapti_crdt::{
    Op, Restorable,
    map::{MapEdit, NewNode},
};
use synapti_protocol::update::{ContentKind, Id, StructKind, UpdateWriter, scan};
use yrs::{
    Any, Array, ClientID, Doc, GetString, Map, MapPrelim, OffsetKind, Options, ReadTxn, StateVector, Text, TextPrelim,
    Transact, Update, types::Attrs, updates::decoder::Decode,
};

use crate::{
    show::show,
    support::{OWN, apply, check_restore, follow, load, restore},
};

/// By npm's yjs 13.6.33, client 7: objects whose keys are not sorted in a map, as elements between others of an array
/// of which the first was deleted, as an embed and as a format; a big integer; -0; a subdocument with `meta`.
const VALUES: &str = "010a07002801016d016f017603017a7d0101617602017175027a00000000000000057d4001627d02016d7d0305010174137b227a223a312c2261\
223a322c226d223a337d860701046c696e6b137b227a223a312c2261223a322c226d223a337d8407020178860703046c696e6b046e756c6c01010161018807\
05017602017a7d0101617d02880706027d05760301797d0101787d0201777d03c8070607070177036d6964290101730373756201677602086175746f4c6f61\
6478046d6574617602057469746c65770141017a7d010107010501";

/// The state of a document that holds nothing.
const EMPTY: [u8; 2] = [0, 0];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A document as its author sees it.
fn author(client_id: u64) -> Doc {
    Doc::with_options(Options {
        client_id: ClientID::new(client_id),
        offset_kind: OffsetKind::Utf16,
        ..Options::default()
    })
}

fn state(doc: &Doc) -> Vec<u8> {
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}

/// The new elements of an update, and how many it deletes.
fn extent(update: &[u8]) -> (u32, u32) {
    let view = scan(update).unwrap();
    let new = view.sections().map(|section| section.end - section.clock).sum();
    (new, view.delete_set().map(|range| range.len).sum())
}

#[test]
fn values_come_back_as_their_author_wrote_them() {
    let older = bytes(VALUES);
    let mut replica = load(&[&older]);
    check_restore(&mut replica, &EMPTY, "emptied");
    let published = check_restore(&mut replica, &older, "filled again").unwrap();
    // What a map's key, and each of the list's rows of values, held; then whatever else is a content of its own.
    let hex = published.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    for values in [
        "7602017a7d0101617d02",
        "7d05",
        "760301797d0101787d0201777d03",
        "77036d6964",
        "7603017a7d0101617602017175027a00000000000000057d4001627d02016d7d03",
    ] {
        assert!(hex.contains(values), "{values} in {hex}");
    }
    assert_eq!(contents(&published), contents(&older));
    assert_eq!(contents(&published).len(), 4);
}

/// The embeds, text attributes and subdocuments of an update.
fn contents(update: &[u8]) -> Vec<&[u8]> {
    let items = scan(update).unwrap().sections().flat_map(|section| section.structs());
    let is_whole = |kind| matches!(kind, ContentKind::Doc | ContentKind::Embed | ContentKind::Format);
    let whole = items.filter(|item| matches!(item.kind, StructKind::Item(kind) if is_whole(kind)));
    let mut contents: Vec<_> = whole.map(|item| item.content).collect();
    contents.sort_unstable();
    contents
}

#[test]
fn what_both_have_is_not_touched() {
    let doc = author(7);
    let (text, list, map) = (doc.get_or_insert_text("t"), doc.get_or_insert_array("l"), doc.get_or_insert_map("m"));
    let mut txn = doc.transact_mut();
    text.insert(&mut txn, 0, "one 🙂 two three four");
    list.insert_range(&mut txn, 0, [1, 2, 3, 4, 5]);
    let note = map.insert(&mut txn, "note", MapPrelim::default());
    let title = note.insert(&mut txn, "title", TextPrelim::new("Title"));
    map.insert(&mut txn, "stays", "as it is");
    drop(txn);
    let older = state(&doc);
    let mut txn = doc.transact_mut();
    text.remove_range(&mut txn, 0, 2);
    text.insert(&mut txn, 10, "x");
    text.remove_range(&mut txn, 14, 1);
    list.remove(&mut txn, 1);
    list.insert(&mut txn, 2, 9);
    title.insert(&mut txn, 5, "s");
    drop(txn);
    let mut replica = load(&[state(&doc)]);
    let published = check_restore(&mut replica, &older, "restored").unwrap();
    // Back come "on", one letter and one number; "x", 9 and "s" go.
    assert_eq!(extent(&published), (4, 3));
    // Who goes on typing in the title types in the one that is there.
    doc.transact_mut().apply_update(Update::decode_v1(&published).unwrap()).unwrap();
    title.insert(&mut doc.transact_mut(), 5, "!");
    apply(&mut replica, &state(&doc));
    assert_eq!(title.get_string(&doc.transact()), "Title!");
    assert_eq!(show(&replica.snapshot())["m 1"]["note"]["map"]["title"]["text"].as_array().unwrap().len(), 6);
}

/// The marks at which attributes begin and end may be others than they were, as long as the text reads the same.
#[test]
fn a_text_that_reads_the_same_is_left_alone() {
    let doc = author(7);
    let text = doc.get_or_insert_text("t");
    text.insert(&mut doc.transact_mut(), 0, "bold and plain");
    let bold = |value: Any| Attrs::from_iter([("bold".into(), value)]);
    text.format(&mut doc.transact_mut(), 0, 4, bold(true.into()));
    let older = state(&doc);
    text.format(&mut doc.transact_mut(), 0, 4, bold(Any::Null));
    let plain = state(&doc);
    text.format(&mut doc.transact_mut(), 0, 4, bold(true.into()));
    let mut replica = load(&[state(&doc)]);
    assert_eq!(restore(&mut replica, &older), None);
    check_restore(&mut replica, &plain, "plain").unwrap();
    let published = check_restore(&mut replica, &older, "bold").unwrap();
    assert!(extent(&published).0 <= 4, "marks only: {published:?}");
}

/// Clients delete marks that have no effect, and may do so at the same time.
#[test]
fn nothing_is_built_on_marks_without_effect() {
    let doc = author(7);
    let text = doc.get_or_insert_text("t");
    let color = |value: &str| Attrs::from_iter([("color".into(), value.into())]);
    text.insert_with_attributes(&mut doc.transact_mut(), 0, "y", color("red"));
    text.insert_with_attributes(&mut doc.transact_mut(), 0, "x", color("blue"));
    let older = state(&doc);
    let view = scan(&older).unwrap();
    let mut items = view.sections().flat_map(|section| section.structs());
    let mark = items.find(|item| item.content.ends_with(br#""blue""#)).unwrap().clock;
    let x = items.find(|item| item.content == b"\x01x").unwrap().clock;
    let delete = |clock: u32| {
        let mut writer = UpdateWriter::new();
        writer.delete(7, &[(clock, 1)]);
        writer.finish()
    };
    let mut replica = load(&[older.clone(), delete(x)]);
    check_restore(&mut replica, &older, "restored").unwrap();
    apply(&mut replica, &delete(mark));
    assert_eq!(show(&replica.snapshot()), show(&older));
}

/// A character that an edit cut in half since is whole again.
#[test]
fn a_character_that_was_cut_comes_back_whole() {
    let insert = bytes("010101000401047465787404f09f988000");
    let cut = bytes("01010200c401000101015800");
    let mut replica = load(&[&insert, &cut]);
    let published = check_restore(&mut replica, &insert, "whole").unwrap();
    assert_eq!(extent(&published), (2, 3));
    assert_eq!(show(&replica.snapshot())["text 2"][0][0], "😀");
}

/// A root that is used both as a map and as a list comes back as both.
#[test]
fn a_root_of_two_kinds_comes_back_as_both() {
    let (as_map, as_list) = (author(7), author(8));
    as_map.get_or_insert_map("both").insert(&mut as_map.transact_mut(), "key", "value");
    as_list.get_or_insert_array("both").insert(&mut as_list.transact_mut(), 0, "element");
    let older = load(&[state(&as_map), state(&as_list)]).snapshot();
    let mut replica = load(&[&older]);
    check_restore(&mut replica, &EMPTY, "emptied").unwrap();
    assert_eq!(show(&replica.snapshot()), serde_json::json!({}));
    check_restore(&mut replica, &older, "both").unwrap();
    assert_eq!(show(&replica.snapshot()), serde_json::json!({"both 0": ["element"], "both 1": {"key": "value"}}));
}

#[test]
fn a_state_that_lacks_something_is_refused() {
    let doc = author(7);
    let text = doc.get_or_insert_text("t");
    text.insert(&mut doc.transact_mut(), 0, "one");
    let mut txn = doc.transact_mut();
    text.insert(&mut txn, 3, "two");
    let second_half = txn.encode_update_v1();
    drop(txn);
    let error = Restorable::read(&second_half).unwrap_err();
    assert!(error.to_string().contains("does not hold"), "{error}");
    assert!(Restorable::read(b"\xff\xff").is_err());
    let whole = Restorable::read(&state(&doc)).unwrap();
    assert_eq!(whole.bytes(), "onetwo".len() + "t".len());
}

/// The room's own edits before and after it, in one batch: ids are never used twice.
#[test]
fn between_edits_of_the_room_itself() {
    let topic = |topic: &str| MapEdit::PatchMeta { topic: Some(topic.into()), root: None };
    let node = MapEdit::AddNode(NewNode::new("n", "🌊 node"));
    let mut replica = load(&[EMPTY]);
    replica.apply([Op::Edit(&topic("Seas"))], 0);
    let older = Restorable::read(&replica.snapshot()).unwrap();
    let (moons, late) = (topic("Moons"), MapEdit::AddNode(NewNode::new("late", "later")));
    let ops = [Op::Edit(&moons), Op::Edit(&node), Op::Restore(&older), Op::Edit(&late)];
    let applied = replica.apply(ops, 0);
    assert!(applied.results.iter().all(Result::is_ok), "{:?}", applied.results);
    let map = replica.map();
    assert_eq!(map.nodes.keys().collect::<Vec<_>>(), ["late"]);
    assert_eq!(replica.topic().as_deref(), Some("Seas"));
    let mut follower = follow(&[EMPTY]);
    replica.apply([Op::Edit(&topic("After"))], 0);
    apply(&mut follower, &replica.snapshot());
    assert_eq!(follower.digest(), replica.digest());
    assert!(scan(&replica.snapshot()).unwrap().sections().all(|section| section.client == OWN));
}

/// A map of many nodes, of which a few have changed: the edit is small, whatever the map's size.
#[test]
fn the_edit_grows_with_the_difference_only() {
    let doc = author(7);
    let nodes = doc.get_or_insert_map("nodes");
    let mut txn = doc.transact_mut();
    for number in 0..10_000 {
        let node = nodes.insert(&mut txn, format!("node-{number}"), MapPrelim::default());
        node.insert(&mut txn, "title", TextPrelim::new(format!("The node with the number {number}")));
        node.insert(&mut txn, "order", "a0");
        node.insert(&mut txn, "parent", format!("node-{}", number / 7));
    }
    drop(txn);
    let older = state(&doc);
    let mut txn = doc.transact_mut();
    for number in 0..5 {
        nodes.remove(&mut txn, &format!("node-{}", number * 1_000 + 1));
    }
    drop(txn);
    let mut replica = load(&[state(&doc)]);
    let restorable = Restorable::read(&older).unwrap();
    let published = replica.apply([Op::Restore(&restorable)], 0).update.unwrap();
    assert!(published.len() < 1_000, "{} bytes", published.len());
    assert_eq!(show(&replica.snapshot()), show(&older));
    assert_eq!(replica.apply([Op::Restore(&restorable)], 0).update, None);
}

/// Somebody types at the same time, in a text that is restored: none of it is lost.
#[test]
fn what_is_typed_meanwhile_stays() {
    let doc = author(7);
    let text = doc.get_or_insert_text("t");
    text.insert(&mut doc.transact_mut(), 0, "The first draft.");
    let older = state(&doc);
    text.remove_range(&mut doc.transact_mut(), 4, 5);
    text.insert(&mut doc.transact_mut(), 4, "second");
    let mut replica = load(&[state(&doc)]);
    let restored = restore(&mut replica, &older).unwrap();
    let mut txn = doc.transact_mut();
    text.insert(&mut txn, 17, " Now.");
    let typed = txn.encode_update_v1();
    drop(txn);
    apply(&mut replica, &typed);
    doc.transact_mut().apply_update(Update::decode_v1(&restored).unwrap()).unwrap();
    assert_eq!(text.get_string(&doc.transact()), "The first draft. Now.");
    let view = state(&doc);
    assert_eq!(show(&replica.snapshot()), show(&view));
    let own =
        scan(&restored).unwrap().sections().next().map(|section| Id { client: section.client, clock: section.clock });
    assert_eq!(own, Some(Id { client: OWN, clock: 0 }));
}
