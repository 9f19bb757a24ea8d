//! A client that sends hostile messages and comes back when it was thrown out.

use std::{cell::RefCell, collections::BTreeMap, fmt::Write as _, rc::Rc};

use anyhow::Context as _;
use synapti_protocol::message::{self, Message, SyncMessage, encode_step1};

use super::{material::Material, message::Batch};
use crate::{
    client::answered,
    crowd::NOTHING,
    progress::Progress,
    wire::{self, Address, Closed, Ended, Inbox, Outbox, Scratch, wire_frame},
};

/// Batches whose end was none that a server should come to, and that are shown.
const TOLD_MAX: usize = 3;

/// Bytes of a batch that are shown.
const SHOWN_BYTES_MAX: usize = 4 << 10;

/// How a room ends that has failed, as its clients see it.
pub const RESTARTING: u16 = 1012;

/// How a connection ended that the server closed without a word.
pub const WITHOUT_A_WORD: u16 = 1006;

/// What was sent, and what came of it.
#[derive(Default)]
pub struct Counts {
    /// Mutated messages.
    pub mutated: u64,
    /// Those that the scanner accepts.
    pub accepted: u64,
    /// Those that were read: the connection was not closed because of an earlier one.
    pub read: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// How many of them were closed with each code.
    pub codes: BTreeMap<u16, u64>,
}

/// What all attackers share.
pub struct Arsenal {
    /// What messages are made of.
    pub material: Material,
    /// What they are made by.
    pub seed: u64,
    /// What came of it.
    pub counts: RefCell<Counts>,
    scratch: Scratch,
    /// The number of the next batch, and mutated messages that are still to be sent.
    left: RefCell<(u64, u64)>,
    told: RefCell<usize>,
}

impl Arsenal {
    /// Nothing to be sent.
    pub fn new(seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            material: Material::new()?,
            seed,
            counts: RefCell::default(),
            scratch: Scratch::default(),
            left: RefCell::default(),
            told: RefCell::default(),
        })
    }

    /// So many mutated messages more.
    pub fn load(&self, messages: u64) {
        self.left.borrow_mut().1 += messages;
    }

    fn next(&self) -> Option<(u64, Batch)> {
        let (next, left) = &mut *self.left.borrow_mut();
        while *left > 0 {
            let number = *next;
            *next += 1;
            let batch = Batch::new(&self.material, self.seed, number, *left);
            *left -= batch.mutated;
            if batch.mutated > 0 {
                return Some((number, batch));
            }
        }
        None
    }

    /// Sends into a room until there is nothing more to send.
    pub async fn attack(&self, address: &Address, room: &str, progress: &Progress) -> anyhow::Result<()> {
        let mut connection = None;
        while let Some((number, batch)) = self.next() {
            if connection.is_none() {
                connection = Some(wire::open(address, room, &self.scratch).await?);
                self.counts.borrow_mut().connections += 1;
            }
            let Some((inbox, outbox)) = &mut connection else { unreachable!("it was just opened") };
            let closed = answered("what it was sent", exchange(inbox, outbox, &batch)).await;
            let closed = closed.with_context(|| format!("batch {number} of seed {}: {}", self.seed, show(&batch)))?;
            self.note(number, &batch, closed);
            progress.step(batch.mutated);
            if closed.is_some() {
                connection = None;
            }
        }
        Ok(())
    }

    fn note(&self, number: u64, batch: &Batch, closed: Option<u16>) {
        let mut counts = self.counts.borrow_mut();
        counts.mutated += batch.mutated;
        counts.accepted += batch.accepted;
        if closed.is_some() == batch.is_refused {
            counts.read += batch.mutated;
        }
        let Some(code) = closed else { return };
        *counts.codes.entry(code).or_default() += 1;
        if matches!(code, RESTARTING | WITHOUT_A_WORD) && *self.told.borrow() < TOLD_MAX {
            *self.told.borrow_mut() += 1;
            eprintln!("closed with {code}: batch {number} of seed {}: {}", self.seed, show(batch));
        }
    }
}

/// Sends a batch, and waits until it was dealt with: until the last question is answered, or until the connection is
/// closed. Answers with which code.
async fn exchange(inbox: &mut Inbox, outbox: &Rc<Outbox>, batch: &Batch) -> anyhow::Result<Option<u16>> {
    for message in &batch.messages {
        outbox.push(&wire_frame(message.clone()))?;
    }
    let mut unanswered = batch.questions;
    if !batch.is_refused {
        // Its answer comes when everything before it was integrated.
        outbox.push(&wire_frame(encode_step1(NOTHING)))?;
        unanswered += 1;
    }
    while unanswered > 0 || batch.is_refused {
        let mut answers = 0;
        let heard = tokio::select! {
            // A connection that breaks while something is sent may have said why before.
            Ok(()) = outbox.flush_and_wait() => unreachable!("it waits for ever"),
            heard = inbox.read(|frame, _| {
                let message = message::parse(frame).context("the server sent what is no message of its protocol")?;
                answers += u64::from(matches!(message, Message::Sync(SyncMessage::Step2(_))));
                Ok(())
            }) => heard,
        };
        unanswered = unanswered.saturating_sub(answers);
        if let Err(error) = heard {
            return closing(error).map(Some);
        }
    }
    Ok(None)
}

/// The code of a connection that the server has closed.
fn closing(error: anyhow::Error) -> anyhow::Result<u16> {
    match error.downcast_ref::<Closed>() {
        Some(closed) => Ok(closed.code),
        None if error.is::<Ended>() || error.root_cause().is::<std::io::Error>() => Ok(WITHOUT_A_WORD),
        None => Err(error),
    }
}

fn show(batch: &Batch) -> String {
    let mut shown = String::new();
    for byte in batch.messages.concat().iter().take(SHOWN_BYTES_MAX) {
        write!(shown, "{byte:02x}").expect("a string takes what is written to it");
    }
    shown
}
