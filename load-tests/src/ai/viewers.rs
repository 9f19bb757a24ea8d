//! Those who have a map open, and what they see of it.

use std::{
    cell::{Cell, Ref, RefCell},
    rc::Rc,
};

use anyhow::{Context as _, anyhow};
use synapti_protocol::message::{self, Message, SyncMessage, encode_step1};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Duration, Instant, timeout},
};

use super::words::{Arrivals, Words};
use crate::{
    client::answered,
    crowd::NOTHING,
    wire::{self, Address, Inbox, Outbox, Scratch},
};

/// Viewers of some maps. They leave when this is dropped.
pub struct Viewers {
    scratch: Scratch,
    words: Rc<Words>,
    /// Rung at every edit that a viewer is shown.
    seen: Rc<Notify>,
    reading: JoinSet<anyhow::Error>,
}

/// Somebody who looks at a map.
pub struct Viewer {
    words: Rc<Words>,
    seen: Rc<Notify>,
    arrivals: RefCell<Arrivals>,
    last_edit: Cell<Option<Instant>>,
    is_synced: Cell<bool>,
    // Pings are answered through it.
    _outbox: Rc<Outbox>,
}

impl Default for Viewers {
    fn default() -> Self {
        Self { scratch: Scratch::default(), words: Rc::default(), seen: Rc::default(), reading: JoinSet::new() }
    }
}

impl Viewers {
    /// One more, who has what is in the map by now.
    pub async fn join(&mut self, address: &Address, room: &str) -> anyhow::Result<Rc<Viewer>> {
        let (mut inbox, outbox) = wire::open(address, room, &self.scratch).await?;
        outbox.send(encode_step1(NOTHING)).await?;
        let (words, seen) = (self.words.clone(), self.seen.clone());
        let (arrivals, last_edit, is_synced) = (RefCell::default(), Cell::default(), Cell::default());
        let viewer = Rc::new(Viewer { words, seen, arrivals, last_edit, is_synced, _outbox: outbox });
        answered("the first sync", async {
            while !viewer.is_synced.get() {
                inbox.read(|frame, now| viewer.take(frame, now)).await?;
            }
            Ok(())
        })
        .await?;
        self.reading.spawn_local(viewer.clone().read(inbox));
        Ok(viewer)
    }

    /// Does something while all of them read.
    pub async fn during<T>(&mut self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            done = work => done,
            Some(ended) = self.reading.join_next() => Err(ended.unwrap_or_else(|error| anyhow!(error)).context("a viewer")),
        }
    }

    /// What rings at every edit that one of them is shown.
    pub fn bell(&self) -> Rc<Notify> {
        self.seen.clone()
    }
}

impl Viewer {
    /// When words came.
    pub fn arrivals(&self) -> Ref<'_, Arrivals> {
        self.arrivals.borrow()
    }

    /// When the last edit came.
    pub fn last_edit(&self) -> Option<Instant> {
        self.last_edit.get()
    }

    async fn read(self: Rc<Self>, mut inbox: Inbox) -> anyhow::Error {
        loop {
            if let Err(error) = inbox.read(|frame, now| self.take(frame, now)).await {
                return error;
            }
        }
    }

    fn take(&self, frame: &[u8], now: Instant) -> anyhow::Result<()> {
        let message = message::parse(frame).context("the server sent what is no message of its protocol")?;
        let Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) = message else {
            return Ok(());
        };
        if matches!(message, Message::Sync(SyncMessage::Step2(_))) {
            self.is_synced.set(true);
        } else {
            self.last_edit.set(Some(now));
        }
        let mut arrivals = self.arrivals.borrow_mut();
        self.words.find(update).for_each(|word| arrivals.note(word, now));
        self.seen.notify_waiters();
        Ok(())
    }
}

/// Waits until something holds that changes with what viewers are shown; `false` when it does not within this time.
pub async fn until(bell: &Notify, within: Duration, holds: impl Fn() -> bool) -> bool {
    let wait = async {
        loop {
            let rung = bell.notified();
            if holds() {
                return;
            }
            rung.await;
        }
    };
    timeout(within, wait).await.is_ok()
}
