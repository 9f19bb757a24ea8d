//! A client's document.

use bytes::Bytes;
use synapti_crdt::{
    AsideLimits, Op, Replica, Sender,
    map::{MapEdit, NewNode},
};
use synapti_protocol::{
    awareness::{self, AwarenessEntry},
    message::{self, Message, SyncMessage},
};
use synapti_server::room::SyncReply;

/// The sender of everything that a client hears.
const SERVER: Sender = Sender(1);

#[derive(Debug)]
pub struct Client {
    pub id: u64,
    pub replica: Replica,
}

impl Client {
    pub fn new(id: u64) -> Self {
        Self { id, replica: Replica::new(id, AsideLimits::default()) }
    }

    /// Edits the client's own document; the update to be sent.
    pub fn edit(&mut self, edit: &MapEdit) -> Bytes {
        let applied = self.replica.apply([Op::Edit(edit)], 0);
        assert!(applied.results[0].is_ok(), "{edit:?}: {:?}", applied.results);
        applied.update.expect("an edit that changes something").into()
    }

    /// Adds a node; the update to be sent.
    pub fn add(&mut self, node: impl Into<String>) -> Bytes {
        self.edit(&MapEdit::AddNode(NewNode::new(node, "title")))
    }

    /// Adds a node with a summary of so many bytes.
    pub fn add_large(&mut self, node: &str, bytes: usize) -> Bytes {
        self.edit(&MapEdit::AddNode(NewNode { summary: "x".repeat(bytes), ..NewNode::new(node, "title") }))
    }

    pub fn apply(&mut self, update: &[u8]) {
        let applied = self.replica.apply([Op::Update { update, from: SERVER }], 0);
        assert!(applied.results[0].is_ok(), "{:?}", applied.results);
    }

    /// Takes in a frame of the server as a Yjs client would; answers whether it carried document state.
    pub fn receive(&mut self, frame: &[u8]) -> bool {
        match message::parse(frame).unwrap() {
            Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) => {
                self.apply(update);
                true
            }
            _ => false,
        }
    }

    /// Takes in the answer to a question; nothing in it may have to wait for what comes after it.
    pub fn hear(&mut self, reply: &SyncReply) {
        for frame in reply.frames.iter() {
            assert!(self.receive(frame), "not document state: {frame:?}");
            assert_eq!(self.replica.held_bytes(), 0, "something waits for a later frame");
        }
    }

    pub fn state_vector(&self) -> Bytes {
        self.replica.state_vector().into()
    }

    /// What the client answers to a `SyncStep1` frame of the server.
    pub fn answer(&self, question: &[u8]) -> Bytes {
        let Message::Sync(SyncMessage::Step1(state_vector)) = message::parse(question).unwrap() else {
            panic!("not a question: {question:?}");
        };
        self.replica.diff(state_vector).unwrap().into()
    }

    /// Ids of the nodes in the document, sorted.
    pub fn nodes(&self) -> Vec<String> {
        let mut nodes: Vec<String> = self.replica.map().nodes.keys().cloned().collect();
        nodes.sort();
        nodes
    }
}

/// An awareness payload with one client's state.
pub fn awareness(client: u64, clock: u32, state: &str) -> Vec<u8> {
    awareness::encode(&[AwarenessEntry { client, clock, state }])
}

/// The states in an awareness frame, as (client, clock, JSON).
pub fn states_of(frame: &[u8]) -> Vec<(u64, u32, String)> {
    let Message::Awareness(payload) = message::parse(frame).unwrap() else { panic!("no presence: {frame:?}") };
    let view = awareness::scan(payload).unwrap();
    view.iter().map(|entry| (entry.client, entry.clock, entry.state.to_owned())).collect()
}
