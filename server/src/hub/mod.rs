//! All open rooms of this node: at most one per graph, opened by whoever comes first.

mod follow;

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use dashmap::{DashMap, Entry};
use futures_util::FutureExt as _;
use synapti_crdt::map::{EditError, MapEdit, MapState, RunEdit, RunOutcome, Settlement};
use synapti_protocol::graph_id::GraphId;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::{
    limits::{answers::AnswerShare, budget::Share, connections::Connections},
    room::{
        Entrant, Feed, GraphView, Joined, Restoring, RoomError, RoomHandle, RunPlace, SessionId, Snapshot,
        actor::{Actor, RoomEnv},
        handle::CallError,
        lanes::{Lanes, NodeBudgets},
        open,
        state::{RoomLimits, RunShown, fits_empty, listed},
    },
    store::{GraphKey, Lookup, StoreError},
    telemetry::metrics,
};

/// Rooms open at once; beyond that only those that are open can be joined.
const ROOMS_MAX: usize = 10_000;

/// Rooms from which empty ones give their place up at once.
pub const ROOMS_CROWDED_FROM: usize = ROOMS_MAX / 2;

/// How often a call is repeated that met a room in the moment of its closing.
const TRIES_MAX: usize = 8;

/// How long a call through the API waits for the store.
const SAVED_WITHIN: Duration = Duration::from_secs(10);

/// How long an export or an import waits for others to be done.
const FILE_WAITS: Duration = Duration::from_secs(5);

/// How long the store has for one question on the way into a room.
pub(crate) const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How long whoever has made a graph has for its first edit, before another caller counts as the one who makes it; and how
/// often it is looked for meanwhile.
const MADE_WITHIN: Duration = Duration::from_secs(1);
const MADE_LOOKS: u32 = 20;

/// Why no room is opened while commits are overdue: it could not be kept.
const BEHIND: &str = "commits are overdue";

/// Bounds of rooms, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct HubLimits {
    /// Bounds of each room.
    pub room: RoomLimits,
    /// Bytes of recent frames that a room keeps.
    pub feed_bytes_max: usize,
}

/// Figures for health and metrics.
#[derive(Clone, Copy, Debug)]
pub struct HubStats {
    /// Open rooms.
    pub rooms: usize,
    /// Sessions of all transports.
    pub sessions: usize,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rooms: DashMap<GraphId, RoomHandle>,
    env: Arc<RoomEnv>,
    limits: HubLimits,
    budgets: NodeBudgets,
    connections: Connections,
    tracker: TaskTracker,
}

impl Hub {
    /// A hub without rooms.
    pub fn new(env: Arc<RoomEnv>, limits: HubLimits, connections: Connections, tracker: TaskTracker) -> Self {
        Self(Arc::new(Inner {
            rooms: DashMap::new(),
            env,
            limits,
            budgets: NodeBudgets::default(),
            connections,
            tracker,
        }))
    }

    /// Takes a place in a graph's room, and creates the graph if there is none and `create` says so.
    pub async fn join(
        &self,
        id: &GraphId,
        session: SessionId,
        entrant: Entrant,
        create: bool,
    ) -> Result<(RoomHandle, Joined), RoomError> {
        let join = |room: RoomHandle| async move { room.join(session, entrant).await.map(|joined| (room, joined)) };
        self.call(id, create, join).await
    }

    /// The map as JSON.
    pub async fn view(&self, id: &GraphId) -> Result<Arc<GraphView>, RoomError> {
        let view = self.call_fresh(id, |room| async move { room.view().await });
        timeout(SAVED_WITHIN, view).await.unwrap_or(Err(RoomError::Stalled))
    }

    /// The map as one update, and the opening of its room that made it.
    pub async fn snapshot(&self, id: &GraphId) -> Result<(RoomHandle, Arc<Snapshot>), RoomError> {
        let call = |room: RoomHandle| async move { room.snapshot().await.map(|snapshot| (room, snapshot)) };
        timeout(SAVED_WITHIN, self.call_fresh(id, call)).await.unwrap_or(Err(RoomError::Stalled))
    }

