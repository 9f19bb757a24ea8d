//! Why a session is not begun, or has to end, in words for its client.

use synapti_protocol::{DecodeError, close::CloseCode};

use crate::room::{CallError, Refusal, RoomError};

/// How a room's refusal to take a client in, or to go on with it, is told to the client.
pub fn refusal(error: &RoomError) -> Refusal {
    let code = match error {
        RoomError::NotFound => CloseCode::NotFound,
        RoomError::Gone => CloseCode::Deleted,
        RoomError::Draining | RoomError::Panicked => CloseCode::Restarting,
        RoomError::TooLarge { .. } | RoomError::TooMany { .. } => CloseCode::TooLarge,
        RoomError::Edit(_) | RoomError::Exists => CloseCode::Malformed,
        RoomError::AtCapacity { .. }
        | RoomError::NotSaved
        | RoomError::Stalled
        | RoomError::TooLate
        | RoomError::Store(_)
        | RoomError::Unavailable(_)
        | RoomError::Unreadable(_) => CloseCode::AtCapacity,
    };
    // What the database said is for the log, not for clients.
    let reason = match error {
        RoomError::Store(_) | RoomError::Unavailable(_) => "the store does not answer: try again later".to_owned(),
        RoomError::Unreadable(_) => "this map cannot be read from the store: ask the operator".to_owned(),
        error => error.to_string(),
    };
    Refusal::new(code, reason)
}

pub(super) fn call_refusal(error: CallError) -> Refusal {
    match error {
        CallError::Closed => refusal(&RoomError::Panicked),
        CallError::Room(error) => refusal(&error),
    }
}

pub(super) fn malformed(error: DecodeError) -> Refusal {
    Refusal::new(CloseCode::Malformed, error.to_string())
}
