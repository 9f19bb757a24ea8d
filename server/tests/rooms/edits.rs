//! What becomes of an edit: integrated at once, shown when it is on disk, refused alone.

use std::time::Duration;

use synapti_crdt::map::{Children, EditError, MapEdit, NewNode, NodePatch};
use synapti_protocol::{
    close::CloseCode, lib0::write_var_uint, limits::UPDATE_PARTS_MAX, message, update::UpdateWriter,
};
use synapti_server::room::{Entrant, RequestId, RoomError, SessionId, reads::Answer, state::RoomLimits};

use crate::support::{Bench, Client, map_edit, update_of};

fn limited(sessions_max: usize, document_bytes_max: usize) -> Bench {
    Bench::with(RoomLimits { sessions_max, document_bytes_max, nodes_max: 0, version_every: Duration::ZERO })
}

#[test]
fn an_edit_is_published_only_when_it_is_on_disk() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    let seen = bench.update(1, [ann.add("a")]);
    assert_eq!(seen.commits.len(), 1);
    assert!(seen.frames.is_empty() && seen.answers.is_empty(), "{seen:?}");
    let committed = seen.commits[0].0.clone();
    let seen = bench.commit();
    assert_eq!(seen.frames, [message::encode_update(&committed)], "what is published is exactly what was journaled");
}

#[test]
fn edits_gather_during_a_commit_and_leave_as_one_frame() {
    let (mut bench, mut ann, mut bob) = (Bench::new(), Client::new(1), Client::new(2));
    bench.join(1);
    bench.join(2);
    bench.update(1, [ann.add("a")]);
    assert!(!bench.room.can_integrate(true));
    bench.commit();
    assert!(bench.room.can_integrate(true));
    let edits = [update_of(1, ann.add("b")), update_of(2, bob.add("c")), update_of(1, ann.add("d"))];
    assert_eq!(bench.integrate(&edits).commits.len(), 1);
    let seen = bench.commit();
    assert_eq!(seen.frames.len(), 1);
    let mut viewer = Client::new(3);
    viewer.hear(&bench.sync(1, None).sync());
    assert_eq!(viewer.nodes(), ["a", "b", "c", "d"]);
}

#[test]
fn what_is_known_already_is_neither_journaled_nor_published_again() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    let update = ann.add("a");
    bench.save(1, update.clone());
    assert!(bench.update(1, [update]).is_empty());
    assert!(bench.room.can_integrate(true));
}

#[test]
fn a_refused_edit_ends_its_own_session_and_nobody_elses() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.join(2);
    let edits = [update_of(2, vec![1, 1, 7, 0, 200].into()), update_of(1, ann.add("a"))];
    let seen = bench.integrate(&edits);
    assert_eq!(seen.refused, [(SessionId(2), CloseCode::Malformed)]);
    assert_eq!(seen.commits.len(), 1, "the other edit of the batch is saved");
    bench.commit();
    assert_eq!(bench.sync(1, None).view_nodes(), ["a"]);
}

#[test]
fn an_edit_through_the_api_is_answered_when_it_is_on_disk_and_refused_at_once() {
    let mut bench = Bench::new();
    let add = || MapEdit::AddNode(NewNode::new("a", "A"));
    let seen = bench.integrate(&[map_edit(1, add()), map_edit(2, add())]);
    let [(RequestId(2), Answer::Failed(RoomError::Edit(EditError::NodeExists(_))))] = seen.answers.as_slice() else {
        panic!("{seen:?}");
    };
    let view = bench.commit().view();
    assert!(String::from_utf8_lossy(&view.body).contains("\"a\""));
}

#[test]
fn a_changed_topic_goes_into_the_journal_once() {
    let mut bench = Bench::new();
    let init = MapEdit::Init { topic: "Seas".into(), root: None, created_at: "2026-01-01T00:00:00Z".into() };
    let topics: Vec<Option<String>> = [init, MapEdit::AddNode(NewNode::new("a", "A"))]
        .map(|edit| {
            let mut seen = bench.integrate(&[map_edit(1, edit)]);
            bench.commit();
            seen.commits.remove(0).1
        })
        .into();
    assert_eq!(topics, [Some("Seas".to_owned()), None]);
}

