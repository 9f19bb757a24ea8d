//! Why bytes were refused.

use thiserror::Error;

use crate::json::JsonFault;

/// What is wrong with a message and where: offsets count from the beginning of the bytes that were handed in. Never
/// quotes the payload, so it may be logged and sent back as a close reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends in the middle of a value.
    #[error("input ends in the middle of the value at byte {at}")]
    Truncated {
        /// Offset of the value that was cut off.
        at: usize,
    },
    /// A number is larger than its field may be, or written with more bytes than any number needs.
    #[error("number out of range at byte {at}")]
    Overflow {
        /// Offset of the number.
        at: usize,
    },
    /// A string is not UTF-8.
    #[error("string at byte {at} is not UTF-8")]
    Utf8 {
        /// Offset of the string's first byte.
        at: usize,
    },
    /// A value is nested deeper than allowed.
    #[error("value at byte {at} is nested deeper than {depth_max} levels")]
    TooDeep {
        /// Offset of the level that was one too many.
        at: usize,
        /// The allowed number of levels.
        depth_max: u32,
    },
    /// A declared count cannot fit into the bytes that follow it.
    #[error("count {declared} at byte {at} cannot fit into the {remaining} bytes that follow")]
    CountTooLarge {
        /// Offset of the count.
        at: usize,
        /// The count as declared.
        declared: u64,
        /// Bytes left after the count.
        remaining: usize,
    },
    /// A discriminant that no reader of this format knows.
    #[error("unknown {what} {tag} at byte {at}")]
    UnknownTag {
        /// What the discriminant selects.
        what: &'static str,
        /// Its value.
        tag: u64,
        /// Its offset.
        at: usize,
    },
    /// The value is complete and bytes follow.
    #[error("{extra} bytes follow the end of the value at byte {at}")]
    TrailingBytes {
        /// Offset of the first byte too many.
        at: usize,
        /// How many there are.
        extra: usize,
    },
    /// A message type that this protocol does not have; whoever speaks to the client decides what that means.
    #[error("unknown message type {0}")]
    UnknownMessage(u64),
    /// A string that must be JSON is not.
    #[error("invalid JSON at byte {at}: {fault}")]
    Json {
        /// Offset of the fault.
        at: usize,
        /// What is wrong there.
        fault: JsonFault,
    },
    /// The same client has two entries in a list that may hold one for each.
    #[error("client {client} appears twice")]
    DuplicateClient {
        /// The client id.
        client: u64,
    },
    /// A struct refers to an element of its own client that comes later, which no client can have seen.
    #[error("struct at byte {at} refers to a later element of its own client")]
    ForwardReference {
        /// Offset of the struct.
        at: usize,
    },
    /// More entries than a list of this kind may have.
    #[error("{declared} entries at byte {at} are more than {count_max}")]
    TooMany {
        /// Offset of the count.
        at: usize,
        /// The count as declared.
        declared: usize,
        /// The allowed number.
        count_max: usize,
    },
    /// A text that is longer than a text in this place may be.
    #[error("text of {bytes} bytes at byte {at} is longer than {bytes_max}")]
    TooLong {
        /// Offset of the text's first byte.
        at: usize,
        /// Its length.
        bytes: usize,
        /// The allowed length.
        bytes_max: usize,
    },
    /// More clients without content than [`crate::limits::EMPTY_ENTRIES_MAX`].
    #[error("too many clients without content, the last one at byte {at}")]
    EmptyEntries {
        /// Offset of the entry that was one too many.
        at: usize,
    },
}
