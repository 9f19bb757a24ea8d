//! The numbers of several nodes, and what they lead to.

use super::*;

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);

fn peers(me: NodeId) -> Peers {
    let mut peers = Peers::new(me, 1);
    peers.joined(0);
    peers
}

/// What `from` says of itself to the others.
fn gossip(from: &Peers, digest: Option<[u8; 16]>) -> Gossip {
    Gossip { digest, ..from.own_gossip(false) }
}

#[test]
fn who_has_missed_the_last_words_hears_of_it_by_gossip() {
    let (mut a, mut b) = (peers(A), peers(B));
    assert!(b.hear(A, 1, 10) && a.hear(B, 1, 10));
    a.next_seq(20);
    a.next_seq(20);
    assert_eq!(b.take(A, 1, 30), Heard::New);
    assert_eq!(b.take(A, 1, 31), Heard::Stale);
    assert!(b.due_questions(10_000).is_empty(), "nothing is known to be missing");
    b.gossip(A, &gossip(&a, None), 0, false, 10_000);
    assert!(b.has_gap(A) && b.due_questions(10_001).is_empty(), "it may be on its way");
    let ask = b.due_questions(10_500);
    assert_eq!((ask.len(), ask[0].node, ask[0].what), (1, A, Wanted::Edits));
    assert_eq!(b.answered(A, ask[0].number, 0, true, 10_600), Some(true));
    b.repaired(A, 2, 10_600);
    assert!(!b.has_gap(A));
}

#[test]
fn documents_are_compared_when_both_have_heard_the_same() {
    let (mut a, mut b) = (peers(A), peers(B));
    assert!(b.hear(A, 1, 10) && a.hear(B, 1, 10));
    a.next_seq(20);
    let compares = |b: &mut Peers, a: &Peers, is_still| b.gossip(A, &gossip(a, Some([0; 16])), 0, is_still, 40).compare;
    assert!(!compares(&mut b, &a, true), "an update is missing");
    b.take(A, 1, 50);
    assert!(compares(&mut b, &a, true));
    assert!(!compares(&mut b, &a, false), "something is under way");
    assert!(b.hear(C, 1, 60));
    assert!(!compares(&mut b, &a, true), "one has heard of somebody of whom the other has not");
    b.compared(A, false, 7);
    assert_eq!(b.due_questions(70).first().map(|ask| ask.node), Some(A));
}

#[test]
fn an_opening_that_has_ended_is_not_heard_and_a_new_one_begins_anew() {
    let mut b = peers(B);
    assert!(b.hear(A, 5, 10));
    b.take(A, 1, 10);
    assert!(b.hear(A, 6, 20));
    assert_eq!(b.take(A, 1, 20), Heard::New);
    assert!(!b.hear(A, 5, 30) && !b.leave(A, Some(5)));
    assert!(b.leave(A, Some(6)) && !b.has_company());
    assert!(!b.hear(B, 9, 30), "nobody hears itself");
}

#[test]
fn who_is_silent_is_asked_and_then_forgotten_unless_nothing_can_be_heard() {
    let mut b = peers(B);
    assert!(b.hear(A, 1, 0));
    assert!(b.expire(SILENT_MS - 1).is_empty());
    b.hear(A, 1, 10_000);
    assert!(b.expire(10_000 + SILENT_MS).is_empty(), "it is asked first");
    assert_eq!(b.due_gossip(0, 10_000 + SILENT_MS), Some(true));
    b.away();
    assert!(b.expire(100_000).is_empty() && b.due_questions(100_000).is_empty() && b.due_ms().is_none());
    b.joined(100_000);
    assert!(b.expire(100_000 + REPLIES_WITHIN_MS - 1).is_empty());
    assert_eq!(b.expire(100_000 + REPLIES_WITHIN_MS), [A]);
}

#[test]
fn gossip_is_seldom_when_all_agree_and_when_nobody_is_there() {
    let mut b = peers(B);
    let mut said = 0;
    for now_ms in (0..60_000).step_by(100) {
        said += usize::from(b.due_gossip(0, now_ms).is_some());
    }
    assert!(said < 10, "{said} times to nobody");
    assert!(b.hear(A, 1, 60_000));
    b.compared(A, true, 3);
    let mut said = 0;
    for now_ms in (60_000..120_000).step_by(100) {
        b.hear(A, 1, now_ms);
        said += usize::from(b.due_gossip(3, now_ms).is_some());
    }
    assert!(said < 8, "{said} times to somebody who agrees");
    b.changed(121_000);
    assert!(b.due_gossip(4, 122_000).is_some());
}
