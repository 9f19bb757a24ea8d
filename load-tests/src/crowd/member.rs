//! One client of a room: what it has seen.

use std::{
    cell::{Cell, Ref, RefCell},
    rc::Rc,
};

use anyhow::{Context as _, ensure};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    recent::{Known, Recent},
    script::Script,
    tally::Tally,
};
use crate::{marker::Markers, wire::Inbox};

/// What the clients of a room share.
pub struct Room {
    /// Its id.
    pub id: String,
    /// Its place among the rooms.
    pub index: u32,
    /// Number of its first edit.
    pub first: u32,
    /// Edits that do not count, at the beginning.
    pub warmup_edits: u32,
    /// What is said in it.
    pub script: Rc<Script>,
    /// How edits are recognised.
    pub markers: Markers,
    /// When each edit was sent.
    pub sent: RefCell<Vec<Option<Instant>>>,
    /// See there.
    pub recent: RefCell<Recent>,
    /// Whether those clients read that stop at times.
    pub reads: watch::Receiver<bool>,
    /// Nodes over which its clients are spread.
    pub nodes: u32,
}

/// A client.
pub struct Member {
    /// Where it is.
    pub room: Rc<Room>,
    /// Where it counts what it receives.
    pub tally: Rc<Tally>,
    /// Whether it reads only while the room's clients of this kind may.
    pub stops: bool,
    /// For messages about it.
    pub name: String,
    /// Which of the room's editors it is.
    pub editor: Option<u32>,
    /// The node that it is connected to.
    pub node: u32,
    joined: Cell<bool>,
    has_joined: Notify,
    seen: RefCell<Vec<bool>>,
    seen_count: Cell<u32>,
    place: Cell<u64>,
    /// Every update that it received, shared with those that received the same.
    record: RefCell<Vec<Rc<Known>>>,
    editors: u32,
}

impl Room {
    /// The node of one of its clients: they take turns.
    pub fn node_of(&self, number: u32) -> u32 {
        number % self.nodes
    }
}

impl Member {
    /// A client that has received nothing.
    pub fn new(room: Rc<Room>, tally: Rc<Tally>, name: String, editor: Option<u32>) -> Self {
        let editors = room.script.editors.len() as u32;
        let edits = room.sent.borrow().len();
        Self {
            room,
            tally,
            stops: false,
            name,
            editor,
            node: 0,
            joined: Cell::new(false),
            has_joined: Notify::new(),
            seen: RefCell::new(vec![false; edits]),
            seen_count: Cell::new(0),
            place: Cell::new(0),
            record: RefCell::default(),
            editors,
        }
    }

    /// Reads until the connection ends, which it never should.
    pub async fn read(&self, mut inbox: Inbox) -> anyhow::Error {
        let mut reads = self.stops.then(|| self.room.reads.clone());
        loop {
            let read = match &mut reads {
                None => inbox.read(|frame, now| self.take(frame, now)).await,
                Some(reads) => self.read_or_stop(&mut inbox, reads).await,
            };
            if let Err(error) = read {
                return error.context(self.name.clone());
            }
        }
    }

    /// Reads once, or waits until it may read again: the socket is not touched meanwhile.
    async fn read_or_stop(&self, inbox: &mut Inbox, reads: &mut watch::Receiver<bool>) -> anyhow::Result<()> {
        tokio::select! {
            biased;
            stopped = reads.wait_for(|reads| !reads) => drop(stopped?),
            read = inbox.read(|frame, now| self.take(frame, now)) => return read,
        }
        reads.wait_for(|reads| *reads).await?;
        Ok(())
    }

    /// Waits until it has received the state.
    pub async fn joined(&self) {
        while !self.joined.get() {
            self.has_joined.notified().await;
        }
    }

    /// Edits that it has seen.
    pub fn seen_count(&self) -> u32 {
        self.seen_count.get()
    }

    /// The first edit of the room up to `edits` that it has not seen.
    pub fn first_unseen(&self, edits: u32) -> Option<u32> {
        let seen = self.seen.borrow();
        (0..edits).find(|&edit| !seen[edit as usize] && !self.is_author(edit))
    }

    /// The updates that it received, in order.
    pub fn record(&self) -> Ref<'_, [Rc<Known>]> {
        Ref::map(self.record.borrow(), Vec::as_slice)
    }

    fn take(&self, frame: &[u8], now: Instant) -> anyhow::Result<()> {
        let mut place = self.place.get();
        let known = self.room.recent.borrow_mut().known(frame, &mut place, &self.room.markers)?;
        self.place.set(place);
        if known.is_step2 {
            self.joined.set(true);
            self.has_joined.notify_one();
        }
        if known.update().is_some() {
            self.record.borrow_mut().push(known.clone());
        }
        if !known.edits.is_empty() {
            let tally = &self.tally;
            tally.frames.set(tally.frames.get() + 1);
            tally.bytes.set(tally.bytes.get() + frame.len() as u64);
            self.see(&known.edits, now)?;
        }
        Ok(())
    }

    fn see(&self, edits: &[u32], now: Instant) -> anyhow::Result<()> {
        let room = &self.room;
        let (sent, mut seen) = (room.sent.borrow(), self.seen.borrow_mut());
        let (mut latency, mut across) = (self.tally.latency.borrow_mut(), self.tally.across.borrow_mut());
        let mut news = 0;
        for &number in edits {
            let edit = number.wrapping_sub(room.first);
            let place = seen.get_mut(edit as usize).with_context(|| format!("edit {number} is of another room"))?;
            if std::mem::replace(place, true) {
                continue;
            }
            let sent = sent[edit as usize];
            ensure!(sent.is_some(), "edit {number} arrived before it was sent");
            news += 1;
            if self.is_author(edit) {
                continue;
            }
            if let Some(sent) = sent
                && edit >= room.warmup_edits
            {
                let took_us = now.saturating_duration_since(sent).as_micros() as u64;
                latency.saturating_record(took_us);
                // The editors are the first of a room's clients.
                if room.node_of(edit % self.editors) != self.node {
                    across.saturating_record(took_us);
                }
            }
            self.tally.happened(now);
        }
        self.seen_count.set(self.seen_count.get() + news);
        self.tally.deliveries.set(self.tally.deliveries.get() + u64::from(news));
        Ok(())
    }

    fn is_author(&self, edit: u32) -> bool {
        self.editor == Some(edit % self.editors)
    }
}
