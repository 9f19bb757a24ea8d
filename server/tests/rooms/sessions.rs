//! What a session holds for a client that asks and does not read.

use bytes::Bytes;
use synapti_protocol::message;
use synapti_server::{
    auth::Role,
    room::SessionId,
    session::{Session, SessionLimits, Telling},
};

use crate::support::{FakeStore, Node, NodeOptions, soon};

/// More than any test sends at once.
const FLUSH_BYTES: usize = 1 << 20;

#[tokio::test]
async fn a_client_is_not_read_before_it_has_been_sent_the_last_answer() {
    let store = FakeStore::new().with_graph("map");
    let node = Node::start(&store, &NodeOptions::default());
    let (room, joined) = node.join("map", 1).await.unwrap();
    let limits = SessionLimits {
        message_bytes_max: 1 << 20,
        sync_bytes_max: 1 << 20,
        messages_per_second: 0,
        bytes_per_second: 0,
    };
    let mut session = Session::new(SessionId(1), room, joined, limits, Role::Owner, Telling::Nothing);

    assert!(!session.may_read(), "the greeting is not sent");
    assert_eq!(sent(&mut session), 1);
    assert!(!session.may_read(), "the greeting is under way");
    session.flushed();
    assert!(session.may_read());

    for _ in 0..3 {
        session.receive(&Bytes::from(message::encode_step1(&[0]))).unwrap();
        while !session.may_read() {
            soon("the room answers", session.wait()).await.unwrap();
            let frames = sent(&mut session);
            if frames > 0 {
                assert_eq!(frames, 1, "one answer to one question");
                assert!(!session.may_read(), "its answer is under way");
                session.flushed();
            }
        }
    }
}

/// Sends what there is, and answers how many frames that are.
fn sent(session: &mut Session) -> usize {
    let mut frames = 0;
    session.outgoing(FLUSH_BYTES, |_| frames += 1).unwrap();
    frames
}