    /// Waits until an open room has what other nodes have saved, if there may be other nodes.
    pub async fn freshen(&self, room: &RoomHandle) -> Result<(), RoomError> {
        if !self.0.env.is_shared() || self.is_behind() {
            return Ok(());
        }
        room.freshen().await.map_err(|error| match error {
            CallError::Closed => RoomError::Panicked,
            CallError::Room(error) => error,
        })
    }

    /// Makes a graph without anything in it, if there is none.
    pub async fn ensure(&self, id: &GraphId) -> Result<(), RoomError> {
        if self.0.rooms.contains_key(id) { Ok(()) } else { self.create_if_missing(id).await }
    }

    /// Makes a new graph with its first edit.
    pub async fn create(&self, id: &GraphId, init: MapEdit) -> Result<Arc<GraphView>, RoomError> {
        let topic = match &init {
            MapEdit::Init { topic, .. } => topic,
            MapEdit::Import(map) => &map.topic,
            _ => "",
        };
        fits_empty(&init, &self.0.limits.room)?;
        let (found, made) = in_time(self.0.env.store.create(id, listed(topic), self.0.env.clock.now())).await?;
        let Lookup::Live(record) = found else { return Err(RoomError::Gone) };
        // Joining makes a graph too, and so does a call like this one that failed half way: nothing was ever written
        // to them, so this is their first edit.
        if !made && (record.modified_at != record.created_at || self.is_being_made(record.key).await?) {
            return Err(RoomError::Exists);
        }
        match self.edit(id, init).await {
            Err(RoomError::Edit(EditError::AlreadyInitialised)) => Err(RoomError::Exists),
            edited => edited,
        }
    }

    /// Whether another node that made the graph a moment ago writes to it now: of two who make it at once one is the first.
    async fn is_being_made(&self, key: GraphKey) -> Result<bool, RoomError> {
        let Some(log) = self.0.env.store.shared_log() else { return Ok(false) };
        for _ in 0..MADE_LOOKS {
            let heads = in_time(log.heads(&[key])).await?;
            if heads.iter().any(|head| head.last.0 > 0) {
                return Ok(true);
            }
            sleep(MADE_WITHIN / MADE_LOOKS).await;
        }
        Ok(false)
    }

    /// Edits a map; returns it when the edit is durable.
    pub async fn edit(&self, id: &GraphId, edit: MapEdit) -> Result<Arc<GraphView>, RoomError> {
        let call = |room: RoomHandle| {
            let edit = edit.clone();
            async move { room.edit(edit).await }
        };
        self.saved(self.call_fresh(id, call)).await
    }

    /// The map as plain data.
    pub async fn map(&self, id: &GraphId) -> Result<Arc<MapState>, RoomError> {
        let map = self.call_fresh(id, |room| async move { room.map().await });
        timeout(SAVED_WITHIN, map).await.unwrap_or(Err(RoomError::Stalled))
    }

    /// Edits a map for a run of the AI, unless it is later than `not_after` by then; returns what came of it when it is durable.
    pub async fn edit_for_run(&self, id: &GraphId, edit: RunEdit, not_after: Instant) -> Result<RunOutcome, RoomError> {
        let call = |room: RoomHandle| {
            let edit = edit.clone();
            async move { room.run(edit, Some(not_after)).await }
        };
        self.saved(self.call(id, false, call)).await
    }

    /// Decides about nodes that a run has made.
    pub async fn settle_run(&self, id: &GraphId, settlement: Settlement) -> Result<RunOutcome, RoomError> {
        let call = |room: RoomHandle| {
            let edit = RunEdit::Settle(settlement.clone());
            async move { room.run(edit, None).await }
        };
        self.saved(self.call_fresh(id, call)).await
    }

    /// Shows a run of the AI in a map, and keeps it open, until the answer is dropped.
    pub async fn show_run(&self, id: &GraphId, run: RunShown) -> Result<RunPlace, RoomError> {
        let call = |room: RoomHandle| {
            let run = run.clone();
            async move { room.show_run(run).await }
        };
        self.call(id, false, call).await
    }

