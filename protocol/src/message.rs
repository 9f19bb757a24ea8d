//! The messages of y-protocols and our two extensions: what one WebSocket frame holds.
//!
//! ```text
//! 0 sync       {0 Step1, state vector | 1 Step2, update | 2 Update, update}
//! 1 awareness  payload (see [`crate::awareness`])
//! 2 auth       {0 permission denied, reason}
//! 3 query awareness
//! 120 ack      varUint n: the first n edits of this connection are on disk
//! 121 notice   varString JSON
//! ```
//!
//! One frame is one message. y-websocket ignores bytes behind it; we refuse them, because an edit that is
//! ignored is an edit that is lost. Where messages do follow each other, read them with [`Message::read`].

use crate::DecodeError;
use crate::lib0::{Reader, var_uint_len, write_var_bytes, write_var_uint};

const SYNC: u8 = 0;
const AWARENESS: u8 = 1;
const AUTH: u8 = 2;
const QUERY_AWARENESS: u8 = 3;
const ACK: u8 = 120;
const NOTICE: u8 = 121;

const SYNC_STEP1: u8 = 0;
const SYNC_STEP2: u8 = 1;
const SYNC_UPDATE: u8 = 2;

const PERMISSION_DENIED: u8 = 0;

/// A whole frame with an awareness message that says nothing: it keeps a y-websocket client from thinking that
/// the connection is dead.
pub const EMPTY_AWARENESS: &[u8] = &[AWARENESS, 1, 0];

/// A message. What it carries is borrowed and has not been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// Document state.
    Sync(SyncMessage<'a>),
    /// Presence, to be read with [`crate::awareness::scan`].
    Awareness(&'a [u8]),
    /// The server's word on access.
    Auth(AuthMessage<'a>),
    /// Asks for everybody's awareness.
    QueryAwareness,
    /// The first so many edits of this connection are on disk.
    Ack(u64),
    /// News about the connection, as JSON.
    Notice(&'a str),
}

/// Document state on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMessage<'a> {
    /// A state vector: "this is what I have".
    Step1(&'a [u8]),
    /// The answer to it: an update with what was missing.
    Step2(&'a [u8]),
    /// An edit.
    Update(&'a [u8]),
}

/// What y-protocols knows of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMessage<'a> {
    /// Edits of this connection are refused, with a reason for people.
    PermissionDenied(&'a str),
}

/// Reads a frame that holds exactly one message.
pub fn parse(frame: &[u8]) -> Result<Message<'_>, DecodeError> {
    let mut reader = Reader::new(frame);
    let message = Message::read(&mut reader)?;
    reader.finish()?;
    Ok(message)
}

impl<'a> Message<'a> {
    /// Reads one message and leaves the reader behind it.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let message_type = reader.var_uint()?;
        match u8::try_from(message_type) {
            Ok(SYNC) => SyncMessage::read(reader).map(Self::Sync),
            Ok(AWARENESS) => reader.var_bytes().map(Self::Awareness),
            Ok(AUTH) => AuthMessage::read(reader).map(Self::Auth),
            Ok(QUERY_AWARENESS) => Ok(Self::QueryAwareness),
            Ok(ACK) => reader.var_uint().map(Self::Ack),
            Ok(NOTICE) => reader.var_str().map(Self::Notice),
            _ => Err(DecodeError::UnknownMessage(message_type)),
        }
    }
}

impl<'a> SyncMessage<'a> {
    /// Reads what follows the message type.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let at = reader.position();
        let step = reader.var_uint()?;
        match u8::try_from(step) {
            Ok(SYNC_STEP1) => reader.var_bytes().map(Self::Step1),
            Ok(SYNC_STEP2) => reader.var_bytes().map(Self::Step2),
            Ok(SYNC_UPDATE) => reader.var_bytes().map(Self::Update),
            _ => Err(DecodeError::UnknownTag { what: "sync message", tag: step, at }),
        }
    }
}

impl<'a> AuthMessage<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let at = reader.position();
        let kind = reader.var_uint()?;
        if kind != u64::from(PERMISSION_DENIED) {
            return Err(DecodeError::UnknownTag { what: "auth message", tag: kind, at });
        }
        reader.var_str().map(Self::PermissionDenied)
    }
}

/// A frame with a state vector: "this is what I have".
pub fn encode_step1(state_vector: &[u8]) -> Vec<u8> {
    frame(&[SYNC, SYNC_STEP1], state_vector)
}

/// A frame with the answer to a Step1.
pub fn encode_step2(update: &[u8]) -> Vec<u8> {
    frame(&[SYNC, SYNC_STEP2], update)
}

/// A frame with an edit.
pub fn encode_update(update: &[u8]) -> Vec<u8> {
    frame(&[SYNC, SYNC_UPDATE], update)
}

/// A frame with an awareness payload, as [`crate::awareness::encode`] makes them.
pub fn encode_awareness(payload: &[u8]) -> Vec<u8> {
    frame(&[AWARENESS], payload)
}

/// A frame that tells a client that its edits are refused.
pub fn encode_permission_denied(reason: &str) -> Vec<u8> {
    frame(&[AUTH, PERMISSION_DENIED], reason.as_bytes())
}

/// A frame that says that the first `count` edits of the connection are on disk.
pub fn encode_ack(count: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + var_uint_len(count));
    out.push(ACK);
    write_var_uint(&mut out, count);
    out
}

/// A frame with news about the connection.
pub fn encode_notice(json: &str) -> Vec<u8> {
    frame(&[NOTICE], json.as_bytes())
}

/// Builds a frame in one allocation of exactly its size.
fn frame(head: &[u8], body: &[u8]) -> Vec<u8> {
    let len = head.len() + var_uint_len(body.len() as u64) + body.len();
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(head);
    write_var_bytes(&mut out, body);
    out
}
