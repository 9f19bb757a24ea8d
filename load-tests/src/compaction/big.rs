//! The large map, and somebody who has it compacted again and again.

use std::{cell::Cell, rc::Rc, time::Duration};

use anyhow::{Context as _, ensure};
use synapti_protocol::{
    message::{self, Message, SyncMessage, encode_step2, encode_update},
    update::EMPTY_UPDATE,
};
use tokio::time::sleep;

use crate::{
    client::{answered, fresh_client_id},
    progress::Progress,
    update::Author,
    wire::{self, Address, Inbox, Outbox, Scratch, wire_frame},
};

/// The map's id.
pub const ROOM: &str = "large";

/// Edits on their way at once while the map is made.
const UNACKNOWLEDGED_MAX: u64 = 1000;

/// Keys of the map that are written again later, so that it does not grow.
const KEYS_WRITTEN_AGAIN: u32 = 64;

/// Records that are worth a snapshot when the last one leaves, and some.
const RECORDS: u64 = 80;

/// From leaving to coming back: the snapshot is being made by then, and the map has not closed.
const AWAY_FOR: Duration = Duration::from_millis(15);

/// A connection that counts its edits.
struct Writer {
    inbox: Inbox,
    outbox: Rc<Outbox>,
    author: Author,
    sent: Cell<u64>,
    acknowledged: Cell<u64>,
}

/// Makes a map of so many edits, each in a message of its own.
pub async fn make(address: &Address, edits: u32) -> anyhow::Result<()> {
    let progress = Progress::phase("making the map", edits.into());
    let mut writer = Writer::open(address).await?;
    for edit in 0..edits {
        writer.set(&format!("idea-{edit:06}"), &format!("What idea number {edit} of the map is"))?;
        if edit % 64 == 0 {
            writer.outbox.send_some()?;
            writer.settle(UNACKNOWLEDGED_MAX).await?;
            progress.step(64);
        }
    }
    writer.settle(0).await
}

/// Edits the map a little and leaves, again and again: each time a snapshot of it is made.
pub async fn compact_for_ever(address: &Address) -> anyhow::Result<()> {
    loop {
        let mut writer = Writer::open(address).await?;
        for edit in 0..RECORDS {
            writer.set(&format!("again-{}", edit as u32 % KEYS_WRITTEN_AGAIN), "The same idea in other words")?;
            // One by one, so that each is a record.
            writer.settle(0).await?;
        }
        drop(writer);
        sleep(AWAY_FOR).await;
    }
}

impl Writer {
    async fn open(address: &Address) -> anyhow::Result<Self> {
        let (inbox, outbox) = wire::open(&address.extended(), ROOM, &Scratch::default()).await?;
        let author = Author::new(fresh_client_id());
        Ok(Self { inbox, outbox, author, sent: Cell::new(0), acknowledged: Cell::new(0) })
    }

    fn set(&mut self, key: &str, value: &str) -> anyhow::Result<()> {
        let mut draft = self.author.draft();
        draft.set(key, value, None);
        let update = draft.finish();
        self.sent.set(self.sent.get() + 1);
        self.outbox.push(&wire_frame(encode_update(&update)))
    }

    /// Waits until no more than so many edits are not acknowledged.
    async fn settle(&mut self, left: u64) -> anyhow::Result<()> {
        let Self { inbox, outbox, sent, acknowledged, .. } = self;
        answered("the edits", async {
            while acknowledged.get() + left < sent.get() {
                tokio::select! {
                    read = inbox.read(|frame, _| take(frame, outbox, sent, acknowledged)) => read?,
                    flushed = outbox.flush_and_wait() => flushed?,
                }
            }
            Ok(())
        })
        .await
    }
}

fn take(frame: &[u8], outbox: &Outbox, sent: &Cell<u64>, acknowledged: &Cell<u64>) -> anyhow::Result<()> {
    match message::parse(frame).context("the server sent what is no message of its protocol")? {
        Message::Sync(SyncMessage::Step1(_)) => {
            sent.set(sent.get() + 1);
            outbox.push(&wire_frame(encode_step2(&EMPTY_UPDATE)))
        }
        Message::Ack(count) => {
            ensure!(count <= sent.get(), "ack {count} of {} edits", sent.get());
            acknowledged.set(count);
            Ok(())
        }
        _ => Ok(()),
    }
}
