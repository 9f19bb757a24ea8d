//! What a viewer has seen of a room, however it came.

use anyhow::{Context as _, ensure};
use synapti_crdt::{AsideLimits, Digest, Replica};
use synapti_protocol::message::{self, Message, SyncMessage};
use tokio::time::Instant;

use crate::marker::Markers;

/// A viewer of the edits of a run.
pub struct Viewer<'a> {
    name: &'static str,
    markers: &'a Markers,
    arrived: Vec<Option<Instant>>,
    missing: usize,
    updates: Vec<Vec<u8>>,
    is_synced: bool,
}

impl<'a> Viewer<'a> {
    /// One that has seen none of so many edits.
    pub fn new(name: &'static str, markers: &'a Markers, edits: u32) -> Self {
        let arrived = vec![None; edits as usize];
        Self { name, markers, missing: arrived.len(), arrived, updates: Vec::new(), is_synced: false }
    }

    /// Takes a message in.
    pub fn take(&mut self, frame: &[u8], now: Instant) -> anyhow::Result<()> {
        let message = message::parse(frame).context("the server sent what is no message of its protocol")?;
        let Message::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) = message else {
            return Ok(());
        };
        self.is_synced |= matches!(message, Message::Sync(SyncMessage::Step2(_)));
        self.updates.push(update.to_owned());
        for edit in self.markers.find(update) {
            let place = self.arrived.get_mut(edit as usize).context("an edit arrived that nobody sent")?;
            self.missing -= usize::from(place.is_none());
            place.get_or_insert(now);
        }
        Ok(())
    }

    /// Whether it has the state from before the first edit.
    pub fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// Whether it has seen everything.
    pub fn has_all(&self) -> bool {
        self.missing == 0
    }

    /// When each edit came; an error if one did not, or if what came is not the document with this digest.
    pub fn arrivals(&self, digest: Digest) -> anyhow::Result<Vec<Instant>> {
        let Self { name, missing, .. } = self;
        let arrived: Option<Vec<Instant>> = self.arrived.iter().copied().collect();
        let arrived = arrived.with_context(|| format!("{missing} edits are lost to the {name}"))?;
        let replica = Replica::load(1, AsideLimits::default(), self.updates.iter().map(Vec::as_slice))?;
        let is_same = replica.digest() == digest && replica.held_bytes() == 0;
        ensure!(is_same, "all edits reached the {name}, and yet its document is not the one that was written");
        Ok(arrived)
    }
}
