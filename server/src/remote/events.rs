//! Reads the lines of an event stream (HTML standard, section "Server-sent events"), as far as ours needs it.

use bytes::{Buf as _, BytesMut};

/// Bytes of the longest line: a message of the largest map in base64, and some.
const LINE_BYTES_MAX: usize = 192 << 20;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ServerEvent {
    /// Its type; empty for messages.
    pub event: String,
    /// Its data, lines joined by line feeds.
    pub data: String,
}

/// The line is longer than anybody would send, or is not UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine;

/// Makes events of bytes that come in pieces.
#[derive(Debug, Default)]
pub(super) struct Events {
    bytes: BytesMut,
    /// How many of the bytes have been looked at in vain.
    looked_at: usize,
    current: ServerEvent,
    has_data: bool,
}

impl Events {
    /// Takes in what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole event, if it has come. Comments and what is not known are stepped over.
    pub fn next(&mut self) -> Result<Option<ServerEvent>, BadLine> {
        loop {
            let Some(at) = self.bytes[self.looked_at..].iter().position(|byte| *byte == b'\n') else {
                self.looked_at = self.bytes.len();
                return if self.bytes.len() > LINE_BYTES_MAX { Err(BadLine) } else { Ok(None) };
            };
            let line = self.bytes.split_to(self.looked_at + at);
            self.bytes.advance(1);
            self.looked_at = 0;
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            let line = str::from_utf8(line).map_err(|_| BadLine)?;
            if line.is_empty() {
                let event = std::mem::take(&mut self.current);
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(event));
                }
            } else {
                self.take(line);
            }
        }
    }

    fn take(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.current.event),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.current.data.push('\n');
                }
                self.current.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_in_whatever_pieces_they_come() {
        let stream = b": hello\nretry: 1000\n\nid: 7\ndata: AAA=\n\nevent: close\r\ndata:{\"code\":\ndata: 4410}\r\n\r\nid: 8\n\ndata\n\ndata: x";
        let expected = [("", "AAA="), ("close", "{\"code\":\n4410}"), ("", "")];
        for size in 1..stream.len() {
            let (mut events, mut found) = (Events::default(), Vec::new());
            for piece in stream.chunks(size) {
                events.push(piece);
                while let Some(event) = events.next().unwrap() {
                    found.push(event);
                }
            }
            let found: Vec<(&str, &str)> = found.iter().map(|event| (&*event.event, &*event.data)).collect();
            assert_eq!(found, expected, "in pieces of {size}");
        }
        let mut events = Events::default();
        events.push(b"data: \xff\n");
        assert_eq!(events.next(), Err(BadLine));
    }
}
