//! One socket: reads, writes, and stays alive, in one task.

use std::{
    future::{Future as _, poll_fn},
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use synapti_protocol::{
    close::{CloseCode, fit_reason},
    message::EMPTY_AWARENESS,
};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_tungstenite::tungstenite::{
    self, Message,
    error::ProtocolError,
    protocol::{CloseFrame, frame::coding::CloseCode as WireCode},
};

use super::{expiry::Expiry, wire::Wire};
use crate::{
    room::{Refusal, slot::Probe},
    session::Session,
    telemetry::metrics,
    transport::gate::Gate,
};

/// Bytes of frames in one flush, about: what a client that stops reading holds on to.
const FLUSH_BYTES_MAX: usize = 64 << 10;

/// A client that has said nothing for this long is pinged, at every look.
const PING_AFTER: Duration = Duration::from_secs(10);

/// A client that was sent no message for this long is sent an empty one, at most a look later: y-websocket gives up
/// after 30 s, and does not see pings.
const MESSAGE_AFTER: Duration = Duration::from_secs(10);

/// A client that has not answered three pings is gone.
const SILENT_AFTER: Duration = Duration::from_secs(45);

/// A client that has taken in nothing of what was written for this long reads nothing at all.
const TAKEN_WITHIN: Duration = Duration::from_secs(90);

/// An answer that a client takes more slowly than [`ANSWER_BYTES_PER_SECOND`] is not kept for it for longer than this: the
/// rest is made anew when it has taken what was sent.
const SHED_AFTER: Duration = Duration::from_secs(10);

/// What a client takes of a large answer that is kept for it.
const ANSWER_BYTES_PER_SECOND: u64 = 32 << 10;

/// How long a client has to answer a close frame.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// When clients of a node that goes should come back: somewhere else at once, but not all in the same moment.
pub(in crate::transport) const RECONNECT_AFTER_MS: std::ops::Range<u64> = 200..1_500;

/// Protocol error, of RFC 6455.
const PROTOCOL_ERROR: u16 = 1002;

/// Text that is not UTF-8, of RFC 6455.
const INVALID_PAYLOAD: u16 = 1007;

/// How a connection ends.
pub(super) enum Goodbye {
    /// The client has closed it, or is gone.
    Gone,
    /// With a close frame. A read that failed must not be repeated.
    Close { code: u16, reason: String, may_read: bool },
}

impl From<Refusal> for Goodbye {
    fn from(refusal: Refusal) -> Self {
        Self::Close { code: refusal.code.code(), reason: refusal.reason, may_read: true }
    }
}

/// One client's WebSocket and its place in a room.
pub(super) struct Socket {
    pub(super) wire: Wire,
    pub(super) session: Session,
    gate: Gate,
    /// When the client was last known to be alive.
    heard: Instant,
    /// When the network last took something, or had nothing to take.
    taken: Instant,
    /// When the client was last sent a message.
    messaged: Instant,
    seen_read: u64,
    seen_written: u64,
    /// Since when there is more of an answer than is on its way, and how many bytes had been written then.
    answer_from: Option<(Instant, u64)>,
    /// Somebody waits to hear whether the client is alive.
    probe: Option<Probe>,
    /// When the client's token ends.
    expiry: Expiry,
    /// Ends when it is this session's turn to go because the node goes.
    departs: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(wire: Wire, session: Session, expiry: Expiry, gate: Gate) -> Self {
        let now = Instant::now();
        Self {
            heard: now,
            taken: now,
            messaged: now,
            seen_read: 0,
            seen_written: 0,
            answer_from: None,
            probe: None,
            expiry,
            departs: None,
            wire,
            session,
            gate,
        }
    }

    /// Carries messages until one side has had enough.
    pub(super) async fn run(&mut self) -> Goodbye {
        poll_fn(|cx| match self.poll(cx) {
            ControlFlow::Continue(()) => Poll::Pending,
            ControlFlow::Break(goodbye) => Poll::Ready(goodbye),
        })
        .await
    }

    /// Does everything that can be done now. What cannot has noted whom to wake.
    fn poll(&mut self, cx: &mut Context<'_>) -> ControlFlow<Goodbye> {
        loop {
            self.poll_room(cx)?;
            let mut again = self.poll_read(cx)?;
            again |= self.send(cx)?;
            if !again {
                return ControlFlow::Continue(());
            }
        }
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> ControlFlow<Goodbye> {
        if let Err(refusal) = self.session.poll_room(cx) {
            return ControlFlow::Break(refusal.into());
        }
        if self.session.take_look() {
            self.expiry.look();
            self.look_after()?;
        }
        if self.expiry.poll(cx) {
            return ControlFlow::Break(Refusal::new(CloseCode::Unauthenticated, "token expired").into());
        }
        if let Some(probe) = self.session.take_probe() {
            self.show_life(probe)?;
        }
        if self.session.is_departing() {
            let Self { departs, session, gate, .. } = self;
            let departs = departs.get_or_insert_with(|| {
                session.announce_departure(rand::random_range(RECONNECT_AFTER_MS));
                Box::pin(sleep(gate.departs_within()))
            });
            if departs.as_mut().poll(cx).is_ready() {
                let code = CloseCode::Restarting;
                return ControlFlow::Break(Refusal::new(code, code.reason()).into());
            }
        }
        ControlFlow::Continue(())
    }

    fn may_read(&self) -> bool {
        self.session.may_read() && self.wire.may_read()
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> ControlFlow<Goodbye, bool> {
        if !self.may_read() {
            return ControlFlow::Continue(false);
        }
        match self.wire.poll_read(cx) {
            Poll::Pending => ControlFlow::Continue(false),
            Poll::Ready(None) => ControlFlow::Break(Goodbye::Gone),
            Poll::Ready(Some(Err(error))) => ControlFlow::Break(reading_failed(&error)),
            Poll::Ready(Some(Ok(message))) => self.received(message).map_continue(|()| true),
        }
    }

    fn received(&mut self, message: Message) -> ControlFlow<Goodbye> {
        self.heard = Instant::now();
        self.probe.take().into_iter().for_each(Probe::answer);
        match message {
            Message::Binary(frame) => match self.session.receive(&frame) {
                Ok(()) => ControlFlow::Continue(()),
                Err(refusal) => ControlFlow::Break(refusal.into()),
            },
            Message::Text(_) => {
                let reason = "text message: this protocol is binary";
                ControlFlow::Break(Refusal::new(CloseCode::Malformed, reason).into())
            }
            Message::Close(_) => ControlFlow::Break(Goodbye::Gone),
            // The library answers pings; the answer goes out with the next flush.
            Message::Ping(payload) | Message::Pong(payload) => match self.session.receive_control(payload.len()) {
                Ok(()) => ControlFlow::Continue(()),
                Err(refusal) => ControlFlow::Break(refusal.into()),
            },
            Message::Frame(_) => ControlFlow::Continue(()),
        }
    }

    /// Finds out whether the client is alive. One that we keep waiting cannot show it.
    fn show_life(&mut self, probe: Probe) -> ControlFlow<Goodbye> {
        if !self.may_read() && self.wire.is_flushed() {
            probe.answer();
            return ControlFlow::Continue(());
        }
        // One that was asked already has a ping to answer.
        let is_asked = self.probe.replace(probe).is_some();
        if !is_asked && self.wire.ping().is_err() {
            ControlFlow::Break(Goodbye::Gone)
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Hands messages to the network as long as it takes them; says whether there is something else to do since.
    fn send(&mut self, cx: &mut Context<'_>) -> ControlFlow<Goodbye, bool> {
        let could_read = self.may_read();
        loop {
            if self.wire.is_flushed() {
                let Self { wire, session, .. } = self;
                match session.outgoing(FLUSH_BYTES_MAX, |message| wire.push(message)) {
                    Ok(true) => {}
                    Ok(false) => return ControlFlow::Continue(!could_read && self.may_read()),
                    Err(refusal) => return ControlFlow::Break(refusal.into()),
                }
                if self.wire.is_flushed() {
                    // It has begun something, which has to be looked at.
                    return ControlFlow::Continue(true);
                }
                self.messaged = Instant::now();
            }
            match self.wire.poll_flush(cx) {
                Poll::Pending => return ControlFlow::Continue(false),
                Poll::Ready(Err(_)) => return ControlFlow::Break(Goodbye::Gone),
                Poll::Ready(Ok(())) => self.session.flushed(),
            }
        }
    }

    /// Lets go of an answer that the client takes too slowly, or not at all.
    fn shed_if_slow(&mut self, now: Instant, written: u64) {
        if !self.session.is_answering() {
            self.answer_from = None;
            return;
        }
        let (since, from) = *self.answer_from.get_or_insert((now, written));
        let took = now - since;
        if took >= SHED_AFTER && written - from < ANSWER_BYTES_PER_SECOND * took.as_secs() {
            self.session.shed();
            self.answer_from = None;
        }
    }

    /// Keeps the connection alive, and notices that it is dead. A client that is slow is not: it takes or sends at
    /// least something, or we are the ones who keep it waiting.
    fn look_after(&mut self) -> ControlFlow<Goodbye> {
        let now = Instant::now();
        let flushing = !self.wire.is_flushed();
        let (read, written) = self.wire.passed();
        if read != self.seen_read || flushing || !self.session.may_read() || self.wire.is_waiting() {
            self.heard = now;
        }
        if written != self.seen_written || !flushing {
            self.taken = now;
        }
        (self.seen_read, self.seen_written) = (read, written);
        if now - self.taken >= TAKEN_WITHIN || now - self.heard >= SILENT_AFTER {
            metrics::get().end(if now - self.taken >= TAKEN_WITHIN {
                metrics::End::NotReading
            } else {
                metrics::End::Silent
            });
            return ControlFlow::Break(Goodbye::Gone);
        }
        if self.wire.is_crawling() {
            metrics::get().end(metrics::End::Crawling);
            let reason = "a large message came too slowly, while others waited to send theirs";
            return ControlFlow::Break(Refusal::new(CloseCode::RateLimited, reason).into());
        }
        self.shed_if_slow(now, written);
        if flushing {
            return ControlFlow::Continue(());
        }
        if now - self.messaged >= MESSAGE_AFTER {
            self.messaged = now;
            self.wire.push(Bytes::from_static(EMPTY_AWARENESS));
        }
        if now - self.heard >= PING_AFTER && self.wire.ping().is_err() {
            return ControlFlow::Break(Goodbye::Gone);
        }
        ControlFlow::Continue(())
    }
}

/// Ends a connection: says why, after `last_word` if there is one, and reads on until the client has understood, so that a reset does not swallow the
/// reason.
pub(super) async fn close(mut wire: Wire, goodbye: Goodbye, last_word: Option<Bytes>) {
    match goodbye {
        Goodbye::Gone => {
            wire.settle();
            let _ = timeout(CLOSED_WITHIN, poll_fn(|cx| wire.poll_flush(cx))).await;
        }
        Goodbye::Close { code, reason, may_read } => {
            metrics::get().closes(code).increment(1);
            tracing::debug!(code, %reason, "closing a connection");
            // Not to a client that still has to take something else: it may never do so.
            if let Some(last_word) = last_word.filter(|_| wire.is_flushed()) {
                wire.push(last_word);
            }
            let frame = CloseFrame { code: WireCode::from(code), reason: fit_reason(&reason).into() };
            let said = wire.close(frame).is_ok()
                && timeout(CLOSED_WITHIN, poll_fn(|cx| wire.poll_flush(cx))).await.is_ok_and(|flushed| flushed.is_ok());
            if said && may_read {
                let _ =
                    timeout(CLOSED_WITHIN, async { while let Some(Ok(_)) = poll_fn(|cx| wire.poll_read(cx)).await {} })
                        .await;
            }
        }
    }
}

/// What a failed read means for the client.
fn reading_failed(error: &tungstenite::Error) -> Goodbye {
    let code = match error {
        tungstenite::Error::Capacity(_) => CloseCode::TooLarge.code(),
        tungstenite::Error::Utf8(_) => INVALID_PAYLOAD,
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return Goodbye::Gone,
        tungstenite::Error::Protocol(_) => PROTOCOL_ERROR,
        _ => return Goodbye::Gone,
    };
    Goodbye::Close { code, reason: error.to_string(), may_read: false }
}
