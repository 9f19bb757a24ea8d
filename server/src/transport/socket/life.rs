//! Whether a client is still there, and whether it takes what it is sent.

use std::{ops::ControlFlow, time::Duration};

use synapti_protocol::close::CloseCode;
use tokio::time::Instant;

use super::{farewell::Goodbye, wire::Wire};
use crate::{
    limits::answers::{BYTES_PER_SECOND_WHEN_SHORT, PATIENCE},
    room::Refusal,
    telemetry::metrics,
};

/// A client that has said nothing for this long is pinged, at every look.
const PING_AFTER: Duration = Duration::from_secs(10);

/// A client that was sent no message for this long is sent an empty one, at most a look later: y-websocket and Hocuspocus
/// give up after 30 s, and do not see pings.
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

/// Signs of life of one client. Looked at every few seconds.
#[derive(Debug)]
pub(in crate::transport) struct Life {
    /// When the client was last known to be alive.
    heard: Instant,
    /// When the network last took something, or had nothing to take.
    taken: Instant,
    /// When the client was last sent a message.
    messaged: Instant,
    /// When it was looked at last, and whether something was on its way then.
    looked: Instant,
    flushing: bool,
    seen_read: u64,
    seen_written: u64,
    /// Since when there is more of an answer than is on its way, and how many bytes had been written then.
    answer_from: Option<(Instant, u64)>,
}

impl Life {
    pub(in crate::transport) fn new() -> Self {
        let now = Instant::now();
        Self {
            heard: now,
            taken: now,
            messaged: now,
            looked: now,
            flushing: false,
            seen_read: 0,
            seen_written: 0,
            answer_from: None,
        }
    }

    /// The client has sent something.
    pub(in crate::transport) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// The client is being sent a message.
    pub(in crate::transport) fn messaged(&mut self) {
        self.messaged = Instant::now();
    }

    /// Notices that the connection is dead. A client that is slow is not: it takes or sends at least something, or we are
    /// the ones who keep it waiting.
    pub(in crate::transport) fn look(&mut self, wire: &mut Wire, is_kept_waiting: bool) -> ControlFlow<Goodbye> {
        let now = Instant::now();
        let flushing = !wire.is_flushed();
        let (read, written) = wire.passed();
        if read != self.seen_read || flushing || is_kept_waiting || wire.is_waiting() {
            self.heard = now;
        }
        if written != self.seen_written || !flushing {
            self.taken = now;
        }
        (self.seen_read, self.seen_written, self.looked, self.flushing) = (read, written, now, flushing);
        if now - self.taken >= TAKEN_WITHIN || now - self.heard >= SILENT_AFTER {
            metrics::get().end(if now - self.taken >= TAKEN_WITHIN {
                metrics::End::NotReading
            } else {
                metrics::End::Silent
            });
            return ControlFlow::Break(Goodbye::Gone);
        }
        if wire.is_crawling() {
            metrics::get().end(metrics::End::Crawling);
            let reason = "a large message came too slowly, while others waited to send theirs";
            return ControlFlow::Break(Refusal::new(CloseCode::RateLimited, reason).into());
        }
        ControlFlow::Continue(())
    }

    /// After a look: whether what is left of an answer has to be let go of, because the client takes it too slowly or not
    /// at all; sooner when others wait for theirs.
    pub(in crate::transport) fn is_too_slow(&mut self, is_answering: bool, others_wait: bool) -> bool {
        if !is_answering {
            self.answer_from = None;
            return false;
        }
        let (since, from) = *self.answer_from.get_or_insert((self.looked, self.seen_written));
        let took = self.looked - since;
        let (least, patience) =
            if others_wait { (BYTES_PER_SECOND_WHEN_SHORT, PATIENCE) } else { (ANSWER_BYTES_PER_SECOND, SHED_AFTER) };
        let is_slow = took >= patience && self.seen_written - from < least * took.as_secs();
        if is_slow {
            self.answer_from = None;
        }
        is_slow
    }

    /// After a look: whether the client is due a message that says nothing, so that it does not give up. Asked once, it
    /// counts as sent.
    pub(in crate::transport) fn wants_message(&mut self) -> bool {
        let wants = !self.flushing && self.looked - self.messaged >= MESSAGE_AFTER;
        if wants {
            self.messaged = self.looked;
        }
        wants
    }

    /// After a look: asks a client that is silent whether it is there.
    pub(in crate::transport) fn ping_if_silent(&self, wire: &mut Wire) -> ControlFlow<Goodbye> {
        let is_due = !self.flushing && self.looked - self.heard >= PING_AFTER;
        if is_due && wire.ping().is_err() { ControlFlow::Break(Goodbye::Gone) } else { ControlFlow::Continue(()) }
    }
}
