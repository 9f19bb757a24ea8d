//! The task behind an open room: takes messages from its lanes, lets the state decide, performs the effects.

mod close;
mod cluster;
mod cost;
mod env;
mod slots;
mod work;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use synapti_protocol::close::CloseCode;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    About, Refusal, RoomHandle, SessionId, SessionSlot,
    batch::{Callers, Gathering},
    handle::CallError,
    lanes::{Control, LaneEdit, Lanes},
    open::Opened,
    slot::LOOK_EVERY,
    state::{Effect, RoomState},
};
use crate::{
    bus::{Link, News},
    journal::Receipt,
    store::{GraphKey, JournalRecord, RecordId},
    telemetry::metrics,
};
use cost::{Costs, perhaps_long};
pub use env::RoomEnv;
use slots::Slots;
use work::Done;

/// Time between two looks at what has become stale.
const TICK_EVERY: Duration = LOOK_EVERY;

/// How long a room stays open that was only read through the API.
const ONLY_READ_CLOSE_AFTER: Duration = Duration::from_secs(2);

/// How long a room stays open on a node of several when its last client has left: it hears of every edit for nobody.
const LEFT_CLOSE_AFTER: Duration = Duration::from_secs(1);

/// Messages taken from a lane before the room acts on them.
const TAKE_AT_ONCE_MAX: usize = 256;

/// How a room's life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Empty, and everything saved.
    Idle,
    /// The journal has stopped: what was not saved is lost, and nobody has seen it.
    JournalGone,
}

/// The room's task. `detach` takes the room out of the hub, so that nobody new finds it.
pub(crate) struct Actor {
    env: Arc<RoomEnv>,
    handle: RoomHandle,
    key: GraphKey,
    lanes: Lanes,
    link: Link,
    state: RoomState,
    slots: Slots,
    callers: Callers,
    gathering: Gathering,
    costs: Costs,
    /// Of what is in flight, oldest first.
    commits: VecDeque<Receipt>,
    /// Whether the store is behind.
    behind: watch::Receiver<bool>,
    /// When the batch in flight was cut.
    cut_at: Instant,
    next_tick: Instant,
    work: JoinSet<Done>,
    started: Instant,
    idle_since: Option<Instant>,
    idle_close_after: Duration,
    edits_by_itself: bool,
    /// How long it took to take in what came from other nodes last.
    took_in: Duration,
    departing: bool,
    closing: bool,
}

enum Event {
    Committed(Option<RecordId>),
    Behind,
    Control(Control),
    Edit(LaneEdit),
    News(News),
    Done(Done),
    Time,
    Draining,
    Closing,
}

impl Actor {
    pub(crate) fn new(env: Arc<RoomEnv>, handle: RoomHandle, lanes: Lanes, opened: Opened) -> Self {
        let Opened { key, link, state } = opened;
        handle.opened(key);
        let started = Instant::now();
        let mut behind = env.journal.behind();
        // Also a room that is opened while the store is behind hears of it.
        behind.mark_changed();
        Self {
            handle,
            key,
            lanes,
            link,
            state,
            slots: Slots::default(),
            callers: Callers::default(),
            gathering: Gathering::default(),
            costs: Costs::default(),
            commits: VecDeque::new(),
            behind,
            cut_at: started,
            next_tick: started + TICK_EVERY,
            work: JoinSet::new(),
            started,
            idle_since: None,
            idle_close_after: ONLY_READ_CLOSE_AFTER.min(env.idle_close_after),
            edits_by_itself: false,
            took_in: Duration::ZERO,
            departing: false,
            closing: false,
            env,
        }
    }

