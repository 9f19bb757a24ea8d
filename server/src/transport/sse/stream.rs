//! One stream of events: a session whose messages leave as lines of text.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt::Write as _,
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::HttpBody;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::json;
use synapti_protocol::close::CloseCode;
use tokio::time::{Instant, Sleep, sleep};

use crate::{
    limits::answers::Taker,
    room::Refusal,
    session::{Session, refused},
    telemetry::metrics::{self, PresentGuard},
    transport::{
        cursor::ClientCursor,
        gate::{Admitted, Gate},
        ws::{Expiry, RECONNECT_AFTER_MS},
    },
};

/// Bytes of messages that are turned into text at once, about.
const FLUSH_BYTES_MAX: usize = 64 << 10;

/// A comment is sent when nothing else was for this long: proxies cut what is silent, and only what is sent shows that
/// nobody is there any more.
const COMMENT_EVERY: Duration = Duration::from_secs(10);

/// The first line: when a browser comes back after the stream has broken.
const RETRY: &str = "retry: 1000\n\n";

/// The body of the response.
pub(super) struct EventStream {
    session: Session,
    /// Whether the client has the state that the feed goes on from, so that a cursor is of use to it.
    is_whole: bool,
    ready: VecDeque<Bytes>,
    comment: Pin<Box<Sleep>>,
    expiry: Expiry,
    departs: Option<Pin<Box<Sleep>>>,
    gate: Gate,
    /// Of what answers may hold, this has a part while a large one is on its way.
    taker: Arc<Taker>,
    is_over: bool,
    _place: Admitted,
    _present: PresentGuard,
}

impl EventStream {
    pub(super) fn new(session: Session, is_whole: bool, expiry: Expiry, gate: Gate, place: Admitted) -> Self {
        let taker = session.room().state_taker();
        Self {
            session,
            is_whole,
            ready: VecDeque::from([Bytes::from_static(RETRY.as_bytes())]),
            comment: Box::pin(sleep(COMMENT_EVERY)),
            expiry,
            departs: None,
            gate,
            taker,
            is_over: false,
            _place: place,
            _present: metrics::get().transports.sse_streams.begin(),
        }
    }

    /// Who takes what it says.
    pub(super) fn taker(&self) -> Arc<Taker> {
        self.taker.clone()
    }

    /// Goes on with the session until there is something to send.
    fn poll_text(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            if let Some(text) = self.ready.pop_front() {
                self.comment.as_mut().reset(Instant::now() + COMMENT_EVERY);
                self.taker.took(text.len());
                return Poll::Ready(text);
            }
            let again = self.poll_session(cx).and_then(|happened| Ok(self.gather()? | happened));
            match again {
                Err(refusal) => self.end(&refusal),
                Ok(true) => {}
                Ok(false) if self.comment.as_mut().poll(cx).is_ready() => {
                    self.ready.push_back(Bytes::from_static(b":\n\n"));
                }
                Ok(false) => return Poll::Pending,
            }
        }
    }

    fn poll_session(&mut self, cx: &mut Context<'_>) -> Result<bool, Refusal> {
        let happened = self.session.poll_room(cx)?;
        if self.session.take_look() {
            self.expiry.look();
        }
        // A stream whose client is gone ends by itself when the system finds that out.
        self.session.take_probe().into_iter().for_each(crate::room::slot::Probe::answer);
        if self.expiry.poll(cx) {
            return Err(Refusal::new(CloseCode::Unauthenticated, "token expired"));
        }
        if self.session.is_departing() {
            let Self { departs, session, gate, .. } = self;
            let departs = departs.get_or_insert_with(|| {
                session.announce_departure(rand::random_range(RECONNECT_AFTER_MS));
                Box::pin(sleep(gate.departs_within()))
            });
            if departs.as_mut().poll(cx).is_ready() {
                return Err(Refusal::new(CloseCode::Restarting, CloseCode::Restarting.reason()));
            }
        }
        Ok(happened)
    }

    /// Turns what the session has for its client into text; says whether it had anything to do.
    fn gather(&mut self) -> Result<bool, Refusal> {
        let mut messages = Vec::new();
        let has_done = self.session.outgoing(FLUSH_BYTES_MAX, |message| messages.push(message))?;
        self.session.flushed();
        self.taker.holds_of(self.session.sending());
        let Some(last) = messages.len().checked_sub(1) else { return Ok(has_done) };
        self.is_whole |= self.session.is_up_to_cursor();
        let mut text = String::with_capacity(messages.iter().map(|message| message.len() * 4 / 3 + 64).sum());
        for (at, message) in messages.iter().enumerate() {
            if at == last && self.is_whole && self.session.is_up_to_cursor() {
                let cursor = ClientCursor::of(self.session.room(), self.session.cursor());
                // Writing to text does not fail.
                let _ = writeln!(text, "id: {cursor}");
            }
            text.push_str("data: ");
            BASE64_STANDARD.encode_string(message, &mut text);
            text.push_str("\n\n");
        }
        self.ready.push_back(text.into());
        Ok(true)
    }

    /// The last word, as an event of its own: a stream cannot say it otherwise.
    fn end(&mut self, refusal: &Refusal) {
        let code = refusal.code.code();
        metrics::get().closes(code).increment(1);
        if self.session.is_extended() {
            let last_word = BASE64_STANDARD.encode(refused(code, &refusal.reason));
            self.ready.push_back(format!("data: {last_word}\n\n").into());
        }
        let why = json!({ "code": code, "reason": refusal.reason });
        self.ready.push_back(format!("event: close\ndata: {why}\n\n").into());
        self.is_over = true;
    }
}

impl HttpBody for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_over {
            return Poll::Ready(self.ready.pop_front().map(|text| Ok(Frame::data(text))));
        }
        self.poll_text(cx).map(|text| Some(Ok(Frame::data(text))))
    }
}
