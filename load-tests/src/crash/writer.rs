//! A client that writes while the server may end at any moment.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    ops::RangeInclusive,
    rc::Rc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use synapti_protocol::{
    message::{self, Message, SyncMessage, encode_step2, encode_update},
    update::EMPTY_UPDATE,
};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use super::{
    history::{Change, ElementId, History},
    read,
};
use crate::{
    update::Author,
    wire::{Inbox, Outbox, wire_frame},
};

/// Edits that a writer has on their way at once, except in a burst.
const UNACKNOWLEDGED_MAX: u64 = 200;

/// Edits between two pauses.
const EDITS_AT_ONCE: RangeInclusive<u32> = 1..=8;

/// How long a writer thinks.
const PAUSE_MS: RangeInclusive<u64> = 0..=30;

/// Edits of a burst.
const BURST: RangeInclusive<u32> = 60..=200;

/// Elements of a room from which on more is deleted than added.
const ELEMENTS_WANTED: usize = 300;

/// Bytes of a long value.
const LONG_BYTES_MAX: f64 = 100_000.0;

/// What the writers of a round are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write at a moderate pace.
    Steady,
    /// Write a lot, once, without waiting.
    Burst,
    /// Leave, without waiting.
    Leave,
}

/// What all clients share.
pub struct Shared {
    /// Everything that was written.
    pub history: RefCell<History>,
    /// Elements that may be deleted, room by room: acknowledged ones that nobody has deleted.
    pub pools: RefCell<Vec<Vec<ElementId>>>,
}

/// A client that writes.
pub struct Writer {
    shared: Rc<Shared>,
    room: usize,
    outbox: Rc<Outbox>,
    author: RefCell<Author>,
    rng: RefCell<StdRng>,
    /// Sync messages with an update in them, by which the server counts.
    sent: Cell<u64>,
    acknowledged: Cell<u64>,
    /// What is to be acknowledged, with the number of its message.
    awaited: RefCell<VecDeque<(u64, Vec<Change>)>>,
    progressed: Notify,
    /// What was shown as unsaved; `None` when nothing is.
    unsaved: RefCell<Option<Vec<Change>>>,
}

impl Writer {
    /// A client with an id of its own.
    pub fn new(shared: Rc<Shared>, room: usize, outbox: Rc<Outbox>, client: u64, rng: StdRng) -> Self {
        Self {
            shared,
            room,
            outbox,
            author: RefCell::new(Author::new(client)),
            rng: RefCell::new(rng),
            sent: Cell::new(0),
            acknowledged: Cell::new(0),
            awaited: RefCell::default(),
            progressed: Notify::new(),
            unsaved: RefCell::default(),
        }
    }

    /// Writes and reads until the connection ends, or it is to leave. What the server has said before its end is heard.
    pub async fn run(&self, mut inbox: Inbox, mode: watch::Receiver<Mode>) -> anyhow::Result<()> {
        tokio::select! {
            ended = self.read(&mut inbox) => ended,
            left = self.write(mode) => left,
        }
    }

    async fn read(&self, inbox: &mut Inbox) -> anyhow::Result<()> {
        loop {
            inbox.read(|frame, _| self.take(frame)).await?;
        }
    }

    /// A connection that takes nothing any more is left to the reader.
    async fn write(&self, mut mode: watch::Receiver<Mode>) -> anyhow::Result<()> {
        loop {
            let wanted = *mode.borrow_and_update();
            let edits = match wanted {
                Mode::Steady => self.rng.borrow_mut().random_range(EDITS_AT_ONCE),
                Mode::Burst => self.rng.borrow_mut().random_range(BURST),
                Mode::Leave => 0,
            };
            for _ in 0..edits {
                self.edit()?;
            }
            if self.outbox.flush().await.is_err() {
                return std::future::pending().await;
            }
            match wanted {
                Mode::Leave => return Ok(()),
                Mode::Burst => mode.changed().await?,
                Mode::Steady => {
                    let pause = Duration::from_millis(self.rng.borrow_mut().random_range(PAUSE_MS));
                    tokio::select! {
                        changed = mode.changed() => changed?,
                        () = async { self.has_room().await; sleep(pause).await } => {}
                    }
                }
            }
        }
    }

    async fn has_room(&self) {
        while self.sent.get() - self.acknowledged.get() > UNACKNOWLEDGED_MAX {
            self.progressed.notified().await;
        }
    }

