//! HTTP/1.1 as far as a client needs it that polls: requests with a body, one after the other, on one connection.

use anyhow::{Context as _, bail, ensure};
use memchr::memmem;
use synapti_protocol::bundle;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::Instant};

use crate::{
    client::unreachable,
    wire::{Address, Ended},
};

/// Bytes of one answer at most, its head included: far more than any map of a measurement has.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What is set aside to read into.
const READ_BYTES: usize = 2 << 10;

/// How a head ends.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A connection on which requests go out and answers come in.
pub struct Line {
    stream: TcpStream,
    host: String,
    received: Vec<u8>,
}

/// An answer, read to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Synapti-Cursor`.
    pub cursor: Option<String>,
    /// `Synapti-Durable`.
    pub durable: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

impl Line {
    /// Connects to a server.
    pub async fn open(address: &Address) -> anyhow::Result<Self> {
        let stream = address.connect().await.map_err(|error| unreachable(address.url(), &error))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: address.authority().to_owned(), received: Vec::new() })
    }

    /// Sends a request.
    pub async fn post(&mut self, target: &str, body: &[u8]) -> anyhow::Result<()> {
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        // In one packet, as clients do.
        let request = [head.as_bytes(), body].concat();
        self.stream.write_all(&request).await.context("the connection broke while sending")
    }

    /// The next answer, and when its last byte came. Cancel-safe.
    pub async fn answer(&mut self) -> anyhow::Result<(Answer, Instant)> {
        loop {
            self.stream.readable().await?;
            self.received.reserve(READ_BYTES);
            match self.stream.try_read_buf(&mut self.received) {
                Ok(0) => return Err(Ended.into()),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error).context("the connection broke"),
            }
            let now = Instant::now();
            ensure!(self.received.len() <= ANSWER_BYTES_MAX, "the server's answer does not end");
            if let Some((answer, bytes)) = parse(&self.received)? {
                self.received.drain(..bytes);
                return Ok((answer, now));
            }
        }
    }
}

impl Answer {
    /// The messages in the body.
    pub fn messages(&self) -> anyhow::Result<Vec<&[u8]>> {
        let messages: Result<_, _> = bundle::messages(&self.body).collect();
        messages.context("the server's answer is no sequence of messages")
    }
}

/// An answer and the bytes that it takes; `None` while it is not whole.
fn parse(received: &[u8]) -> anyhow::Result<Option<(Answer, usize)>> {
    let Some(end) = memmem::find(received, HEAD_END) else { return Ok(None) };
    let head = std::str::from_utf8(&received[..end]).context("the server answers with something that is not HTTP")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status = status.context("the server answers with something that is not HTTP")?;
    let (mut length, mut cursor, mut durable) = (0, None, None);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().context("the answer's length is no number")?,
            "transfer-encoding" => bail!("the server answers a poll in parts, without saying how long it is"),
            "synapti-cursor" => cursor = Some(value.to_owned()),
            "synapti-durable" => durable = Some(value.parse().context("Synapti-Durable is no number")?),
            _ => {}
        }
    }
    let begin = end + HEAD_END.len();
    let whole: usize = begin.saturating_add(length);
    let Some(body) = received.get(begin..whole) else { return Ok(None) };
    Ok(Some((Answer { status, cursor, durable, body: body.to_owned() }, whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_not_before() {
        let bytes = b"HTTP/1.1 200 OK\r\nSynapti-Cursor: a-1\r\ncontent-length: 3\r\nsynapti-durable: 2\r\n\r\n\x02\x01\x00HTTP";
        let whole = bytes.len() - b"HTTP".len();
        for cut in 0..whole {
            assert_eq!(parse(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        let (answer, taken) = parse(bytes).unwrap().unwrap();
        assert_eq!(taken, whole);
        assert_eq!((answer.status, answer.cursor.as_deref(), answer.durable), (200, Some("a-1"), Some(2)));
        assert_eq!(answer.messages().unwrap(), [[1, 0]]);
    }

    #[test]
    fn an_answer_without_a_body_ends_with_its_head() {
        let (answer, taken) = parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((answer.status, taken, answer.body.len()), (204, 27, 0));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for wrong in ["220 mail\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]
        {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