#[test]
fn a_hole_is_asked_for_once_and_again_only_when_an_answer_can_be_expected() {
    let (mut bench, mut ann, mut bob) = (Bench::new(), Client::new(1), Client::new(2));
    bench.join(1);
    bench.join(2);
    let first = ann.add("a");
    let seen = bench.update(1, [ann.add("b")]);
    assert_eq!(seen.asked, [SessionId(1)]);
    assert!(seen.commits.is_empty(), "an edit that lacks an earlier one is not journaled");
    assert!(bench.update(1, [ann.add("c")]).asked.is_empty(), "one question at a time");
    assert!(bench.tick_after(4_999).asked.is_empty());
    assert_eq!(bench.tick_after(1).asked, [SessionId(1)], "no answer came");

    bench.save(2, bob.add("z"));
    assert!(bench.tick_after(999).asked.is_empty());
    assert_eq!(bench.tick_after(1).asked, [SessionId(1)], "the document has moved on");

    let seen = bench.save(1, first);
    assert_eq!(seen.frames.len(), 1);
    assert!(bench.tick_after(60_000).is_empty(), "the hole is closed");
    assert_eq!(bench.sync(1, None).view_nodes(), ["a", "b", "c", "z"]);
}

#[test]
fn the_question_about_a_hole_waits_for_the_batch_in_flight() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    let mut bob = Client::new(2);
    bob.add("never sent");
    let edits = [update_of(1, ann.add("a")), update_of(1, bob.add("b"))];
    let seen = bench.integrate(&edits);
    assert!(seen.asked.is_empty() && seen.commits.len() == 1, "{seen:?}");
    assert_eq!(bench.commit().asked, [SessionId(1)]);
}

#[test]
fn a_hole_that_stays_open_sends_its_sender_away_after_a_minute() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    ann.add("never sent");
    bench.update(1, [ann.add("b")]);
    assert!(bench.tick_after(60_000).refused.is_empty());
    let seen = bench.tick_after(1);
    assert_eq!(seen.refused, [(SessionId(1), CloseCode::RateLimited)]);
    assert!(seen.asked.is_empty(), "nothing of it waits any more");
}

#[test]
fn a_full_room_lets_nobody_in_until_somebody_leaves() {
    let mut bench = limited(2, 0);
    bench.join(1);
    bench.join(2);
    assert!(matches!(bench.room.join(SessionId(3), Entrant::default()), Err(RoomError::AtCapacity { .. })));
    assert_eq!(bench.room.session_count(), 2);
    bench.room.leave(SessionId(1), bench.now_ms);
    assert!(bench.room.join(SessionId(3), Entrant::default()).is_ok());
}

#[test]
fn a_map_at_its_limit_refuses_what_does_not_fit_and_takes_it_once_there_is_room() {
    let (mut bench, mut ann, mut bob) = (limited(0, 40_000), Client::new(1), Client::new(2));
    bench.join(1);
    bench.join(2);
    for node in ["root", "b", "c"] {
        bench.save(1, ann.add_large(node, 10_000));
    }
    let too_large = bob.add_large("d", 10_000);
    let seen = bench.update(2, [too_large.clone()]);
    assert_eq!(seen.refused, [(SessionId(2), CloseCode::TooLarge)]);
    assert!(seen.commits.is_empty());
    let large = NewNode { summary: "x".repeat(10_000), ..NewNode::new("e", "E") };
    bench.save(1, ann.add_large("f", 7_000));
    let error = bench.integrate(&[map_edit(1, MapEdit::AddNode(large))]).error();
    assert!(matches!(error, RoomError::TooLarge { bytes_max: 40_000, .. }), "{error:?}");

    for id in ["b", "c"] {
        bench.save(1, ann.edit(&MapEdit::RemoveNode { id: id.into(), children: Children::default() }));
    }
    assert!(bench.room.bytes() > 30_000, "deletions are not counted yet");
    assert_eq!(bench.update(2, [too_large]).commits.len(), 1, "the map is counted again before it is called full");
    assert!(bench.room.bytes() < 30_000, "{}", bench.room.bytes());
}

#[test]
fn a_full_map_can_be_made_smaller() {
    let (mut bench, mut ann) = (limited(0, 20_000), Client::new(1));
    bench.join(1);
    for node in ["root", "b", "c", "d"] {
        bench.save(1, ann.add_large(node, 4_800));
    }
    let longer = NodePatch { title: Some("t".repeat(2_000)), ..NodePatch::default() };
    let longer = MapEdit::PatchNode { id: "b".into(), patch: longer };
    let error = bench.integrate(&[map_edit(1, longer)]).error();
    assert!(matches!(error, RoomError::TooLarge { .. }), "{error:?}");
    let small = NodePatch { title: Some("a new title".into()), ..NodePatch::default() };
    bench.integrate(&[map_edit(1, MapEdit::PatchNode { id: "b".into(), patch: small })]);
    bench.commit();
    assert!(bench.room.bytes() > 19_400 && bench.room.bytes() < 20_000, "{}: no room for any edit", bench.room.bytes());

    let shorter = NodePatch { summary: Some("x".repeat(4_000)), ..NodePatch::default() };
    let edits = [
        MapEdit::PatchNode { id: "b".into(), patch: shorter },
        MapEdit::RemoveNode { id: "c".into(), children: Children::default() },
    ];
    for edit in edits {
        bench.integrate(&[map_edit(1, edit)]).commits.first().expect("it is carried out");
        bench.commit().view();
    }
}