    /// Makes a map what it was in an older state, after keeping what it is as a version; returns it when that is durable.
    pub async fn restore(&self, id: &GraphId, restoring: Restoring) -> Result<Arc<GraphView>, RoomError> {
        let call = |room: RoomHandle| {
            let restoring = restoring.clone();
            async move { room.restore(restoring).await }
        };
        self.saved(self.call_fresh(id, call)).await
    }

    /// Whether the store is behind, so that nothing new can be kept.
    pub fn is_behind(&self) -> bool {
        self.0.env.journal.is_behind()
    }

    /// Waits until everything that an open map was sent before is on disk; a map that is not open has nothing else.
    pub async fn settle(&self, id: &GraphId) -> Result<(), RoomError> {
        let Some(room) = self.0.rooms.get(id).map(|room| room.clone()) else { return Ok(()) };
        let nothing = MapEdit::PatchMeta { topic: None, root: None };
        match timeout(SAVED_WITHIN, room.edit(nothing)).await {
            Err(_) => Err(RoomError::NotSaved),
            Ok(Err(CallError::Room(
                error @ (RoomError::NotSaved | RoomError::Stalled | RoomError::Panicked | RoomError::Draining),
            ))) => Err(error),
            // A map that is full, or closed meanwhile, has nothing on its way either.
            Ok(_) => Ok(()),
        }
    }

    /// A share of what files may hold that are being made into maps; waits for it, but not for long.
    pub async fn import_share(&self, bytes: usize) -> Result<Option<Share>, RoomError> {
        let share = timeout(FILE_WAITS, self.0.budgets.imports.take(bytes)).await;
        share.map_err(|_| RoomError::AtCapacity { what: "files that are being imported" })
    }

    /// A share of what maps may hold that are on their way to clients, likewise.
    pub async fn export_share(&self, bytes: usize) -> Result<Option<AnswerShare>, RoomError> {
        let share = timeout(FILE_WAITS, self.0.budgets.views.take(bytes)).await;
        share.map_err(|_| RoomError::AtCapacity { what: "large maps on their way to clients" })
    }

    /// Deletes a graph, and ends its sessions.
    pub async fn delete(&self, id: &GraphId) -> Result<(), RoomError> {
        self.saved(self.call(id, false, |room| async move { room.delete().await })).await
    }

    /// Figures.
    pub fn stats(&self) -> HubStats {
        HubStats { rooms: self.0.rooms.len(), sessions: self.0.connections.open() }
    }

    /// The room of a graph, opened if need be. That it is open says nothing yet of the graph: the room answers.
    fn room(&self, id: &GraphId) -> Result<RoomHandle, RoomError> {
        if let Some(room) = self.0.rooms.get(id) {
            return Ok(room.clone());
        }
        if self.0.env.closing.is_cancelled() {
            return Err(RoomError::Draining);
        }
        if self.0.env.journal.is_behind() {
            return Err(RoomError::Unavailable(BEHIND.to_owned()));
        }
        if self.0.rooms.len() >= ROOMS_MAX {
            return Err(RoomError::AtCapacity { what: "open maps" });
        }
        match self.0.rooms.entry(id.clone()) {
            Entry::Occupied(room) => Ok(room.get().clone()),
            Entry::Vacant(place) => {
                let feed = Arc::new(Feed::new(self.0.limits.feed_bytes_max));
                let (room, lanes) = RoomHandle::new(id.clone(), feed, &self.0.budgets);
                place.insert(room.clone());
                self.0.tracker.spawn(self.clone().run(room.clone(), lanes));
                Ok(room)
            }
        }
    }

