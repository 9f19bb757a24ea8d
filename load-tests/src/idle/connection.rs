//! One connection that only renews its presence, as y-protocols does.

use std::{cell::Cell, rc::Rc, time::Duration};

use anyhow::Context as _;
use synapti_protocol::message::{self, Message, SyncMessage, encode_step1};
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::{
    crowd::{NOTHING, Presence},
    wire::{Inbox, Outbox},
};

/// How often a client says that it is still there.
pub const RENEWED_EVERY: Duration = Duration::from_secs(15);

/// What all connections together have received.
#[derive(Default)]
pub struct Counts {
    /// Messages.
    pub frames: Cell<u64>,
}

/// A connection.
pub struct Connection {
    counts: Rc<Counts>,
    joined: Cell<bool>,
    has_joined: Notify,
    /// Messages since it joined.
    frames: Cell<u64>,
}

impl Connection {
    /// One that has received nothing.
    pub fn new(counts: Rc<Counts>) -> Self {
        Self { counts, joined: Cell::new(false), has_joined: Notify::new(), frames: Cell::new(0) }
    }

    /// Joins and stays until the connection ends, which it never should.
    pub async fn stay(&self, inbox: Inbox, outbox: Rc<Outbox>) -> anyhow::Error {
        match self.try_to_stay(inbox, outbox).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    /// Waits until it has received the state.
    pub async fn joined(&self) {
        while !self.joined.get() {
            self.has_joined.notified().await;
        }
    }

    /// Messages that came since it joined.
    pub fn frames(&self) -> u64 {
        self.frames.get()
    }

    async fn try_to_stay(&self, mut inbox: Inbox, outbox: Rc<Outbox>) -> anyhow::Result<std::convert::Infallible> {
        let mut presence = Presence::new();
        outbox.send(encode_step1(NOTHING)).await?;
        outbox.send(presence.next()).await?;
        let mut renewals = interval_at(Instant::now() + RENEWED_EVERY, RENEWED_EVERY);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                read = inbox.read(|frame, _| self.take(frame)) => read?,
                _ = renewals.tick() => outbox.send(presence.next()).await?,
            }
        }
    }

    fn take(&self, frame: &[u8]) -> anyhow::Result<()> {
        if self.joined.get() {
            self.frames.set(self.frames.get() + 1);
            self.counts.frames.set(self.counts.frames.get() + 1);
            return Ok(());
        }
        let message = message::parse(frame).context("the server sent what is no message of its protocol")?;
        if let Message::Sync(SyncMessage::Step2(_)) = message {
            self.joined.set(true);
            self.has_joined.notify_one();
        }
        Ok(())
    }
}
