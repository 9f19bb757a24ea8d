//! A client id belongs to whoever first showed it as their own: what others write under it is left out.

use bytes::Bytes;
use synapti_server::room::{Entrant, Principal, SessionId};

use crate::support::{Bench, Client, Seen, awareness, states_of, update_of};

const ANN: Principal = Principal(1);
const BOB: Principal = Principal(2);
const EVE: Principal = Principal(3);

/// Ann's session 1 shows client 1, Bob's session 2 shows client 2; Ann has written one node.
fn two_people() -> (Bench, Client, Client) {
    let (mut bench, mut ann, bob) = (Bench::new(), Client::new(1), Client::new(2));
    bench.join_as(1, ANN);
    bench.room.join(SessionId(2), Entrant::of(BOB).told()).unwrap();
    bench.awareness(1, &awareness(1, 1, "\"ann\""));
    bench.awareness(2, &awareness(2, 1, "\"bob\""));
    bench.save(1, ann.add("ann's"));
    (bench, ann, bob)
}

/// Elements of client 1 that nobody wrote, from a clock on.
fn burning(clock: u8) -> Bytes {
    vec![1, 1, 1, clock, 0, 100, 0].into()
}

fn clock_of_ann(ann: &Client) -> u8 {
    let vector = ann.state_vector();
    let vector = synapti_protocol::update::scan_state_vector(&vector).unwrap();
    vector.iter().find(|entry| entry.0 == 1).unwrap().1 as u8
}

fn nodes(bench: &mut Bench) -> Vec<String> {
    bench.sync(9, None).view_nodes()
}

fn leave(bench: &mut Bench, session: u64) -> Seen {
    bench.room.leave(SessionId(session), bench.now_ms);
    bench.take()
}

#[test]
fn a_clock_cannot_be_burned_and_both_go_on() {
    let (mut bench, mut ann, mut bob) = two_people();
    let seen = bench.update(2, [burning(clock_of_ann(&ann))]);
    assert!(seen.commits.is_empty() && seen.refused.is_empty(), "{seen:?}");
    assert_eq!(seen.asked, [SessionId(1)], "the owner is asked for it");
    assert!(seen.acks.is_empty(), "until the owner has answered");
    bench.save(1, ann.add("more of ann's"));
    bench.save(2, bob.add("bob's"));
    for client in [&mut ann, &mut bob] {
        client.hear(&bench.sync(1, None).sync());
        assert_eq!(client.nodes(), ["ann's", "bob's", "more of ann's"]);
    }
    assert_eq!(bench.tick_after(5_000).asked, [SessionId(1)], "once more");
    let seen = bench.tick_after(5_000);
    assert!(seen.asked.is_empty() && seen.refused.is_empty(), "{seen:?}");
    assert!(seen.acks.is_empty(), "nobody has it: {:?}", seen.acks);
    assert!(bench.tick_after(60_000).refused.is_empty());
}

#[test]
fn an_owner_brings_what_somebody_else_passed_on() {
    let (mut bench, mut ann, mut bob) = two_people();
    let offline = ann.add("offline");
    bob.hear(&bench.sync(1, None).sync());
    bob.apply(&offline);
    let seen = bench.update(2, [offline.clone()]);
    assert_eq!((seen.asked, seen.commits.len()), (vec![SessionId(1)], 0));
    let seen = bench.update(1, [offline]);
    assert_eq!(seen.commits.len(), 1);
    let seen = bench.commit();
    assert_eq!(seen.asked, [SessionId(2)], "for what else they may have of it");
    assert_eq!(seen.acks, [(2, 1)], "now it is on disk");
    assert_eq!(nodes(&mut bench), ["ann's", "offline"]);
    assert!(bench.tick_after(60_000).refused.is_empty());
}

#[test]
fn what_an_absent_owner_does_not_bring_is_taken_from_others_when_it_is_forgotten() {
    let (mut bench, mut ann, mut bob) = two_people();
    let offline = ann.add("offline");
    bob.hear(&bench.sync(1, None).sync());
    bob.apply(&offline);
    leave(&mut bench, 1);
    let seen = bench.update(2, [offline.clone()]);
    assert!(seen.asked.is_empty() && seen.commits.is_empty(), "there is nobody to ask: {seen:?}");
    assert!(bench.tick_after(59_000).acks.is_empty());
    let seen = bench.tick_after(1_000);
    assert!(seen.acks.is_empty() && seen.refused.is_empty(), "it is not in the map: {seen:?}");
    bench.awareness(2, &awareness(2, 2, "\"bob\""));
    let seen = bench.tick_after(600_000);
    assert_eq!(seen.asked, [SessionId(2)], "the owner is forgotten");
    let acks = bench.save(2, offline).acks;
    assert_eq!(acks, [(2, 2)], "now it is");
    assert_eq!(nodes(&mut bench), ["ann's", "offline"]);
}

