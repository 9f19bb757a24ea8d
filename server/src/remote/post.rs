//! Edits as requests, for the transports that only listen.
//!
//! What has gathered goes out as one request; what the server does not call durable goes out again, because only the answer
//! about an edit that was sent says that it is on disk.

use std::time::Duration;

use bytes::Bytes;
use synapti_protocol::{
    lib0::{Reader, write_var_bytes},
    message::{self, Message, SyncMessage},
};
use tokio::{sync::mpsc, time::sleep};

use super::{
    gone::Gone,
    http::{Answer, Ask, Http, HttpError},
    wire::{Heard, Opening},
};

/// Header: what a client has that got this answer.
const CURSOR: &str = "synapti-cursor";

/// Header: how many edits of the request are durable.
const DURABLE: &str = "synapti-durable";

/// The server answers after ten seconds at the latest; the rest is the way.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Before edits go out again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Bytes of edits in one request, unless a single one is larger.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What a value in a query cannot hold.
const IN_QUERY: &percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC;

/// Sends edits, and hears what became of them.
pub(super) struct Post<'a> {
    opening: &'a Opening,
    http: Http,
    news: mpsc::Sender<Heard>,
    outbox: mpsc::Receiver<Bytes>,
    /// Edits that are not durable yet, oldest first.
    waiting: Vec<Bytes>,
    /// How many edits are durable.
    durable: u64,
    /// What the last answer brought the client up to.
    cursor: Option<String>,
    /// Whether the server's question has been handed to the client, whose answer will be among the edits.
    is_asked: bool,
}

impl<'a> Post<'a> {
    pub fn new(opening: &'a Opening, news: mpsc::Sender<Heard>, outbox: mpsc::Receiver<Bytes>) -> Self {
        let http = opening.http();
        Self { opening, http, news, outbox, waiting: Vec::new(), durable: 0, cursor: None, is_asked: false }
    }

    /// Sends what comes until the client has gone.
    pub async fn run(&mut self) -> Result<(), Gone> {
        loop {
            if self.waiting.is_empty() {
                let Some(edit) = self.outbox.recv().await else { return Ok(()) };
                self.waiting.push(edit);
            }
            self.gather();
            let sent = self.waiting.len();
            let ask = sync(self.opening, 0, self.cursor.as_deref(), self.body(), ANSWERED_WITHIN);
            let again_after = match self.http.ask(ask).await {
                Ok(answer) => self.hear(&answer, sent).await?,
                Err(HttpError::Refused(refusal)) if !refusal.is_terminal() => {
                    self.tell(Heard::Delayed(refusal.to_string())).await;
                    Some(refusal.retry_after.unwrap_or(AGAIN_AFTER))
                }
                Err(error) => return Err(error.into()),
            };
            if let Some(wait) = again_after {
                sleep(wait).await;
            }
        }
    }

    /// Takes what waits and fits into the request.
    fn gather(&mut self) {
        let mut bytes: usize = self.waiting.iter().map(Bytes::len).sum();
        while bytes < BODY_BYTES_MAX {
            let Ok(edit) = self.outbox.try_recv() else { break };
            bytes += edit.len();
            self.waiting.push(edit);
        }
    }

    /// The edits, after what the client had when it came: without a good cursor, the answer need not say more than what came since.
    fn body(&self) -> Vec<u8> {
        let known = message::encode_step1(&self.opening.state_vector);
        frame(std::iter::once(known.as_slice()).chain(self.waiting.iter().map(AsRef::as_ref)))
    }

    /// Takes an answer in; how long to wait before the rest is sent again.
    async fn hear(&mut self, answer: &Answer, sent: usize) -> Result<Option<Duration>, Gone> {
        let durable = answer.header(DURABLE).and_then(|count| count.parse::<usize>().ok()).unwrap_or_default();
        let durable = durable.min(sent);
        self.cursor = cursor_of(answer);
        let is_all = durable == sent;
        self.is_asked &= !is_all;
        for message in messages(&answer.body)? {
            let is_question = matches!(message::parse(&message), Ok(Message::Sync(SyncMessage::Step1(_))));
            // Only who lacks something has a reason to ask, and one answer to that is enough.
            if !is_question || (!is_all && !std::mem::replace(&mut self.is_asked, true)) {
                self.tell(Heard::Message(message)).await;
            }
        }
        self.waiting.drain(..durable);
        self.durable += durable as u64;
        self.tell(Heard::Durable(self.durable)).await;
        if is_all {
            return Ok(None);
        }
        self.tell(Heard::Delayed("the server has not saved it yet".into())).await;
        Ok(Some(AGAIN_AFTER))
    }

    async fn tell(&self, heard: Heard) {
        // The client has gone; the queue of edits ends as well.
        let _ = self.news.send(heard).await;
    }
}

/// A request to the map's `sync`.
pub(super) fn sync(opening: &Opening, wait: u64, cursor: Option<&str>, body: Vec<u8>, within: Duration) -> Ask {
    let mut path = format!("{}?wait={wait}", opening.path("sync"));
    if let Some(cursor) = cursor {
        path.push_str("&cursor=");
        path.extend(percent_encoding::utf8_percent_encode(cursor, IN_QUERY));
    }
    let mut ask = Ask::post(path, "application/octet-stream", body, within);
    ask.body_bytes_max = ANSWER_BYTES_MAX;
    ask
}

/// What the client has that got this answer.
pub(super) fn cursor_of(answer: &Answer) -> Option<String> {
    answer.header(CURSOR).map(str::to_owned)
}

/// The largest map that a server keeps, and some.
const ANSWER_BYTES_MAX: usize = 128 << 20;

/// Messages as the body of a request.
pub(super) fn frame<'m>(messages: impl IntoIterator<Item = &'m [u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for message in messages {
        write_var_bytes(&mut body, message);
    }
    body
}

/// The messages in the body of an answer.
pub(super) fn messages(body: &Bytes) -> Result<Vec<Bytes>, Gone> {
    let (mut reader, mut messages) = (Reader::new(body), Vec::new());
    while !reader.is_empty() {
        let message = reader.var_bytes().map_err(|error| Gone::nonsense(&error))?;
        messages.push(body.slice_ref(message));
    }
    Ok(messages)
}
