//! One socket: reads, writes, and stays alive, in one task.

use std::{future::poll_fn, ops::ControlFlow, pin::Pin, sync::Arc, task::Poll, time::Duration};

use axum::{
    Error,
    extract::ws::{CloseFrame, Message, WebSocket},
};
use bytes::Bytes;
use futures_util::{Sink as _, SinkExt as _, StreamExt as _};
use synapti_protocol::{
    close::{CloseCode, fit_reason},
    message::EMPTY_AWARENESS,
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite;

use crate::{
    room::Refusal,
    session::Session,
    telemetry::metrics,
    transport::{conn::Traffic, gate::Gate},
};

/// Bytes of frames in one flush, about. The library keeps a buffer of that size for each socket, for ever.
const FLUSH_BYTES_MAX: usize = 64 << 10;

/// How often a socket is looked after.
const LOOK_AFTER_EVERY: Duration = Duration::from_secs(10);

/// A client that was sent no message for this long is sent an empty one, at most a look later: y-websocket gives up
/// after 30 s, and does not see pings.
const MESSAGE_AFTER: Duration = Duration::from_secs(10);

/// A client that has not answered three pings is gone.
const SILENT_AFTER: Duration = Duration::from_secs(45);

/// A client that has taken in nothing of what was written for this long reads nothing at all.
const TAKEN_WITHIN: Duration = Duration::from_secs(90);

/// How long a client has to answer a close frame.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

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

/// What happened on a socket.
enum Event {
    Received(Option<Result<Message, Error>>),
    Flushed(Result<(), Error>),
}

/// One client's WebSocket.
pub(super) struct Socket {
    ws: WebSocket,
    /// Whether bytes wait to be taken by the network.
    flushing: bool,
    /// When the client was last known to be alive.
    heard: Instant,
    /// When the network last took something, or had nothing to take.
    taken: Instant,
    /// When the client was last sent a message.
    messaged: Instant,
    traffic: Arc<Traffic>,
    seen_read: u64,
    seen_written: u64,
}

impl Socket {
    pub(super) fn new(ws: WebSocket, traffic: Arc<Traffic>) -> Self {
        let now = Instant::now();
        let (flushing, seen_read, seen_written) = (false, 0, 0);
        Self { ws, flushing, heard: now, taken: now, messaged: now, traffic, seen_read, seen_written }
    }

    /// Carries messages until one side has had enough.
    pub(super) async fn run(&mut self, session: &mut Session, gate: &Gate) -> Goodbye {
        let departure = gate.departure();
        tokio::pin!(departure);
        let mut look_after = interval_at(Instant::now() + LOOK_AFTER_EVERY, LOOK_AFTER_EVERY);
        look_after.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if !self.flushing
                && let ControlFlow::Break(goodbye) = self.send_next(session)
            {
                return goodbye;
            }
            let may_send = !self.flushing;
            let step = tokio::select! {
                event = self.next_event(session.may_read()) => self.handle(event, session),
                waited = session.wait(may_send) => waited.map_or_else(|refusal| ControlFlow::Break(refusal.into()), ControlFlow::Continue),
                _ = look_after.tick() => self.look_after(session.may_read()),
                () = &mut departure => ControlFlow::Break(Refusal::new(CloseCode::Restarting, CloseCode::Restarting.reason()).into()),
            };
            if let ControlFlow::Break(goodbye) = step {
                return goodbye;
            }
        }
    }

    /// Waits for the client or for the network. Cancel-safe: nothing is taken unless it is returned.
    async fn next_event(&mut self, may_read: bool) -> Event {
        poll_fn(|cx| {
            if self.flushing
                && let Poll::Ready(flushed) = Pin::new(&mut self.ws).poll_flush(cx)
            {
                return Poll::Ready(Event::Flushed(flushed));
            }
            if may_read && let Poll::Ready(received) = self.ws.poll_next_unpin(cx) {
                return Poll::Ready(Event::Received(received));
            }
            Poll::Pending
        })
        .await
    }

    fn handle(&mut self, event: Event, session: &mut Session) -> ControlFlow<Goodbye> {
        match event {
            Event::Flushed(Ok(())) => {
                self.flushing = false;
                session.flushed();
                ControlFlow::Continue(())
            }
            Event::Flushed(Err(_)) | Event::Received(None) => ControlFlow::Break(Goodbye::Gone),
            Event::Received(Some(Err(error))) => ControlFlow::Break(reading_failed(error)),
            Event::Received(Some(Ok(message))) => {
                self.heard = Instant::now();
                match message {
                    Message::Binary(frame) => match session.receive(&frame) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(refusal) => ControlFlow::Break(refusal.into()),
                    },
                    Message::Text(_) => {
                        let reason = "text message: this protocol is binary";
                        ControlFlow::Break(Refusal::new(CloseCode::Malformed, reason).into())
                    }
                    Message::Close(_) => ControlFlow::Break(Goodbye::Gone),
                    // Answered by the WebSocket library; the answer goes out with the next flush.
                    Message::Ping(_) => {
                        self.flushing = true;
                        ControlFlow::Continue(())
                    }
                    Message::Pong(_) => ControlFlow::Continue(()),
                }
            }
        }
    }

    /// Hands the next frames to the network.
    fn send_next(&mut self, session: &mut Session) -> ControlFlow<Goodbye> {
        match session.outgoing(FLUSH_BYTES_MAX) {
            Ok(frames) => frames.into_iter().try_for_each(|frame| {
                self.messaged = Instant::now();
                self.write(Message::Binary(frame))
            }),
            Err(refusal) => ControlFlow::Break(refusal.into()),
        }
    }

    fn write(&mut self, message: Message) -> ControlFlow<Goodbye> {
        self.flushing = true;
        // The library takes every message and keeps what the socket does not: at most one flush's worth, because
        // nothing is handed to it while a flush is under way.
        match Pin::new(&mut self.ws).start_send(message) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(Goodbye::Gone),
        }
    }

    /// Keeps the connection alive, and notices that it is dead. A client that is slow is not: it takes or sends at
    /// least something, or we are the ones who keep it waiting.
    fn look_after(&mut self, may_read: bool) -> ControlFlow<Goodbye> {
        let now = Instant::now();
        let (read, written) = (self.traffic.read(), self.traffic.written());
        if read != self.seen_read || self.flushing || !may_read {
            self.heard = now;
        }
        if written != self.seen_written || !self.flushing {
            self.taken = now;
        }
        (self.seen_read, self.seen_written) = (read, written);
        if now - self.taken >= TAKEN_WITHIN || now - self.heard >= SILENT_AFTER {
            return ControlFlow::Break(Goodbye::Gone);
        }
        if self.flushing {
            return ControlFlow::Continue(());
        }
        if now - self.messaged >= MESSAGE_AFTER {
            self.messaged = now;
            self.write(Message::Binary(Bytes::from_static(EMPTY_AWARENESS)))?;
        }
        if now - self.heard >= LOOK_AFTER_EVERY {
            self.write(Message::Ping(Bytes::new()))?;
        }
        ControlFlow::Continue(())
    }

    /// Ends the connection: says why, and reads on until the client has understood, so that a reset does not
    /// swallow the reason.
    pub(super) async fn close(mut self, goodbye: Goodbye) {
        match goodbye {
            Goodbye::Gone => {
                // Sends the answer to the client's own close frame.
                let _ = timeout(CLOSED_WITHIN, self.ws.flush()).await;
            }
            Goodbye::Close { code, reason, may_read } => {
                metrics::get().closes(code).increment(1);
                tracing::debug!(code, %reason, "closing a connection");
                let frame = CloseFrame { code, reason: fit_reason(&reason).into() };
                let _ = timeout(CLOSED_WITHIN, self.ws.send(Message::Close(Some(frame)))).await;
                if may_read {
                    let _ = timeout(CLOSED_WITHIN, async { while let Some(Ok(_)) = self.ws.next().await {} }).await;
                }
            }
        }
    }
}

/// What a failed read means for the client.
fn reading_failed(error: Error) -> Goodbye {
    let Ok(error) = error.into_inner().downcast::<tungstenite::Error>() else { return Goodbye::Gone };
    let (code, reason) = match *error {
        tungstenite::Error::Capacity(_) => (CloseCode::TooLarge.code(), error.to_string()),
        tungstenite::Error::Utf8(_) => (INVALID_PAYLOAD, error.to_string()),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            return Goodbye::Gone;
        }
        tungstenite::Error::Protocol(_) => (PROTOCOL_ERROR, error.to_string()),
        _ => return Goodbye::Gone,
    };
    Goodbye::Close { code, reason, may_read: false }
}
