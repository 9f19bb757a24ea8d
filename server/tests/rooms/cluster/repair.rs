//! One node lacks more of another than its inbox holds.

use bytes::Bytes;
use jiff::Timestamp;
use synapti_protocol::envelope::NodeId;
use synapti_server::{
    bus::{INBOX_BYTES_MAX, INBOX_MESSAGES_MAX, News},
    room::{
        Entrant, RequestId, SessionId,
        reads::{Answer, Read},
        state::Effect,
    },
};

use super::node::Open;
use crate::support::{Client, update_of};

/// What a room says to others, with its commits done at once; and the answer to a question, if there is one.
fn carry_out(open: &mut Open, now_ms: u64) -> (Vec<Bytes>, Option<Client>) {
    let (mut said, mut viewer) = (Vec::new(), None);
    loop {
        let effects = open.state.take_effects();
        if effects.is_empty() {
            return (said, viewer);
        }
        for effect in effects {
            match effect {
                Effect::Commit { .. } => open.state.committed(0, now_ms),
                Effect::Broadcast(bytes) | Effect::Send(_, bytes) => said.push(bytes),
                Effect::Answer(_, Answer::Sync(reply)) => {
                    let mut client = Client::new(77);
                    client.hear(&reply);
                    viewer = Some(client);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn what_is_more_than_an_inbox_holds_is_asked_for_in_parts() {
    let mut a = Open::load(0, &[], NodeId(1), 1, 0);
    let mut b = Open::load(0, &[], NodeId(2), 2, 0);
    let mut author = Client::new(5);
    a.state.join(SessionId(1), Entrant::default()).unwrap();
    for node in 0..40 {
        // Of many pieces, as people write them: a single struct is never cut.
        for nth in 0..8 {
            let edit = update_of(1, author.add_large(&format!("{node} {nth}"), 32 << 10));
            a.state.integrate(&[edit], Timestamp::UNIX_EPOCH, 0);
            carry_out(&mut a, 0);
        }
    }
    let mut now_ms = 1_000;
    a.state.hear(News::Joined, now_ms).unwrap();
    b.state.hear(News::Joined, now_ms).unwrap();
    let mut most = (0, 0);
    for _ in 0..100 {
        now_ms += 200;
        let (to_b, _) = carry_out(&mut a, now_ms);
        most = (most.0.max(to_b.len()), most.1.max(to_b.iter().map(Bytes::len).sum()));
        for bytes in to_b {
            b.state.hear(News::Envelope(bytes), now_ms).unwrap();
        }
        if b.state.arrived_bytes().is_some() {
            b.state.take_in(Timestamp::UNIX_EPOCH, now_ms);
        }
        for bytes in carry_out(&mut b, now_ms).0 {
            a.state.hear(News::Envelope(bytes), now_ms).unwrap();
        }
        a.state.tick_cluster(now_ms);
        b.state.tick_cluster(now_ms);
    }
    assert!(most.0 <= INBOX_MESSAGES_MAX && most.1 <= INBOX_BYTES_MAX, "{most:?} at once");
    b.state.read(RequestId(1), Read::Sync { state_vector: Bytes::from_static(&[0]), after: None });
    let viewer = carry_out(&mut b, now_ms).1.unwrap();
    assert_eq!(viewer.replica.digest(), author.replica.digest());
    assert!(viewer.replica.snapshot().len() > 2 * INBOX_BYTES_MAX);
}
