//! What waits to be published: bounded, and whoever puts something in never waits.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::names::Channel;
use crate::telemetry::metrics::{self, Dropped};

/// Messages that may wait.
const MESSAGES_MAX: usize = 65_536;

/// Their bytes, unless a single one is larger.
const BYTES_MAX: usize = 64 << 20;

/// Messages that are published at once.
const AT_ONCE_MESSAGES_MAX: usize = 256;

/// Their bytes, unless a single one is larger: what is sent before replies are waited for.
const AT_ONCE_BYTES_MAX: usize = 1 << 20;

/// A message and where it goes.
pub(super) type Outgoing = (Channel, Bytes);

/// The queue of the connection that publishes.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    is_open: bool,
    messages: VecDeque<Outgoing>,
    bytes: usize,
}

impl Outbox {
    /// Adds a message, or drops it when nothing is carried or there is no room.
    pub fn put(&self, channel: Channel, envelope: Bytes) {
        let mut waiting = self.waiting.lock();
        let fits = waiting.messages.len() < MESSAGES_MAX
            && (waiting.bytes == 0 || waiting.bytes + envelope.len() <= BYTES_MAX);
        if !waiting.is_open || !fits {
            let why = if waiting.is_open { Dropped::Full } else { Dropped::Away };
            metrics::get().bus.dropped(why, 1);
            return;
        }
        waiting.bytes += envelope.len();
        waiting.messages.push_back((channel, envelope));
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Messages are carried from now on.
    pub fn open(&self) {
        self.waiting.lock().is_open = true;
    }

    /// Nothing is carried any more; what waits is dropped.
    pub fn close(&self) {
        let lost = std::mem::take(&mut *self.waiting.lock());
        metrics::get().bus.dropped(Dropped::Away, lost.messages.len());
    }

    /// Waits for messages and takes as many as are published at once. Cancel-safe.
    pub async fn next(&self) -> Vec<Outgoing> {
        loop {
            let arrived = self.arrived.notified();
            let taken = self.take();
            if !taken.is_empty() {
                return taken;
            }
            arrived.await;
        }
    }

    /// The messages to publish next, if there are any.
    pub fn take(&self) -> Vec<Outgoing> {
        let mut waiting = self.waiting.lock();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < AT_ONCE_MESSAGES_MAX && (taken.is_empty() || bytes < AT_ONCE_BYTES_MAX) {
            let Some(message) = waiting.messages.pop_front() else { break };
            bytes += message.1.len();
            taken.push(message);
        }
        waiting.bytes -= bytes;
        if waiting.messages.is_empty() {
            waiting.messages = VecDeque::new();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(outbox: &Outbox, bytes: usize) {
        outbox.put(Channel::All, vec![0; bytes].into());
    }

    fn waiting(outbox: &Outbox) -> (usize, usize) {
        let waiting = outbox.waiting.lock();
        (waiting.messages.len(), waiting.bytes)
    }

    #[test]
    fn messages_and_bytes_are_bounded() {
        let outbox = Outbox::default();
        put(&outbox, 1);
        assert_eq!(waiting(&outbox), (0, 0), "away");
        outbox.open();
        (0..MESSAGES_MAX + 9).for_each(|_| put(&outbox, 1));
        assert_eq!(waiting(&outbox), (MESSAGES_MAX, MESSAGES_MAX));
        outbox.close();
        outbox.open();
        put(&outbox, BYTES_MAX + 1);
        put(&outbox, 1);
        assert_eq!(waiting(&outbox).0, 1, "a single one may be larger");
    }

    #[test]
    fn what_is_published_at_once_is_bounded_and_in_order() {
        let outbox = Outbox::default();
        outbox.open();
        (0..=AT_ONCE_MESSAGES_MAX).for_each(|bytes| put(&outbox, bytes));
        let first = outbox.take();
        assert!(first.iter().map(|(_, envelope)| envelope.len()).eq(0..AT_ONCE_MESSAGES_MAX));
        assert_eq!(outbox.take().len(), 1);
        (0..3).for_each(|_| put(&outbox, AT_ONCE_BYTES_MAX));
        assert_eq!([1, 1, 1, 0].map(|_| outbox.take().len()), [1, 1, 1, 0]);
        assert_eq!(waiting(&outbox), (0, 0));
    }
}
