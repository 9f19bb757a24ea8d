//! One client.

use std::{
    cell::{Cell, RefCell},
    collections::{HashSet, VecDeque},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use synapti_protocol::{
    message::{self, Message, SyncMessage, encode_step2, encode_update},
    update::EMPTY_UPDATE,
};
use tokio::time::{Instant, sleep_until};

use super::{Edit, Shared};
use crate::{
    crowd::TIMER_IS_COARSE_BY,
    marker::MARKED_MAX,
    update::Author,
    wire::{Inbox, Outbox, wire_frame},
};

/// A client that edits.
pub struct Member {
    shared: Rc<Shared>,
    index: usize,
    outbox: Rc<Outbox>,
    author: RefCell<Author>,
    /// Sync messages with an update in them, by which the server counts.
    sent: Cell<u64>,
    acknowledged: Cell<u64>,
    /// Edits of others that it was shown: one that falls behind may be shown some of them again.
    seen: RefCell<HashSet<u32>>,
    /// Edits that are not acknowledged: the number of the message, and of the edit.
    awaited: RefCell<VecDeque<(u64, usize)>>,
}

impl Member {
    /// A client that has sent nothing.
    pub fn new(shared: Rc<Shared>, index: usize, outbox: Rc<Outbox>, client: u64) -> Self {
        Self {
            shared,
            index,
            outbox,
            author: RefCell::new(Author::new(client)),
            sent: Cell::new(0),
            acknowledged: Cell::new(0),
            seen: RefCell::default(),
            awaited: RefCell::default(),
        }
    }

    /// Reads until the connection ends, which it never should.
    pub async fn read(&self, mut inbox: Inbox) -> anyhow::Error {
        loop {
            if let Err(error) = inbox.read(|frame, now| self.take(frame, now)).await {
                return error.context(format!("client {}", self.index));
            }
        }
    }

    /// Sends edits when they are due, whatever the server does meanwhile. The clients are out of step.
    pub async fn edit(&self, begin: Instant, count: u32) -> anyhow::Result<()> {
        let plan = self.shared.plan;
        let between = Duration::from_secs_f64(1.0 / plan.rate);
        let begin = begin + between.mul_f64(self.index as f64 / f64::from(plan.members()));
        let mut next = 0;
        while next < count {
            let due = begin + between * next;
            let now = Instant::now();
            if due > now {
                // What the network did not take goes on meanwhile.
                tokio::select! {
                    flushed = self.outbox.flush_and_wait() => flushed?,
                    () = sleep_until(due) => {}
                }
                continue;
            }
            self.push_edit(due, now)?;
            self.outbox.send_some()?;
            next += 1;
        }
        self.outbox.flush().await
    }

    fn push_edit(&self, due: Instant, now: Instant) -> anyhow::Result<()> {
        let shared = &self.shared;
        let (mut edits, mut tally) = (shared.edits.borrow_mut(), shared.tally.borrow_mut());
        let late = now - due;
        tally.late.saturating_record(late.as_micros() as u64);
        tally.edits += 1;
        let counts_from = if late > TIMER_IS_COARSE_BY { due } else { now };
        let missing = shared.plan.clients;
        shared.missing.set(shared.missing.get() + u64::from(missing));
        ensure!(edits.len() < MARKED_MAX as usize, "no more than {MARKED_MAX} edits of a run can be told apart");
        let mark = shared.markers.id(edits.len() as u32);
        let mut author = self.author.borrow_mut();
        let mut draft = author.draft();
        draft.set(&mark, "an idea", None);
        self.awaited.borrow_mut().push_back((self.sent.get() + 1, edits.len()));
        edits.push(Edit { author: self.index, counts_from, missing });
        self.push(encode_update(&draft.finish()))
    }

    /// Everything with an update in it is counted.
    fn push(&self, message: Vec<u8>) -> anyhow::Result<()> {
        self.sent.set(self.sent.get() + 1);
        self.outbox.push(&wire_frame(message))
    }

    fn take(&self, frame: &[u8], now: Instant) -> anyhow::Result<()> {
        match message::parse(frame).context("the server sent what is no message of its protocol")? {
            Message::Sync(SyncMessage::Step1(_)) => {
                self.push(encode_step2(&EMPTY_UPDATE))?;
                self.outbox.send_some().map(drop)
            }
            Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) => self.see(update, now),
            Message::Ack(count) => self.acknowledge(count, now),
            Message::Notice(json) => {
                if json.contains("\"unsaved\"") {
                    self.shared.unsaved.set(self.shared.unsaved.get() + 1);
                }
                Ok(())
            }
            Message::Awareness(_) | Message::Auth(_) | Message::QueryAwareness => Ok(()),
        }
    }

    fn see(&self, update: &[u8], now: Instant) -> anyhow::Result<()> {
        let shared = &self.shared;
        let mut edits = shared.edits.borrow_mut();
        for number in shared.markers.find(update) {
            let edit = edits.get_mut(number as usize).context("an edit arrived that nobody sent")?;
            if edit.author != self.index && self.seen.borrow_mut().insert(number) {
                shared.arrived(edit)?;
                let took = now.saturating_duration_since(edit.counts_from);
                shared.tally.borrow_mut().delivered.saturating_record(took.as_micros() as u64);
            }
        }
        Ok(())
    }

    fn acknowledge(&self, count: u64, now: Instant) -> anyhow::Result<()> {
        let before = self.acknowledged.replace(count);
        ensure!(before <= count && count <= self.sent.get(), "ack {count} after {before}, of {} sent", self.sent.get());
        let (mut awaited, mut edits) = (self.awaited.borrow_mut(), self.shared.edits.borrow_mut());
        while let Some((_, number)) = awaited.pop_front_if(|(message, _)| *message <= count) {
            let edit = &mut edits[number];
            self.shared.arrived(edit)?;
            let took = now.saturating_duration_since(edit.counts_from);
            self.shared.tally.borrow_mut().acked.saturating_record(took.as_micros() as u64);
        }
        Ok(())
    }
}

impl Shared {
    /// Each edit reaches each client of its room once.
    fn arrived(&self, edit: &mut Edit) -> anyhow::Result<()> {
        ensure!(edit.missing > 0, "an edit arrives once more than there are clients");
        edit.missing -= 1;
        self.missing.set(self.missing.get() - 1);
        Ok(())
    }
}
