//! A client that comes back as y-websocket does.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashSet},
    rc::Rc,
    time::Duration,
};

use anyhow::Context as _;
use synapti_protocol::{
    message::{self, Message, SyncMessage, encode_step1, encode_step2},
    update::EMPTY_UPDATE,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    crowd::{NOTHING, Presence},
    marker::Markers,
    update::Author,
    wire::{self, Address, Closed, Inbox, Outbox, Scratch},
};

/// Back-off of y-websocket: twice as long after every attempt that opened nothing, up to the most; no jitter.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_millis(2500);

/// What happened to all clients together.
#[derive(Default)]
pub struct Counts {
    /// Attempts that opened no socket.
    pub refused: u64,
    /// Sockets that the server closed, by code; 1006 is none.
    pub closed: BTreeMap<u16, u64>,
}

/// A room: what its clients have to be shown.
pub struct Room {
    /// Its id.
    pub id: String,
    /// The one of its clients that edits, as its document knows it.
    pub author: u64,
    /// Numbers of its edits.
    pub edits: RefCell<Vec<u32>>,
}

/// Where clients go.
#[derive(Clone)]
pub struct Place {
    /// Where the server is.
    pub address: Rc<Address>,
    /// How many places there were before.
    pub number: u32,
}

/// What the clients share.
pub struct Shared {
    /// Where they go.
    pub place: RefCell<Place>,
    /// How edits are recognised.
    pub markers: Markers,
    /// See there.
    pub counts: RefCell<Counts>,
    /// Raised when all connections are to break.
    pub cut: watch::Sender<u64>,
    /// One buffer for all.
    pub scratch: Scratch,
}

/// A client of a room.
pub struct Client {
    shared: Rc<Shared>,
    room: Rc<Room>,
    edits: bool,
    /// When its question was answered on the connection that it has.
    answered_at: Cell<Option<Instant>>,
    /// Edits that it was shown on the connection that it has.
    shown: RefCell<HashSet<u32>>,
    /// When something last came that it lacked.
    at: Cell<Instant>,
    /// The number of the place where it is.
    place: Cell<u32>,
    /// When it last lost a connection on which it had been answered.
    left_at: Cell<Option<Instant>>,
}

impl Room {
    /// Everything that its editor has written, as one update.
    fn written(&self, markers: &Markers) -> Vec<u8> {
        let mut author = Author::new(self.author);
        let mut draft = author.draft();
        for &edit in &*self.edits.borrow() {
            draft.set(&markers.id(edit), "an idea that was worth writing down", None);
        }
        draft.finish()
    }
}

impl Client {
    /// One that is not connected. `edits`: it has the room's edits, and brings them along.
    pub fn new(shared: Rc<Shared>, room: Rc<Room>, edits: bool) -> Self {
        Self {
            shared,
            room,
            edits,
            answered_at: Cell::new(None),
            shown: RefCell::default(),
            at: Cell::new(Instant::now()),
            place: Cell::new(0),
            left_at: Cell::new(None),
        }
    }

    /// When it had everything, if it has, and is where it was sent last.
    pub fn synced(&self) -> Option<Instant> {
        let shown = self.shown.borrow();
        let is_there = self.answered_at.get().is_some() && self.place.get() == self.shared.place.borrow().number;
        let has_all = is_there && self.room.edits.borrow().iter().all(|edit| shown.contains(edit));
        has_all.then(|| self.at.get())
    }

    /// How long it was without a connection on which it had been answered, the last time.
    pub fn waited(&self) -> Option<Duration> {
        Some(self.answered_at.get()?.saturating_duration_since(self.left_at.get()?))
    }

    /// Connects, and connects again when that was nothing or is over, for ever. An error is something that no server should
    /// send.
    pub async fn live(&self) -> anyhow::Result<std::convert::Infallible> {
        let mut cut = self.shared.cut.subscribe();
        let mut in_vain = 0;
        loop {
            // Every connection breaks that was begun before.
            cut.mark_unchanged();
            let Place { address, number } = self.shared.place.borrow().clone();
            let opened = tokio::select! {
                opened = wire::open(&address, &self.room.id, &self.shared.scratch) => opened.ok(),
                _ = cut.changed() => None,
            };
            if let Some((inbox, outbox)) = opened {
                in_vain = 0;
                self.place.set(number);
                tokio::select! {
                    left = self.stay(inbox, &outbox) => self.left(left)?,
                    _ = cut.changed() => {}
                }
                // One that was let in and sent away at once has waited since before.
                if self.answered_at.get().is_some() {
                    self.left_at.set(Some(Instant::now()));
                }
            } else {
                in_vain += 1;
                self.shared.counts.borrow_mut().refused += 1;
            }
            self.answered_at.set(None);
            self.shown.borrow_mut().clear();
            sleep((BACK_OFF * 2_u32.pow(in_vain.min(10))).min(BACK_OFF_MAX)).await;
        }
    }

    async fn stay(&self, mut inbox: Inbox, outbox: &Outbox) -> anyhow::Error {
        let greeted = async {
            outbox.send(encode_step1(NOTHING)).await?;
            outbox.send(Presence::new().next()).await
        };
        if let Err(error) = greeted.await {
            return error;
        }
        loop {
            if let Err(error) = inbox.read(|frame, now| self.take(frame, now, outbox)).await {
                return error;
            }
        }
    }

    fn take(&self, frame: &[u8], now: Instant, outbox: &Outbox) -> anyhow::Result<()> {
        match message::parse(frame).map_err(NotOurs).context("the server sent what is no message of its protocol")? {
            Message::Sync(SyncMessage::Step1(_)) => {
                let update = if self.edits { self.room.written(&self.shared.markers) } else { EMPTY_UPDATE.to_vec() };
                outbox.push(&wire::wire_frame(encode_step2(&update)))?;
                outbox.send_some().map(drop)
            }
            Message::Sync(SyncMessage::Step2(update)) => {
                if self.answered_at.get().is_none() {
                    self.answered_at.set(Some(now));
                }
                self.see(update, now);
                Ok(())
            }
            Message::Sync(SyncMessage::Update(update)) => {
                self.see(update, now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn see(&self, update: &[u8], now: Instant) {
        let before = self.synced();
        self.shown.borrow_mut().extend(self.shared.markers.find(update));
        if before.is_none() {
            self.at.set(now);
        }
    }

    fn left(&self, error: anyhow::Error) -> anyhow::Result<()> {
        if error.is::<NotOurs>() {
            return Err(error);
        }
        let code = error.downcast_ref::<Closed>().map_or(1006, |closed| closed.code);
        *self.shared.counts.borrow_mut().closed.entry(code).or_default() += 1;
        Ok(())
    }
}

/// Bytes that no server should send.
#[derive(Debug)]
struct NotOurs(synapti_protocol::DecodeError);

impl std::fmt::Display for NotOurs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NotOurs {}
