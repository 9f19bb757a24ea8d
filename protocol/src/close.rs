//! Why the server closes a WebSocket.

use crate::limits::CLOSE_REASON_BYTES_MAX;

/// A close code and what it asks of the client. y-websocket reconnects after all but 4400–4499.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// Too many messages or too many connections: back off.
    RateLimited = 1008,
    /// This node is going away: reconnect.
    Restarting = 1012,
    /// No room for more: back off, or poll.
    AtCapacity = 1013,
    /// The client sent bytes that are no message.
    Malformed = 4400,
    /// No valid credentials, or they have expired.
    Unauthenticated = 4401,
    /// Valid credentials without the right to this graph.
    Forbidden = 4403,
    /// There is no such graph.
    NotFound = 4404,
    /// There was such a graph.
    Deleted = 4410,
    /// A message or the map itself is larger than allowed.
    TooLarge = 4413,
    /// The node cannot serve sockets now: poll, then try again.
    Overloaded = 4503,
}

impl CloseCode {
    /// All codes, in ascending order.
    pub const ALL: [Self; 10] = [
        Self::RateLimited,
        Self::Restarting,
        Self::AtCapacity,
        Self::Malformed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Deleted,
        Self::TooLarge,
        Self::Overloaded,
    ];

    /// The number in the close frame.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The code with this number, if it is one of ours.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// What to say when there is nothing more exact to say.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::RateLimited => "too many messages or connections",
            Self::Restarting => "the server is restarting",
            Self::AtCapacity => "the server is at capacity",
            Self::Malformed => "malformed message",
            Self::Unauthenticated => "not signed in, or the sign-in has expired",
            Self::Forbidden => "not allowed",
            Self::NotFound => "no such graph",
            Self::Deleted => "this graph has been deleted",
            Self::TooLarge => "message or map too large",
            Self::Overloaded => "overloaded: use polling",
        }
    }

    /// Whether connecting again with the same request is pointless.
    pub const fn is_terminal(self) -> bool {
        matches!(self.code(), 4400..=4499)
    }
}

/// The longest beginning of `reason` that fits into a close frame and ends with a whole character.
pub fn fit_reason(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)]
}