    /// Makes an edit. It counts as sent from now on, whether the network takes it or not.
    fn edit(&self) -> anyhow::Result<()> {
        let (mut history, mut rng) = (self.shared.history.borrow_mut(), self.rng.borrow_mut());
        let mut author = self.author.borrow_mut();
        let mut draft = author.draft();
        let mut changes = Vec::new();
        let pool = &mut self.shared.pools.borrow_mut()[self.room];
        let is_crowded = pool.len() > ELEMENTS_WANTED;
        let deletes = if is_crowded { 4 } else { u32::from(rng.random_bool(0.2)) * rng.random_range(1..=3) };
        for _ in 0..deletes {
            let Some(victim) = pick(pool, &mut rng) else { break };
            draft.delete(history.element(victim).span);
            changes.push(Change::Delete(victim));
        }
        if changes.is_empty() || rng.random_bool(0.5) {
            let id = history.next();
            let bytes =
                if rng.random_bool(0.05) { (LONG_BYTES_MAX.powf(rng.random_range(0.5..1.0))) as usize } else { 0 };
            let text = history.text(id, bytes);
            let over = rng.random_bool(0.12).then(|| pick_keyed(pool, &history, &mut rng)).flatten();
            let (span, key) = if let Some(over) = over {
                let key = history.element(over).key.clone().unwrap_or_default();
                changes.push(Change::Delete(over));
                (draft.set(&key, &text, Some(history.element(over).span.id)), Some(key))
            } else if rng.random_bool(0.2) {
                (draft.append(&text), None)
            } else {
                let key = format!("key-{id:x}");
                (draft.set(&key, &text, None), Some(key))
            };
            history.add(self.room, span, bytes, key);
            changes.push(Change::Insert(id));
        }
        for &change in &changes {
            history.known(change).sent = true;
        }
        let update = draft.finish();
        self.push(encode_update(&update), changes)
    }

    /// Everything with an update in it is counted.
    fn push(&self, message: Vec<u8>, changes: Vec<Change>) -> anyhow::Result<()> {
        self.sent.set(self.sent.get() + 1);
        self.awaited.borrow_mut().push_back((self.sent.get(), changes));
        self.outbox.push(&wire_frame(message))
    }

    fn take(&self, frame: &[u8]) -> anyhow::Result<()> {
        match message::parse(frame).context("the server sent what is no message of its protocol")? {
            // It keeps no document; what it has sent, the server has, as long as the connection stands.
            Message::Sync(SyncMessage::Step1(_)) => {
                self.push(encode_step2(&EMPTY_UPDATE), Vec::new())?;
                // A connection that breaks is noticed where it is read.
                let _ = self.outbox.send_some();
                Ok(())
            }
            Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) => self.see(update),
            Message::Ack(count) => self.acknowledge(count),
            Message::Notice(json) => self.notice(json),
            Message::Awareness(_) | Message::Auth(_) | Message::QueryAwareness => Ok(()),
        }
    }

    fn see(&self, update: &[u8]) -> anyhow::Result<()> {
        let history = &mut *self.shared.history.borrow_mut();
        let changes = read::changes(history, update)?;
        for &change in &changes {
            ensure!(history.known(change).sent, "the server shows a change that nobody has made: {change:?}");
        }
        match &mut *self.unsaved.borrow_mut() {
            Some(unsaved) => unsaved.extend(changes),
            None => {
                for change in changes {
                    history.known(change).seen = true;
                }
            }
        }
        Ok(())
    }

    fn acknowledge(&self, count: u64) -> anyhow::Result<()> {
        let (before, sent) = (self.acknowledged.replace(count), self.sent.get());
        ensure!(before <= count && count <= sent, "ack {count} after {before}, of {sent} edits sent");
        let mut awaited = self.awaited.borrow_mut();
        let (mut history, mut pools) = (self.shared.history.borrow_mut(), self.shared.pools.borrow_mut());
        while let Some((_, changes)) = awaited.pop_front_if(|(number, _)| *number <= count) {
            for change in changes {
                history.known(change).acknowledged = true;
                if let Change::Insert(id) = change {
                    pools[self.room].push(id);
                }
            }
        }
        self.progressed.notify_one();
        Ok(())
    }

    fn notice(&self, json: &str) -> anyhow::Result<()> {
        let notice: serde_json::Value = serde_json::from_str(json).context("a notice is not JSON")?;
        match notice["kind"].as_str() {
            Some("unsaved") => drop(self.unsaved.borrow_mut().get_or_insert_default()),
            Some("saved") => {
                let mut history = self.shared.history.borrow_mut();
                let unsaved = self.unsaved.take().context("`saved`, and nothing was unsaved")?;
                for change in unsaved {
                    history.known(change).seen = true;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn pick(pool: &mut Vec<ElementId>, rng: &mut StdRng) -> Option<ElementId> {
    let at = (!pool.is_empty()).then(|| rng.random_range(0..pool.len()))?;
    Some(pool.swap_remove(at))
}

fn pick_keyed(pool: &mut Vec<ElementId>, history: &History, rng: &mut StdRng) -> Option<ElementId> {
    let &id = pool.choose(rng)?;
    history.element(id).key.is_some().then(|| pool.retain(|&other| other != id)).map(|()| id)
}