#[test]
fn an_owner_who_comes_back_is_asked_and_writes_on() {
    let (mut bench, mut ann, _) = two_people();
    leave(&mut bench, 1);
    bench.update(2, [burning(clock_of_ann(&ann))]);
    bench.now_ms += 30_000;
    bench.join_as(11, ANN);
    assert_eq!(bench.tick_after(0).asked, [SessionId(11)]);
    let seen = bench.awareness(2, &awareness(1, 50, "\"not ann\""));
    assert!(seen.frames.is_empty(), "an id of somebody else's cannot be shown");
    bench.now_ms += 1_000;
    let seen = bench.awareness(11, &awareness(1, 2, "\"ann\""));
    assert_eq!(states_of(&seen.frames[0]), [(1, 2, "\"ann\"".to_owned())]);
    bench.save(11, ann.add("back"));
    assert_eq!(nodes(&mut bench), ["ann's", "back"]);
}

#[test]
fn edits_that_come_after_their_session_has_left_are_its_owners() {
    let (mut bench, mut ann, _) = two_people();
    let last = ann.add("last");
    leave(&mut bench, 1);
    bench.integrate(&[update_of(1, last)]);
    bench.commit();
    assert_eq!(nodes(&mut bench), ["ann's", "last"]);
}

#[test]
fn what_waited_under_an_id_before_it_was_somebodys_is_dropped() {
    let mut bench = Bench::new();
    let mut ann = Client::new(1);
    bench.join_as(1, ANN);
    bench.join_as(2, BOB);
    let first = ann.add("a");
    let forged = burning(clock_of_ann(&ann));
    assert_eq!(bench.update(2, [forged]).asked, [SessionId(2)], "it lacks what comes before");
    assert_eq!(bench.awareness(1, &awareness(1, 1, "\"ann\"")).asked, [SessionId(1)]);
    bench.save(1, first);
    bench.save(1, ann.add("b"));
    assert_eq!(nodes(&mut bench), ["a", "b"]);
}

#[test]
fn who_has_not_shown_an_id_may_write_and_one_person_has_many_sessions() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join_as(1, ANN);
    bench.join_as(2, BOB);
    bench.awareness(2, &awareness(2, 1, "\"bob\""));
    bench.save(2, ann.add("passed on"));
    bench.awareness(1, &awareness(1, 1, "\"ann\""));
    bench.join_as(3, ANN);
    bench.save(3, ann.add("from another tab"));
    assert!(bench.update(2, [ann.add("passed on again")]).commits.is_empty());
}

#[test]
fn where_nobody_signs_in_everybody_is_one() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.join(2);
    bench.awareness(1, &awareness(1, 1, "\"ann\""));
    bench.save(2, ann.add("passed on"));
    assert_eq!(nodes(&mut bench), ["passed on"]);
}

#[test]
fn nobody_writes_in_the_name_of_the_room() {
    let mut bench = Bench::new();
    bench.join(1);
    // The room of the bench is client 99.
    let seen = bench.update(1, [Bytes::from_static(&[1, 1, 99, 0, 0, 5, 0])]);
    assert!(seen.commits.is_empty() && seen.refused.is_empty() && seen.asked.is_empty(), "{seen:?}");
}

#[test]
fn nobody_takes_an_id_under_which_somebody_else_writes() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join_as(1, ANN);
    bench.join_as(2, BOB);
    bench.save(1, ann.add("first"));
    bench.awareness(2, &awareness(1, 1, "\"bob\""));
    bench.save(1, ann.add("second"));
    assert_eq!(nodes(&mut bench), ["first", "second"], "Ann has never shown herself");
}

#[test]
fn who_may_only_read_owns_no_id() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.enter(3, Entrant::of(EVE).only_reading());
    bench.awareness(3, &awareness(1, 1, "\"eve\""));
    bench.join_as(1, ANN);
    bench.save(1, ann.add("hers"));
    assert_eq!(nodes(&mut bench), ["hers"]);
}

#[test]
fn nobody_speaks_as_somebody_else_who_only_reads() {
    let mut bench = Bench::new();
    bench.enter(1, Entrant::of(BOB).only_reading());
    bench.enter(2, Entrant::of(EVE).only_reading());
    bench.awareness(1, &awareness(1, 1, "\"bob\""));
    assert!(bench.awareness(2, &awareness(1, 9, "\"eve\"")).frames.is_empty());
    assert!(bench.awareness(2, &awareness(1, 9, "null")).frames.is_empty());
    // Nor when he is away for a moment.
    bench.room.leave(SessionId(1), bench.now_ms);
    bench.now_ms += 1_000;
    assert!(
        bench
            .awareness(2, &awareness(1, 9, "\"eve\""))
            .frames
            .iter()
            .all(|frame| states_of(frame).iter().all(|(_, _, state)| state == "null"))
    );
    // On a newer connection he is himself; and who may edit gets back what somebody took who may not.
    bench.now_ms += 1_000;
    bench.enter(3, Entrant::of(BOB).only_reading());
    let seen = bench.awareness(3, &awareness(1, 2, "\"bob again\""));
    assert_eq!(states_of(&seen.frames[0]), [(1, 2, "\"bob again\"".to_owned())]);
    bench.now_ms += 1_000;
    bench.join_as(4, ANN);
    let seen = bench.awareness(4, &awareness(1, 3, "\"ann\""));
    assert_eq!(states_of(&seen.frames[0]), [(1, 3, "\"ann\"".to_owned())]);
}