    /// Runs until the room has been empty for a while; boxed, because a future keeps what it is called on more than once.
    /// `detach` is called right before it closes its lanes.
    pub(crate) async fn run(mut self: Box<Self>, detach: impl FnOnce()) -> Ended {
        self.hear_who_is_there().await;
        loop {
            match self.next_event().await {
                Event::Committed(Some(RecordId(record))) => {
                    metrics::get().frames.increment(1);
                    metrics::get().delivery_lag_seconds.record(self.cut_at.elapsed().as_secs_f64());
                    let record = if self.env.is_shared() { record.unsigned_abs() } else { 0 };
                    self.state.committed(record, self.now_ms());
                }
                Event::Committed(None) => return Ended::JournalGone,
                Event::Behind => {
                    let is_behind = *self.behind.borrow_and_update();
                    self.state.store_is_behind(is_behind, self.now_ms());
                }
                Event::News(news) => self.hear(news),
                Event::Done(Done::TailRead(read)) => self.state.tail_read(read),
                Event::Control(message) => self.control(message),
                Event::Edit(message) => self.gather(message),
                Event::Done(Done::Compacted(done)) => self.state.compacted(done),
                Event::Done(Done::Tombstoned(result)) => {
                    if result.is_ok() {
                        self.purge();
                    }
                    self.state.tombstoned(result);
                }
                Event::Done(Done::VersionKept) => self.state.version_kept(),
                Event::Done(Done::KeptBeforeRestore(request, is_kept)) => {
                    self.state.kept_before_restore(request, is_kept, self.env.clock.now(), self.now_ms());
                }
                Event::Done(Done::Purged) => {}
                Event::Time => self.time_has_passed(),
                Event::Draining => {
                    self.departing = true;
                    self.slots.each(SessionSlot::depart);
                }
                Event::Closing => self.closing = true,
            }
            self.take_what_is_there();
            self.perform_effects();
            self.take_in();
            self.handle.note(self.state.bytes(), self.state.recorded());
            if !self.gathering.is_empty() && self.state.can_integrate(self.may_run_ahead()) {
                self.integrate();
                self.perform_effects();
            }
            if self.should_close() {
                detach();
                self.state.say_leave();
                self.perform_effects();
                // Those who came in the last moment open the room again. No client's update can be among them: its
                // session would be in the room.
                self.lanes.turn_away(|| CallError::Closed).await;
                return Ended::Idle;
            }
        }
    }

    /// Waits for the next thing to do. Every branch is cancel-safe.
    async fn next_event(&mut self) -> Event {
        let wake_at = self.wake_at();
        let may_hear = self.state.has_room_for_news();
        let Self { env, lanes, link, commits, behind, work, gathering, departing, closing, .. } = self;
        tokio::select! {
            biased;
            record = async { commits.front_mut().expect("guarded").await }, if !commits.is_empty() => {
                commits.pop_front();
                Event::Committed(record.ok())
            }
            Ok(()) = behind.changed() => Event::Behind,
            Some(message) = lanes.control.recv() => Event::Control(*message),
            Some(done) = work.join_next(), if !work.is_empty() => match done {
                Ok(done) => Event::Done(done),
                // Nobody else could say what became of the work, so the whole room is restored from the store.
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            },
            news = link.mail.next(), if may_hear => Event::News(news),
            Some(message) = lanes.edits.recv(), if gathering.has_room() => Event::Edit(*message),
            () = env.draining.cancelled(), if !*departing => Event::Draining,
            () = env.closing.cancelled(), if !*closing => Event::Closing,
            () = sleep_until(wake_at) => Event::Time,
        }
    }

    /// Takes what else waits in the lanes, so that it shares a batch, a frame and a commit.
    fn take_what_is_there(&mut self) {
        for _ in 0..TAKE_AT_ONCE_MAX {
            let Ok(message) = self.lanes.control.try_recv() else { break };
            self.control(*message);
        }
        for _ in 0..TAKE_AT_ONCE_MAX {
            if !self.state.has_room_for_news() {
                break;
            }
            let Some(news) = self.link.mail.take() else { break };
            self.hear(news);
        }
        while self.gathering.has_room() {
            let Ok(message) = self.lanes.edits.try_recv() else { break };
            self.gather(*message);
        }
    }

    fn integrate(&mut self) {
        let edits = self.gathering.cut(&mut self.callers);
        self.cut_at = Instant::now();
        metrics::get().updates_committed.increment(edits.len() as u64);
        let (now, now_ms) = (self.env.clock.now(), self.now_ms());
        perhaps_long(self.state.bytes(), &edits, || self.state.integrate(&edits, now, now_ms));
        let took = self.cut_at.elapsed();
        metrics::get().integration_seconds.record(took.as_secs_f64());
        self.state.took(took);
        for session in self.costs.note(&edits, took, |session| self.state.principal_of(session)) {
            self.refuse_costly(session);
        }
    }

    fn refuse_costly(&mut self, session: SessionId) {
        let reason = "your edits take this map too long to take in: send fewer at one place";
        self.slots.with(session, |slot| slot.refuse(Refusal::new(CloseCode::RateLimited, reason)));
    }

    fn gather(&mut self, message: LaneEdit) {
        if let LaneEdit::Update { session, .. } = &message
            && self.costs.is_over(*session, self.state.principal_of(*session))
        {
            // Nothing of this was acknowledged.
            self.refuse_costly(*session);
            return;
        }
        if let LaneEdit::Map { .. } | LaneEdit::Run { .. } = &message {
            // Each opening that edits by itself adds a client id to the document for good, so it stays open for a while.
            self.edits_by_itself = true;
        }
        self.stay_open();
        self.gathering.push(message, &mut self.callers);
    }

    /// Whether the room may go on without the store. When it ends it must: what is not with the journal would be lost.
    fn may_run_ahead(&self) -> bool {
        self.closing || self.env.journal.has_room()
    }

