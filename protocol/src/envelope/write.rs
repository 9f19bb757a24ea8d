//! Encoding envelopes.

use super::{Envelope, MAGIC, Message, NodeMessage, RoomMessage, VERSION};
use crate::lib0::{write_var_bytes, write_var_str, write_var_uint};

/// What the parts of an envelope take besides the bytes that they carry, about.
const OVERHEAD_BYTES: usize = 96;

impl Envelope<'_> {
    /// The bytes of the envelope.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(OVERHEAD_BYTES + self.carried_bytes());
        out.extend_from_slice(&[MAGIC, VERSION]);
        write_var_uint(&mut out, self.node.0);
        match &self.message {
            Message::Room { room, epoch, message } => {
                write_var_uint(&mut out, kind_of(message));
                write_var_str(&mut out, room);
                write_var_uint(&mut out, *epoch);
                write_room(&mut out, message);
            }
            Message::Node(NodeMessage::Alive) => write_var_uint(&mut out, 16),
            Message::Node(NodeMessage::Bye) => write_var_uint(&mut out, 17),
            Message::Node(NodeMessage::Probe { client }) => {
                write_var_uint(&mut out, 18);
                write_var_str(&mut out, client);
            }
        }
        out
    }

    fn carried_bytes(&self) -> usize {
        match &self.message {
            Message::Room { room, message, .. } => room.len() + carried_bytes(message),
            Message::Node(NodeMessage::Probe { client }) => client.len(),
            Message::Node(_) => 0,
        }
    }
}

fn carried_bytes(message: &RoomMessage<'_>) -> usize {
    match message {
        RoomMessage::Update(update) => update.update.len(),
        RoomMessage::Presence(presence) => presence.payload.len() + 16 * presence.owners.len(),
        RoomMessage::Gossip(gossip) => 24 * gossip.heard.len(),
        RoomMessage::Question(question) => question.state_vector.len(),
        RoomMessage::Answer(answer) => answer.update.len(),
        RoomMessage::Leave | RoomMessage::Deleted => 0,
    }
}

fn kind_of(message: &RoomMessage<'_>) -> u64 {
    match message {
        RoomMessage::Update(_) => 0,
        RoomMessage::Presence(_) => 1,
        RoomMessage::Gossip(_) => 2,
        RoomMessage::Question(_) => 3,
        RoomMessage::Answer(_) => 4,
        RoomMessage::Leave => 5,
        RoomMessage::Deleted => 6,
    }
}

fn write_room(out: &mut Vec<u8>, message: &RoomMessage<'_>) {
    match message {
        RoomMessage::Update(update) => {
            write_all(out, &[update.seq, update.record.unwrap_or(0), update.at_us]);
            write_var_bytes(out, update.update);
        }
        RoomMessage::Presence(presence) => {
            out.push(u8::from(presence.is_whole));
            write_var_uint(out, presence.owners.len() as u64);
            for &(client, principal) in &presence.owners {
                write_all(out, &[client, principal]);
            }
            write_var_bytes(out, presence.payload);
        }
        RoomMessage::Gossip(gossip) => {
            write_all(out, &[gossip.head, gossip.recorded, gossip.presence]);
            out.push(u8::from(gossip.wants_reply) | u8::from(gossip.digest.is_some()) << 1);
            out.extend(gossip.digest.iter().flatten());
            write_var_uint(out, gossip.heard.len() as u64);
            for &(node, epoch, seq) in &gossip.heard {
                write_all(out, &[node.0, epoch, seq]);
            }
        }
        RoomMessage::Question(question) => {
            write_var_uint(out, question.number);
            out.push(u8::from(question.wants_presence));
            write_var_bytes(out, question.state_vector);
        }
        RoomMessage::Answer(answer) => {
            write_all(out, &[answer.number, answer.part, answer.head, answer.recorded, answer.at_us]);
            out.push(u8::from(!answer.is_saved) | u8::from(answer.is_last) << 1 | u8::from(answer.has_more) << 2);
            write_var_bytes(out, answer.update);
        }
        RoomMessage::Leave | RoomMessage::Deleted => {}
    }
}

fn write_all(out: &mut Vec<u8>, numbers: &[u64]) {
    for &number in numbers {
        write_var_uint(out, number);
    }
}
