//! One client of a room: what it has seen.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use anyhow::{Context as _, ensure};
use tokio::{sync::Notify, time::Instant};

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
    /// Counts of the run.
    pub tally: Rc<Tally>,
}

/// A client.
pub struct Member {
    /// Where it is.
    pub room: Rc<Room>,
    /// For messages about it.
    pub name: String,
    /// Which of the room's editors it is.
    pub editor: Option<u32>,
    joined: Cell<bool>,
    has_joined: Notify,
    seen: RefCell<Vec<bool>>,
    seen_count: Cell<u32>,
    place: Cell<u64>,
    /// Everything that it received, if that is wanted.
    record: Option<RefCell<Vec<Rc<Known>>>>,
    editors: u32,
}

impl Member {
    /// A client that has received nothing.
    pub fn new(room: Rc<Room>, name: String, editor: Option<u32>, is_recorded: bool) -> Self {
        let editors = room.script.editors.len() as u32;
        let edits = room.sent.borrow().len();
        Self {
            room,
            name,
            editor,
            joined: Cell::new(false),
            has_joined: Notify::new(),
            seen: RefCell::new(vec![false; edits]),
            seen_count: Cell::new(0),
            place: Cell::new(0),
            record: is_recorded.then(RefCell::default),
            editors,
        }
    }

    /// Reads until the connection ends, which it never should.
    pub async fn read(&self, mut inbox: Inbox) -> anyhow::Error {
        loop {
            if let Err(error) = inbox.read(|frame, now| self.take(frame, now)).await {
                return error.context(self.name.clone());
            }
        }
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

    /// The updates that it received, if they were recorded.
    pub fn recorded(&self) -> Option<Vec<Rc<Known>>> {
        Some(self.record.as_ref()?.borrow().clone())
    }

    fn take(&self, frame: &[u8], now: Instant) -> anyhow::Result<()> {
        let mut place = self.place.get();
        let known = self.room.recent.borrow_mut().known(frame, &mut place, &self.room.markers)?;
        self.place.set(place);
        if known.is_step2 {
            self.joined.set(true);
            self.has_joined.notify_one();
        }
        if let Some(record) = &self.record
            && known.update().is_some()
        {
            record.borrow_mut().push(known.clone());
        }
        if !known.edits.is_empty() {
            let tally = &self.room.tally;
            tally.frames.set(tally.frames.get() + 1);
            tally.bytes.set(tally.bytes.get() + frame.len() as u64);
            self.see(&known.edits, now)?;
        }
        Ok(())
    }

    fn see(&self, edits: &[u32], now: Instant) -> anyhow::Result<()> {
        let room = &self.room;
        let (sent, mut seen, mut latency) =
            (room.sent.borrow(), self.seen.borrow_mut(), room.tally.latency.borrow_mut());
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
                latency.saturating_record(now.saturating_duration_since(sent).as_micros() as u64);
            }
            room.tally.happened(now);
        }
        self.seen_count.set(self.seen_count.get() + news);
        room.tally.deliveries.set(room.tally.deliveries.get() + u64::from(news));
        Ok(())
    }

    fn is_author(&self, edit: u32) -> bool {
        self.editor == Some(edit % self.editors)
    }
}
