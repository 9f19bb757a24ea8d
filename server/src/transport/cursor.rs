//! Where in a map's feed a client is, as text that it hands back.

use std::fmt;

use axum::http::HeaderValue;

use crate::room::{Cursor, RoomHandle};

/// A cursor with the opening of the room that it is good for. Any other text is simply no cursor: then the client's state
/// vector tells what it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCursor {
    opening: u64,
    position: Cursor,
}

impl ClientCursor {
    /// A place in the feed of a room as it is open now.
    pub fn of(room: &RoomHandle, position: Cursor) -> Self {
        Self { opening: room.opening(), position }
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (opening, position) = text.split_once('-')?;
        // Exactly one text for each cursor.
        let cursor = Self { opening: u64::from_str_radix(opening, 16).ok()?, position: position.parse().ok()? };
        (cursor.to_string() == text).then_some(cursor)
    }

    /// The place in this room's feed, if the cursor is of this opening.
    pub fn in_room(self, room: &RoomHandle) -> Option<Cursor> {
        (self.opening == room.opening() && self.position <= room.feed().head()).then_some(self.position)
    }

    /// The same as a header's value.
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).expect("digits and letters are visible ASCII")
    }
}

impl fmt::Display for ClientCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.opening, self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_does() {
        for cursor in [(0, 0), (u64::MAX, Cursor::MAX), (7, 12)] {
            let cursor = ClientCursor { opening: cursor.0, position: cursor.1 };
            assert_eq!(ClientCursor::parse(&cursor.to_string()), Some(cursor));
        }
        for text in ["", "-", "12", "7-3", "0000000000000007-+3", "000000000000000G-3", "0000000000000007-3 ", "ä-1"] {
            assert_eq!(ClientCursor::parse(text), None, "{text}");
        }
    }
}