#[test]
fn a_client_can_delete_from_a_full_map() {
    // The limit is what the map has: not a single byte is free.
    let mut ann = Client::new(1);
    let large = ann.add_large("root", 5_000);
    let mut bench = limited(0, large.len());
    bench.join(1);
    bench.save(1, large);
    assert_eq!(bench.update(1, [ann.add("more")]).refused, [(SessionId(1), CloseCode::TooLarge)]);
    let mut bob = Client::new(2);
    bob.hear(&bench.sync(1, None).sync());
    let deletion = bob.edit(&MapEdit::RemoveNode { id: "root".into(), children: Children::default() });
    let seen = bench.save(1, deletion);
    assert_eq!(seen.frames.len(), 1, "{seen:?}");
    assert!(bench.sync(1, None).view_nodes().is_empty());
    let mut eve = Client::new(3);
    assert_eq!(bench.update(1, [eve.add_large("next", 2_000)]).commits.len(), 1, "there is room again");
}

#[test]
fn who_nests_without_end_is_sent_away_and_the_others_go_on() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    for session in 1..=3 {
        bench.join(session);
    }
    let refused = |session| [(SessionId(session), CloseCode::TooLarge)];
    let seen = bench.integrate(&[update_of(2, chain(20, 0..20_000)), update_of(1, ann.add("a"))]);
    assert_eq!((&seen.refused[..], seen.commits.len()), (&refused(2)[..], 1), "{seen:?}");
    bench.commit();

    // The same in an order in which it waits at first.
    assert!(bench.update(3, [chain(30, 1..200)]).commits.is_empty());
    let seen = bench.update(1, [chain(30, 0..1)]);
    assert_eq!(seen.refused, refused(3));
    bench.commit();
    bench.save(1, ann.add("b"));
    assert_eq!(bench.sync(1, None).view_nodes(), ["a", "b"]);
}

/// Lists within each other.
fn chain(client: u8, levels: std::ops::Range<u32>) -> bytes::Bytes {
    let mut structs = Vec::new();
    for level in levels.clone() {
        match level.checked_sub(1) {
            None => structs.extend([7, 1, 1, b'r']),
            Some(holder) => {
                structs.extend([7, 0, client]);
                write_var_uint(&mut structs, holder.into());
            }
        }
        structs.push(0);
    }
    let mut writer = UpdateWriter::new();
    writer.section(client.into(), levels.start, levels.len() as u32, [&structs[..]]);
    writer.finish().into()
}

#[test]
fn a_map_has_so_many_nodes_at_most_and_goes_on_being_edited() {
    let limits = RoomLimits { sessions_max: 0, document_bytes_max: 0, nodes_max: 3, version_every: Duration::ZERO };
    let (mut bench, mut ann) = (Bench::with(limits), Client::new(1));
    bench.join(1);
    bench.join(2);
    for node in ["root", "b", "c"] {
        bench.save(1, ann.add(node));
    }
    let full = bench.sync(1, None).view_nodes();
    let error = bench.integrate(&[map_edit(1, MapEdit::AddNode(NewNode::new("d", "D")))]).error();
    assert!(matches!(error, RoomError::TooMany { count_max: 3, .. }), "{error:?}");
    let mut bob = Client::new(2);
    bob.hear(&bench.sync(1, None).sync());
    let one_more = bob.add("d");
    assert_eq!(bench.update(2, [one_more.clone()]).refused, [(SessionId(2), CloseCode::TooLarge)]);
    assert_eq!(bench.sync(1, None).view_nodes(), full);

    // What adds no node is taken, and a place that is given up can be taken again, by the same name too.
    let title = NodePatch { title: Some("another".into()), ..NodePatch::default() };
    bench.save(1, ann.edit(&MapEdit::PatchNode { id: "b".into(), patch: title }));
    let remove = || MapEdit::RemoveNode { id: "c".into(), children: Children::default() };
    bench.save(1, ann.edit(&remove()));
    bench.save(1, ann.add("c"));
    bench.integrate(&[map_edit(2, remove())]);
    bench.commit();
    assert_eq!(bench.update(1, [one_more]).commits.len(), 1);
}

#[test]
fn an_update_of_more_structs_than_anybody_writes_is_refused() {
    let mut bench = Bench::new();
    bench.join(1);
    let count = UPDATE_PARTS_MAX as u32 + 1;
    let mut writer = UpdateWriter::new();
    writer.section(7, 0, count, [&[0, 1].repeat(count as usize)[..]]);
    let seen = bench.update(1, [writer.finish().into()]);
    assert_eq!((seen.refused, seen.commits.len()), (vec![(SessionId(1), CloseCode::TooLarge)], 0));
}