    fn time_has_passed(&mut self) {
        let now_ms = self.now_ms();
        self.state.flush_presence(now_ms);
        self.state.tick_cluster(now_ms);
        if Instant::now() >= self.next_tick {
            self.next_tick = Instant::now() + TICK_EVERY;
            self.handle.feed().age();
            self.costs.tick();
            self.slots.each(SessionSlot::look);
            self.state.tick(now_ms);
        }
    }

    fn control(&mut self, message: Control) {
        match message {
            Control::Join { session, entrant, slot, reply } => {
                let joined = self.state.join(session, entrant).map_err(CallError::Room);
                if joined.is_ok() {
                    if self.departing {
                        slot.depart();
                    }
                    self.slots.0.insert(session, slot);
                    self.stay_open();
                }
                // Whoever gave up waiting sends a leave.
                let _ = reply.send(joined);
            }
            Control::Leave { session } => {
                self.slots.0.remove(&session);
                self.costs.forget(session);
                self.state.leave(session, self.now_ms());
            }
            Control::Awareness { session, payload, about } => {
                if about == About::Itself {
                    self.state.wake_up_clock(session, &payload);
                }
                self.state.awareness(session, &payload, self.now_ms());
            }
            Control::Read { read, reply } => {
                let request = self.callers.add(reply);
                self.state.read(request, read);
            }
            Control::Restore { restoring, reply } => {
                let request = self.callers.add(reply);
                self.edits_by_itself = true;
                self.stay_open();
                self.state.restore(request, restoring);
            }
            Control::Freshen { reply } => {
                let request = self.callers.add(reply);
                self.state.freshen(request);
            }
            Control::ShowRun { run } => {
                self.stay_open();
                self.state.show_run(*run, self.now_ms());
            }
            Control::HideRun { job } => self.state.hide_run(&job, self.now_ms()),
            Control::StoreHas { records, is_deleted } => self.state.store_has(records, is_deleted),
            Control::Delete { reply } => {
                let request = self.callers.add(reply);
                self.state.delete(request, self.env.clock.now());
            }
        }
    }

    fn perform_effects(&mut self) {
        let mut published = false;
        for effect in self.state.take_effects() {
            match effect {
                Effect::Commit { update, topic, at } => {
                    let record = JournalRecord { key: self.key, update, topic, at };
                    self.commits.push_back(self.env.journal.submit(record));
                }
                Effect::Publish(frame) => {
                    self.handle.feed().push(frame);
                    published = true;
                }
                Effect::Ack(session, edits) => self.slots.with(session, |slot| slot.ack(edits)),
                Effect::Unsaved(is_unsaved) => self.slots.each(|slot| slot.unsaved(is_unsaved)),
                Effect::Checkpoint(state_vector) => self.handle.feed().set_checkpoint(state_vector),
                Effect::Answer(request, answer) => self.callers.answer(request, answer),
                Effect::SayPresence(session, frame) => self.slots.with(session, |slot| slot.say_presence(frame)),
                Effect::Ask(session, question) => self.slots.with(session, |slot| slot.ask(question)),
                Effect::Refuse(session, refusal) => self.slots.with(session, |slot| slot.refuse(refusal)),
                Effect::Compact => self.compact(),
                Effect::KeepVersion { before, author } => self.keep_version(before, author),
                Effect::Tombstone(at) => self.tombstone(at),
                Effect::Broadcast(envelope) => self.env.bus.publish(self.handle.id(), envelope),
                Effect::Send(node, envelope) => self.env.bus.send(node, self.handle.id(), envelope),
                Effect::ReadTail(after) => self.read_tail(after),
                Effect::Tally(tally) => metrics::get().cluster.tally(tally),
            }
        }
        if published {
            self.slots.each(SessionSlot::wake);
        }
        let lookups = self.state.take_cache_lookups();
        metrics::get().cache.room_lookups(lookups.hits, lookups.misses);
    }

    fn wake_at(&self) -> Instant {
        let mut at = self.next_tick;
        if let Some(due_ms) = self.state.presence_due_ms() {
            at = at.min(self.started + Duration::from_millis(due_ms));
        }
        if let Some(due_ms) = self.state.cluster_due_ms() {
            at = at.min(self.started + Duration::from_millis(due_ms));
        }
        if let Some(since) = self.idle_since {
            at = at.min(since + self.idle_close_after);
        }
        at
    }

    /// The room was used by more than a reader.
    fn stay_open(&mut self) {
        let hears_others = !self.link.is_alone() && !self.edits_by_itself;
        let limit = if hears_others { LEFT_CLOSE_AFTER } else { Duration::MAX };
        self.idle_close_after = self.env.idle_close_after.min(limit);
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}
