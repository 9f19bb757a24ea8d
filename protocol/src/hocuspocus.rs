//! Frames of the Hocuspocus protocol: the messages of y-protocols for many documents on one connection.
//!
//! ```text
//! varString address (name, or name \0 session), varUint type, body:
//!  0 sync, 1 awareness, 3 query awareness   as in [`crate::message`]
//!  2 auth            client: {0 token, varString token, [varString version of the provider]}
//!                    server: {0 asks for the token | 1 denied, varString reason | 2 authenticated, varString scope}
//!  4 sync reply      as 0, between servers
//!  5 stateless       varString
//!  6 broadcast stateless, between servers
//!  7 close           client: nothing; server: varString reason
//!  8 sync status     varUint: 1 saved, 0 refused
//! 9 ping, 10 pong    a whole frame of one byte, without an address
//! ```
//!
//! The server writes the sync status unsigned and the provider reads it signed: only 0 and 1 mean the same to both.

use crate::DecodeError;
use crate::lib0::{Reader, var_uint_len, write_var_bytes, write_var_str};
use crate::limits::ADDRESS_BYTES_MAX;

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;
const SYNC_REPLY: u64 = 4;
const STATELESS: u64 = 5;
const BROADCAST_STATELESS: u64 = 6;
const CLOSE: u64 = 7;
const PING: u8 = 9;
const PONG: u8 = 10;

const AUTH_TOKEN: u64 = 0;

/// Between the name of a document and that of a session.
const SEPARATOR: char = '\0';

/// A whole frame: asks whether the client is there. Providers before version 4 cannot read it.
pub const PING_FRAME: &[u8] = &[PING];

/// A whole frame: the answer to a ping.
pub const PONG_FRAME: &[u8] = &[PONG];

/// What follows an address: one edit, or the answer to the first question, is on disk.
pub const SAVED: &[u8] = &[8, 1];

/// What follows an address: an edit was refused.
pub const NOT_SAVED: &[u8] = &[8, 0];

/// What follows an address: asks for the token, because the one that was shown ends soon.
pub const TOKEN_REQUEST: &[u8] = &[2, 0];

/// What follows an address: asks who is there.
pub const WHO_IS_THERE: &[u8] = &[3];

/// A frame. What follows the address has not been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The client wants to know whether the server is there.
    Ping,
    /// The client is there.
    Pong,
    /// Something about a document, to be read with [`parse`].
    To(Address<'a>, &'a [u8]),
}

/// Which document a frame is about, and which of the client's sessions with it. Answers go to the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address<'a>(&'a str);

/// What a client says about a document. What it carries is borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// A message of y-protocols, with its type: document state or presence. To be read with [`crate::message::parse`].
    Room(&'a [u8]),
    /// The same without its type, which is that of document state.
    SyncReply(&'a [u8]),
    /// Shows a token, maybe an empty one.
    Token {
        /// The token.
        token: &'a str,
        /// Whether the provider told its version: those can be pinged.
        has_version: bool,
    },
    /// A word for whoever runs the server, which means nothing to the document.
    Stateless(&'a str),
    /// A word that only servers may say to each other.
    BroadcastStateless,
    /// The client leaves the document.
    Close,
    /// Something that this version does not know.
    Unknown(u64),
}

/// Reads the address of a frame.
pub fn open(frame: &[u8]) -> Result<Frame<'_>, DecodeError> {
    match frame {
        PING_FRAME => return Ok(Frame::Ping),
        PONG_FRAME => return Ok(Frame::Pong),
        _ => {}
    }
    let mut reader = Reader::new(frame);
    let address = reader.var_str()?;
    let at = reader.position();
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(DecodeError::TooLong {
            at: at - address.len(),
            bytes: address.len(),
            bytes_max: ADDRESS_BYTES_MAX,
        });
    }
    Ok(Frame::To(Address(address), &frame[at..]))
}

/// Reads what a client says about a document.
pub fn parse(body: &[u8]) -> Result<ClientMessage<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let message_type = reader.var_uint()?;
    let at = reader.position();
    Ok(match message_type {
        SYNC | AWARENESS | QUERY_AWARENESS => ClientMessage::Room(body),
        SYNC_REPLY => ClientMessage::SyncReply(&body[at..]),
        AUTH => {
            let kind = reader.var_uint()?;
            if kind != AUTH_TOKEN {
                return Err(DecodeError::UnknownTag { what: "auth message", tag: kind, at });
            }
            let token = reader.var_str()?;
            // Later versions may add more behind it.
            let has_version = !reader.is_empty() && !reader.var_str()?.is_empty();
            ClientMessage::Token { token, has_version }
        }
        STATELESS => ClientMessage::Stateless(reader.var_str()?),
        BROADCAST_STATELESS => ClientMessage::BroadcastStateless,
        CLOSE => ClientMessage::Close,
        unknown => ClientMessage::Unknown(unknown),
    })
}

impl<'a> Address<'a> {
    /// All of it.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The name of the document.
    pub fn document(self) -> &'a str {
        self.0.split_once(SEPARATOR).map_or(self.0, |(document, _)| document)
    }

    /// The name of the session, if the client has several with one document.
    pub fn session(self) -> Option<&'a str> {
        self.0.split_once(SEPARATOR).map(|(_, session)| session)
    }

    /// What stands before each message to this address.
    pub fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(var_uint_len(self.0.len() as u64) + self.0.len());
        write_var_str(&mut out, self.0);
        out
    }
}

/// What follows an address: the client was let in.
pub const fn authenticated(is_read_only: bool) -> &'static [u8] {
    if is_read_only { b"\x02\x02\x08readonly" } else { b"\x02\x02\x0aread-write" }
}

/// What follows an address: the client was not let in.
pub fn encode_denied(reason: &str) -> Vec<u8> {
    body(&[2, 1], reason)
}

/// What follows an address: the document is closed to the client.
pub fn encode_close(reason: &str) -> Vec<u8> {
    body(&[7], reason)
}

/// In one allocation of exactly its size.
fn body(head: &[u8], text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + var_uint_len(text.len() as u64) + text.len());
    out.extend_from_slice(head);
    write_var_bytes(&mut out, text.as_bytes());
    out
}
