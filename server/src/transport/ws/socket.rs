//! One socket: reads, writes, and stays alive, in one task.

use std::{
    future::{Future as _, poll_fn},
    ops::ControlFlow,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use synapti_protocol::{close::CloseCode, message::EMPTY_AWARENESS};
use tokio::time::{Sleep, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::expiry::Expiry;
use crate::{
    room::{Refusal, slot::Probe},
    session::Session,
    transport::{
        gate::Gate,
        socket::{Goodbye, Life, Wire, reading_failed},
    },
};

/// Bytes of frames in one flush, about: what a client that stops reading holds on to.
const FLUSH_BYTES_MAX: usize = 64 << 10;

/// When clients of a node that goes should come back: somewhere else at once, but not all in the same moment.
pub(in crate::transport) const RECONNECT_AFTER_MS: std::ops::Range<u64> = 200..1_500;

/// One client's WebSocket and its place in a room.
pub(super) struct Socket {
    pub(super) wire: Wire,
    pub(super) session: Session,
    gate: Gate,
    life: Life,
    /// Somebody waits to hear whether the client is alive.
    probe: Option<Probe>,
    /// When the client's token ends.
    expiry: Expiry,
    /// Ends when it is this session's turn to go because the node goes.
    departs: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(wire: Wire, session: Session, expiry: Expiry, gate: Gate) -> Self {
        Self { life: Life::new(), probe: None, expiry, departs: None, wire, session, gate }
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
        self.life.heard();
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
                self.life.messaged();
            }
            match self.wire.poll_flush(cx) {
                Poll::Pending => return ControlFlow::Continue(false),
                Poll::Ready(Err(_)) => return ControlFlow::Break(Goodbye::Gone),
                Poll::Ready(Ok(())) => self.session.flushed(),
            }
        }
    }

    /// Keeps the connection alive, and notices that it is dead.
    fn look_after(&mut self) -> ControlFlow<Goodbye> {
        let Self { life, wire, session, .. } = self;
        life.look(wire, !session.may_read())?;
        if life.is_too_slow(session.is_answering(), session.room().others_wait()) {
            session.shed();
        }
        if life.wants_message() {
            wire.push(Bytes::from_static(EMPTY_AWARENESS));
        }
        life.ping_if_silent(wire)
    }
}
