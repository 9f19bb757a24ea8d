//! Reads the lines of an event stream (HTML standard, section "Server-sent events"), as far as its readers here need it.

use bytes::{Buf as _, BytesMut};

/// A stream may begin with it; it means nothing.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its type; empty for messages.
    pub event: String,
    /// Its data, lines joined by line feeds.
    pub data: String,
}

/// What came is no event stream that anybody here would send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadStream {
    /// A line, or the lines of one event together, are longer than they may be.
    TooLong,
    /// A line is not UTF-8.
    NotText,
}

/// Makes events of bytes that come in pieces.
#[derive(Debug)]
pub struct Events {
    /// The longest line, and the longest data of one event.
    event_bytes_max: usize,
    bytes: BytesMut,
    /// How many of the bytes have been looked at in vain.
    looked_at: usize,
    /// The last line ended with a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    has_begun: bool,
    current: ServerEvent,
    has_data: bool,
}

impl Events {
    /// One that holds no more than so many bytes of a line, and of one event's data.
    pub fn new(event_bytes_max: usize) -> Self {
        Self {
            event_bytes_max,
            bytes: BytesMut::new(),
            looked_at: 0,
            after_return: false,
            has_begun: false,
            current: ServerEvent::default(),
            has_data: false,
        }
    }

    /// Takes in what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole event, if it has come. Comments and what is not known are stepped over.
    ///
    /// # Errors
    /// [`BadStream`]; nothing more can be read then.
    pub fn next_event(&mut self) -> Result<Option<ServerEvent>, BadStream> {
        while let Some(line) = self.line()? {
            let line = str::from_utf8(&line).map_err(|_| BadStream::NotText)?;
            if line.is_empty() {
                let event = std::mem::take(&mut self.current);
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(event));
                }
            } else {
                self.take(line)?;
            }
        }
        Ok(None)
    }

    /// The next line without its end, which is a line feed, a carriage return, or both.
    fn line(&mut self) -> Result<Option<BytesMut>, BadStream> {
        if self.after_return && !self.bytes.is_empty() {
            self.after_return = false;
            if self.bytes[0] == b'\n' {
                self.bytes.advance(1);
            }
        }
        let end = self.bytes[self.looked_at..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let length = self.looked_at + end.unwrap_or(self.bytes.len() - self.looked_at);
        if length > self.event_bytes_max {
            return Err(BadStream::TooLong);
        }
        if end.is_none() {
            self.looked_at = length;
            return Ok(None);
        }
        let mut line = self.bytes.split_to(length);
        self.after_return = self.bytes.get_u8() == b'\r';
        self.looked_at = 0;
        if !std::mem::replace(&mut self.has_begun, true) && line.starts_with(BYTE_ORDER_MARK) {
            line.advance(BYTE_ORDER_MARK.len());
        }
        Ok(Some(line))
    }

    fn take(&mut self, line: &str) -> Result<(), BadStream> {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.current.event),
            "data" => {
                if self.current.data.len() + value.len() > self.event_bytes_max {
                    return Err(BadStream::TooLong);
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.current.data.push('\n');
                }
                self.current.data.push_str(value);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &[u8], size: usize) -> Result<Vec<(String, String)>, BadStream> {
        let (mut events, mut found) = (Events::new(64), Vec::new());
        for piece in stream.chunks(size) {
            events.push(piece);
            while let Some(event) = events.next_event()? {
                found.push((event.event, event.data));
            }
        }
        Ok(found)
    }

    #[test]
    fn events_are_the_same_in_whatever_pieces_they_come() {
        let stream = "\u{feff}: hello\nretry: 1000\n\nid: 7\ndata: AAA=\n\nevent: close\r\ndata:{\"code\":\ndata: 4410}\r\n\r\nid: 8\n\ndata\n\ndata: ü\r\rdata:  y\n\ndata: x";
        let expected = [("", "AAA="), ("close", "{\"code\":\n4410}"), ("", ""), ("", "ü"), ("", " y")]
            .map(|(event, data)| (event.to_owned(), data.to_owned()));
        for size in 1..=stream.len() {
            assert_eq!(read(stream.as_bytes(), size).unwrap(), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_nobody_would_send_is_refused() {
        let long = "x".repeat(65);
        for size in [1, 7, 1000] {
            assert_eq!(read(b"data: \xff\n", size), Err(BadStream::NotText));
            assert_eq!(read(long.as_bytes(), size), Err(BadStream::TooLong), "a line without end");
            assert_eq!(read(format!("{long}\n").as_bytes(), size), Err(BadStream::TooLong));
            assert_eq!(
                read("data: 0123456789\n".repeat(7).as_bytes(), size),
                Err(BadStream::TooLong),
                "lines without end"
            );
        }
    }
}