    /// A room's whole life.
    async fn run(self, room: RoomHandle, lanes: Lanes) {
        metrics::get().rooms.increment(1.0);
        self.0.env.open_rooms.fetch_add(1, Ordering::Relaxed);
        let life = AssertUnwindSafe(self.open_and_run(&room, lanes)).catch_unwind().await;
        if life.is_err() {
            // Its last record may still be on its way: a room opened before that is on disk would not know it, and
            // could have it removed as covered by a snapshot that lacks it.
            self.0.env.journal.barrier().await;
        }
        self.detach(&room);
        self.0.env.open_rooms.fetch_sub(1, Ordering::Relaxed);
        if life.is_err() {
            metrics::get().room_panics.increment(1);
            tracing::error!(graph = %room.id(), "the room failed; its clients reconnect and it is opened again");
        }
        metrics::get().rooms.decrement(1.0);
    }

    async fn open_and_run(&self, room: &RoomHandle, mut lanes: Lanes) {
        let env = self.0.env.clone();
        // Boxed, so that an open room does not keep the space that opening it took.
        match Box::pin(open::load(&env, room.id(), self.0.limits.room)).await {
            Ok(opened) => {
                let actor = Box::new(Actor::new(env, room.clone(), lanes, opened));
                let ended = actor.run(|| self.detach(room)).await;
                tracing::debug!(graph = %room.id(), ?ended, "room closed");
            }
            Err(failure) => {
                self.detach(room);
                lanes.turn_away(|| failure.to_error()).await;
            }
        }
    }

    fn detach(&self, room: &RoomHandle) {
        self.0.rooms.remove_if(room.id(), |_, present| present.is_same(room));
    }

    /// Calls a room, again if it closed in between.
    async fn call<T, F>(&self, id: &GraphId, create: bool, call: impl Fn(RoomHandle) -> F) -> Result<T, RoomError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        for attempt in 1..=TRIES_MAX {
            if create && !self.0.rooms.contains_key(id) {
                self.create_if_missing(id).await?;
            }
            match call(self.room(id)?).await {
                Err(CallError::Closed) => {}
                // The room was opened for somebody else a moment before this graph was created.
                Err(CallError::Room(RoomError::NotFound)) if create && attempt < TRIES_MAX => {}
                Err(CallError::Room(error)) => return Err(error),
                Ok(done) => return Ok(done),
            }
            tokio::task::yield_now().await;
        }
        Err(RoomError::Panicked)
    }

    /// Calls the room of a graph that exists, once it has what other nodes have saved: whoever comes from another node with what
    /// they did there finds it here.
    async fn call_fresh<T, F>(&self, id: &GraphId, call: impl Fn(RoomHandle) -> F) -> Result<T, RoomError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let (is_shared, is_behind) = (self.0.env.is_shared(), self.is_behind());
        let call = |room: RoomHandle| {
            let (fresh, called) = (room.clone(), call(room));
            async move {
                // While commits are overdue there is nothing to be had.
                if is_shared && !is_behind {
                    fresh.freshen().await?;
                }
                called.await
            }
        };
        self.call(id, false, call).await
    }

    async fn create_if_missing(&self, id: &GraphId) -> Result<(), RoomError> {
        let env = &self.0.env;
        if env.closing.is_cancelled() {
            return Err(RoomError::Draining);
        }
        if env.journal.is_behind() {
            return Err(RoomError::Unavailable(BEHIND.to_owned()));
        }
        let found = match in_time(env.store.find(id)).await? {
            Lookup::Missing => in_time(env.store.create(id, "", env.clock.now())).await?.0,
            found => found,
        };
        if let Lookup::Deleted { .. } = found { Err(RoomError::Gone) } else { Ok(()) }
    }

    async fn saved<T>(&self, call: impl Future<Output = Result<T, RoomError>>) -> Result<T, RoomError> {
        timeout(SAVED_WITHIN, call).await.unwrap_or(Err(RoomError::NotSaved))
    }
}

/// What the store answers, unless it takes too long for somebody to wait.
pub(crate) async fn in_time<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, RoomError> {
    match timeout(STORE_ANSWERS_WITHIN, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(RoomError::Unavailable("it did not answer in time".to_owned())),
    }
}
