//! A map over Server-Sent Events; edits go out as requests.

use std::time::Duration;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    gone::{Gone, Why},
    http::{Ask, HttpError, Streaming},
    post::Post,
    wire::{Ends, Heard, Opening},
};
use crate::event_stream::{Events, ServerEvent};

/// A server of ours sends a comment every ten seconds; after so many of these the connection counts as dead.
const SILENT_MAX: Duration = Duration::from_secs(45);

/// Bytes of an answer that is no stream.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Bytes of the longest event: a message of the largest map in base64, and some.
const EVENT_BYTES_MAX: usize = 192 << 20;

/// Listens until the end.
pub(super) async fn run(opening: &Opening, ends: Ends) -> Result<(), Gone> {
    let Ends { news, outbox } = ends;
    let mut post = Post::new(opening, news.clone(), outbox);
    tokio::select! {
        listened = listen(opening, &news) => listened,
        posted = post.run() => posted,
    }
}

async fn listen(opening: &Opening, news: &mpsc::Sender<Heard>) -> Result<(), Gone> {
    // A proxy that gathers the stream would let nothing through for ever.
    let mut deadline = Instant::now() + opening.patience;
    let sv = URL_SAFE_NO_PAD.encode(&opening.state_vector);
    let mut ask = Ask::get(format!("{}?sv={sv}&ext=1", opening.path("sse")), opening.patience, BODY_BYTES_MAX);
    ask.headers.push((header::ACCEPT, HeaderValue::from_static("text/event-stream")));
    let opened = opening.http().stream(ask).await;
    let mut stream = opened.map_err(|error| match error {
        HttpError::TooSlow { .. } => nothing_came(),
        other => other.into(),
    })?;
    check(&stream)?;
    let (mut events, mut has_begun) = (Events::new(EVENT_BYTES_MAX), false);
    loop {
        let chunk = timeout_at(deadline, stream.chunk()).await;
        let chunk = chunk.map_err(|_| {
            if has_begun { Gone::new(Why::Broken, "the server has gone silent") } else { nothing_came() }
        })?;
        let Some(chunk) = chunk? else { return Err(Gone::new(Why::Broken, "the stream has ended")) };
        events.push(&chunk);
        while let Some(event) = events.next_event().map_err(|_| nonsense())? {
            has_begun = true;
            if news.send(heard(&event)?).await.is_err() {
                return Ok(());
            }
        }
        if has_begun {
            deadline = Instant::now() + SILENT_MAX;
        }
    }
}

fn check(stream: &Streaming) -> Result<(), Gone> {
    let content_type = stream.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|name| name.starts_with("text/event-stream")) {
        return Ok(());
    }
    Err(Gone::new(Why::Unusable, "the server answers no event stream (text/event-stream)"))
}

fn heard(event: &ServerEvent) -> Result<Heard, Gone> {
    match event.event.as_str() {
        "" | "message" => {
            let message = STANDARD.decode(&event.data).map_err(|_| nonsense())?;
            Ok(Heard::Message(Bytes::from(message)))
        }
        "close" => {
            let close: serde_json::Value = serde_json::from_str(&event.data).map_err(|_| nonsense())?;
            let code = close["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or_default();
            Err(Gone::closed(code, close["reason"].as_str().unwrap_or_default()))
        }
        // An empty awareness message changes nothing: what a later server adds is stepped over.
        _ => Ok(Heard::Message(Bytes::from_static(synapti_protocol::message::EMPTY_AWARENESS))),
    }
}

fn nothing_came() -> Gone {
    Gone::new(Why::Unusable, "the event stream brings nothing (a proxy may gather it)")
}

fn nonsense() -> Gone {
    Gone::new(Why::Unusable, "the server sent what is no event of its protocol")
}
