//! Clients that edit at an even rate and are told when their edits are on disk.

mod member;

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hdrhistogram::Histogram;
use synapti_protocol::update::{self, ContentKind, Struct, StructKind};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    client::fresh_client_id,
    crowd::histogram,
    marker::Markers,
    wire::{self, Address, Scratch},
};
use member::Member;

/// Handshakes at the same time.
const JOINING_MAX: usize = 32;

/// How long after the last edit everything has to be acknowledged, and shown to the others.
const SETTLED_WITHIN: Duration = Duration::from_secs(15);

/// Until the first edit of a window, so that everybody is ready.
const BEGIN_AFTER: Duration = Duration::from_millis(50);

/// Who edits, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Rooms.
    pub rooms: u32,
    /// Clients in each of them; all of them edit.
    pub clients: u32,
    /// Edits of each client in a second.
    pub rate: f64,
}

/// Times of the edits that were due in one stretch of time, in microseconds, from when they were due.
pub struct Tally {
    /// To the acknowledgement.
    pub acked: Histogram<u64>,
    /// To the arrival at another client of the room.
    pub delivered: Histogram<u64>,
    /// To the sending.
    pub late: Histogram<u64>,
    /// Edits.
    pub edits: u64,
}

/// An edit on its way.
struct Edit {
    author: usize,
    counts_from: Instant,
    /// Whom it has not reached, its author's acknowledgement included.
    missing: u32,
}

/// What all clients share.
struct Shared {
    plan: Plan,
    markers: Markers,
    edits: RefCell<Vec<Edit>>,
    tally: RefCell<Tally>,
    /// Acknowledgements and deliveries that have not come.
    missing: Cell<u64>,
    /// Clients that were told that something is unsaved.
    unsaved: Cell<u64>,
}

/// Everybody who is there.
pub struct Crowd {
    shared: Rc<Shared>,
    members: Vec<Rc<Member>>,
    reading: JoinSet<anyhow::Error>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { acked: histogram(), delivered: histogram(), late: histogram(), edits: 0 }
    }
}

impl Tally {
    /// Another stretch of time.
    pub fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.acked.add(&other.acked)?;
        self.delivered.add(&other.delivered)?;
        self.late.add(&other.late)?;
        self.edits += other.edits;
        Ok(())
    }
}

impl Plan {
    /// All clients.
    pub fn members(&self) -> u32 {
        self.rooms * self.clients
    }
}

impl Crowd {
    /// Opens all connections, to rooms that are made for it.
    pub async fn join(address: &Address, plan: Plan) -> anyhow::Result<Self> {
        let run = rand::random::<u32>();
        Self::join_in(address, plan, |room| format!("acks-{run:08x}-{room}")).await
    }

    /// The same, to rooms of these names.
    pub async fn join_in(address: &Address, plan: Plan, name: impl Fn(u32) -> String) -> anyhow::Result<Self> {
        let shared = Rc::new(Shared {
            plan,
            markers: Markers::new(rand::random()),
            edits: RefCell::default(),
            tally: RefCell::default(),
            missing: Cell::new(0),
            unsaved: Cell::new(0),
        });
        let (address, scratch) = (address.extended(), Scratch::default());
        let connections: Vec<_> = stream::iter(0..plan.members())
            .map(|index| {
                let room = name(index / plan.clients);
                let (address, scratch) = (&address, &scratch);
                async move { wire::open(address, &room, scratch).await }
            })
            .buffered(JOINING_MAX)
            .try_collect()
            .await?;
        let (mut members, mut reading) = (Vec::new(), JoinSet::new());
        for (index, (inbox, outbox)) in connections.into_iter().enumerate() {
            let member = Rc::new(Member::new(shared.clone(), index, outbox, fresh_client_id()));
            members.push(member.clone());
            reading.spawn_local(async move { member.read(inbox).await });
        }
        let mut crowd = Self { shared, members, reading };
        crowd.edit_for(Duration::from_secs(1)).await.context("warming up")?;
        Ok(crowd)
    }

    /// Has everybody edit for a while and waits until all of that is acknowledged and shown; answers how long it took.
    pub async fn edit_for(&mut self, time: Duration) -> anyhow::Result<Tally> {
        let begin = Instant::now() + BEGIN_AFTER;
        let count = (time.as_secs_f64() * self.shared.plan.rate).round() as u32;
        let mut editing = JoinSet::new();
        for member in &self.members {
            let member = member.clone();
            editing.spawn_local(async move { member.edit(begin, count).await });
        }
        let done = async {
            while let Some(edited) = editing.join_next().await {
                edited??;
            }
            let settled = timeout(SETTLED_WITHIN, self.shared.settled()).await;
            let missing = self.shared.missing.get();
            ensure!(
                settled.is_ok(),
                "{missing} acknowledgements and deliveries are missing {} s after the last edit",
                SETTLED_WITHIN.as_secs()
            );
            Ok(())
        };
        tokio::select! {
            done = done => done?,
            left = self.reading.join_next() => return Err(left.context("there are no clients")??),
        }
        Ok(self.shared.tally.take())
    }

    /// How many of all edits a whole document does not have.
    pub fn missing_from(&self, snapshot: &[u8]) -> anyhow::Result<usize> {
        let view = update::scan(snapshot)?;
        let is_there = |item: &Struct<'_>| item.kind == StructKind::Item(ContentKind::Any);
        let keys = view.sections().flat_map(|section| section.structs()).filter(is_there).filter_map(|item| item.key);
        let found: HashSet<u32> = keys.flat_map(|key| self.shared.markers.find(key.as_bytes())).collect();
        Ok(self.shared.edits.borrow().len().saturating_sub(found.len()))
    }

    /// Clients that were told, at any time, that something is not saved yet.
    pub fn told_unsaved(&self) -> u64 {
        self.shared.unsaved.get()
    }
}

impl Shared {
    /// Waits until nothing is on its way.
    async fn settled(&self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while self.missing.get() > 0 {
            ticks.tick().await;
        }
    }
}
