//! A stream of events, as far as a viewer needs it.

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    client::{answered, unreachable},
    wire::{Address, Ended},
};

/// Bytes of one event at most.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// An open stream.
pub struct Events {
    body: Incoming,
    text: Text,
    // Drives the connection until this is dropped.
    _driving: JoinSet<()>,
}

/// What has come of the stream and is not a whole event yet.
#[derive(Default)]
struct Text(Vec<u8>);

impl Events {
    /// Begins to watch a room; the whole state comes first.
    pub async fn open(address: &Address, room: &str) -> anyhow::Result<Self> {
        let target = format!("{}/sse", address.graph_path(room)?);
        let stream = address.connect().await.map_err(|error| unreachable(address.url(), &error))?;
        stream.set_nodelay(true)?;
        let request = Request::get(target).header(header::HOST, address.authority()).body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut driving = JoinSet::new();
        driving.spawn_local(async move {
            // What goes wrong with it is seen at the body.
            let _ = connection.await;
        });
        let sending = async { Ok(sender.send_request(request).await?) };
        let response = answered("a stream of events", sending).await?;
        ensure!(
            response.status().is_success(),
            "the server answers {} instead of a stream of events",
            response.status()
        );
        Ok(Self { body: response.into_body(), text: Text::default(), _driving: driving })
    }

    /// The next messages, and when they came. Cancel-safe.
    pub async fn next(&mut self) -> anyhow::Result<(Vec<Vec<u8>>, Instant)> {
        loop {
            let frame = self.body.frame().await.ok_or(Ended)?.context("the stream of events broke")?;
            let now = Instant::now();
            if let Some(data) = frame.data_ref() {
                return Ok((self.text.feed(data)?, now));
            }
        }
    }
}

impl Text {
    /// The messages that this makes whole.
    fn feed(&mut self, data: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
        let Self(text) = self;
        text.extend_from_slice(data);
        ensure!(text.len() <= EVENT_BYTES_MAX, "an event of the server does not end");
        let mut messages = Vec::new();
        while let Some(end) = memmem::find(text, b"\n\n") {
            messages.extend(message(&text[..end])?);
            text.drain(..end + 2);
        }
        Ok(messages)
    }
}

/// The message in an event, if it has one.
fn message(event: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
    let event = std::str::from_utf8(event).context("an event of the server is no text")?;
    let field = |name| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
    let data = field("data:");
    if field("event:") == Some("close") {
        bail!("the server ended the stream of events: {}", data.unwrap_or_default());
    }
    data.map(|data| BASE64_STANDARD.decode(data).context("the data of an event is no base64")).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_the_stream_is_cut() {
        let stream = b"retry: 1000\n\ndata: AAEC\n\n:\n\nid: 1-2\ndata: Aw==\n\n";
        for cut in [1, 2, 5, 100] {
            let mut text = Text::default();
            let messages: Vec<_> = stream.chunks(cut).flat_map(|part| text.feed(part).unwrap()).collect();
            assert_eq!(messages, [vec![0, 1, 2], vec![3]], "in parts of {cut} bytes");
        }
    }

    #[test]
    fn the_last_word_is_an_error_that_repeats_it() {
        let error = Text::default().feed(b"event: close\ndata: {\"code\":4410}\n\n").unwrap_err().to_string();
        assert!(error.contains("4410"), "{error}");
        assert!(Text::default().feed(b"data: !\n\n").is_err());
    }
}
