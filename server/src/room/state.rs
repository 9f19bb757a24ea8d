//! What a room does, as a pure state machine: facts in, [`Effect`]s out. It knows no task, socket or database.
//!
//! An edit is integrated at once and shown only when it is on disk: while a commit is in flight, further edits
//! gather outside, and whoever reads the room waits. So everything that leaves this module is durable.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::{ApplyError, Op, Replica, Sender};
use synapti_protocol::{close::CloseCode, graph_id::GraphId, message};

use super::{
    Cursor, GraphView, Refusal, RequestId, RoomError, SessionId, SyncReply, Welcome,
    batch::Edit,
    presence::{JoinOrder, Presence, PresenceError},
    reads::{Answer, Read, ReadCache},
};
use crate::store::RecordId;

/// Shortest time between two presence frames: pointers of fifty people become twenty-five frames a second.
const PRESENCE_EVERY_MS: u64 = 40;

/// How long a client has to answer what it was asked about a hole, before it is asked again.
const ASK_AGAIN_AFTER_MS: u64 = 5_000;

/// The same when the document has moved on meanwhile, so that another answer can be expected.
const ASK_AGAIN_AFTER_MOVE_MS: u64 = 1_000;

/// How long an edit may wait for an earlier one before its sender is sent away to reconnect.
const HOLE_CLOSES_WITHIN_MS: u64 = 60_000;

/// Readers that wait for a commit at most.
const READS_WAITING_MAX: usize = 4096;

/// Records after which a tail is replaced by a snapshot.
const TAIL_RECORDS_MAX: u32 = 500;

/// Records for which a snapshot is made when the last session has left.
const TAIL_RECORDS_WORTH_CLOSING: u32 = 64;

/// Bytes from which a tail is replaced by a snapshot, if it is also larger than the snapshot before it.
const TAIL_BYTES_MAX: u64 = 1 << 20;

/// Bounds of one room.
#[derive(Clone, Copy, Debug)]
pub struct RoomLimits {
    /// Sessions in the room; 0 = no limit.
    pub sessions_max: usize,
    /// Encoded size of the map; 0 = no limit.
    pub document_bytes_max: usize,
}

/// What the room wants done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Make this update durable, then call [`RoomState::committed`].
    Commit {
        /// What was integrated.
        update: Bytes,
        /// The new topic, if this update changed it.
        topic: Option<String>,
        /// When it was integrated.
        at: Timestamp,
    },
    /// Put a frame into the feed.
    Publish(Bytes),
    /// Answer a question.
    Answer(RequestId, Answer),
    /// Ask a session's client for what it has beyond the room's state.
    Ask(SessionId, Bytes),
    /// End a session.
    Refuse(SessionId, Refusal),
    /// Replace the stored tail up to `covers` by a snapshot, then call [`RoomState::compacted`].
    Compact {
        /// The newest record that `state` contains.
        covers: RecordId,
        /// The whole state as one update.
        state: Bytes,
    },
    /// Mark the graph deleted in the store, then call [`RoomState::tombstoned`].
    Tombstone(Timestamp),
}

/// What a room starts from.
#[derive(Debug)]
pub struct Loaded {
    /// The document.
    pub replica: Replica,
    /// When the graph was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub modified_at: Timestamp,
    /// The topic that listings show.
    pub topic: String,
    /// The stored tail.
    pub tail: Tail,
    /// Size of the snapshot and tail as stored.
    pub bytes: usize,
}

/// Records that no snapshot covers yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tail {
    /// How many.
    pub records: u32,
    /// Their size.
    pub bytes: u64,
    /// Size of the snapshot before them.
    pub snapshot_bytes: u64,
    /// The newest record of the graph.
    pub last: RecordId,
}

#[derive(Debug)]
struct Member {
    joined: JoinOrder,
    /// Edits of this session that have been looked at.
    edits: u64,
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    version: u64,
    at_ms: u64,
}

#[derive(Debug)]
struct InFlight {
    frame: Bytes,
    update_bytes: usize,
    waiting: Vec<RequestId>,
    at: Timestamp,
}

#[derive(Debug, Default)]
struct Compaction {
    /// The tail that is being replaced, with the size of the snapshot that replaces it.
    under_way: Option<Tail>,
    /// After a failure, the tail's length at which to try again.
    not_before_records: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    Deleting { at: Timestamp, asked_store: bool },
    Deleted,
}

/// One open map.
#[derive(Debug)]
pub struct RoomState {
    id: GraphId,
    limits: RoomLimits,
    replica: Replica,
    created_at: Timestamp,
    modified_at: Timestamp,
    topic: String,
    bytes: usize,
    version: u64,
    published: Cursor,
    members: HashMap<SessionId, Member>,
    presence: Presence,
    presence_sent_ms: Option<u64>,
    in_flight: Option<InFlight>,
    to_ask: BTreeSet<SessionId>,
    reads: Vec<(RequestId, Read)>,
    cache: ReadCache,
    tail: Tail,
    compaction: Compaction,
    deleters: Vec<RequestId>,
    life: Life,
    effects: Vec<Effect>,
}

impl RoomState {
    /// A room on a loaded map.
    pub fn new(id: GraphId, limits: RoomLimits, loaded: Loaded) -> Self {
        let Loaded { replica, created_at, modified_at, topic, tail, bytes } = loaded;
        Self {
            id,
            limits,
            replica,
            created_at,
            modified_at,
            topic,
            bytes,
            version: 0,
            published: 0,
            members: HashMap::new(),
            presence: Presence::default(),
            presence_sent_ms: None,
            in_flight: None,
            to_ask: BTreeSet::new(),
            reads: Vec::new(),
            cache: ReadCache::default(),
            tail,
            compaction: Compaction::default(),
            deleters: Vec::new(),
            life: Life::Open,
            effects: Vec::new(),
        }
    }

    /// Takes what is to be done since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// A session comes in.
    ///
    /// # Errors
    /// [`RoomError::AtCapacity`], and [`RoomError::Gone`] once the graph is being deleted.
    pub fn join(&mut self, session: SessionId) -> Result<Welcome, RoomError> {
        if self.life != Life::Open {
            return Err(RoomError::Gone);
        }
        if self.limits.sessions_max > 0 && self.members.len() >= self.limits.sessions_max {
            return Err(RoomError::AtCapacity { what: "connections to this map" });
        }
        self.members.insert(session, Member { joined: self.presence.join(), edits: 0, asked: None });
        Ok(Welcome {
            question: self.cache.question(&self.replica),
            presence: self.presence.everybody(),
            cursor: self.published,
        })
    }

    /// A session has gone. Edits that it sent before stay.
    pub fn leave(&mut self, session: SessionId, now_ms: u64) {
        self.members.remove(&session);
        self.to_ask.remove(&session);
        self.presence.leave(session, now_ms);
        self.flush_presence(now_ms);
    }

    /// A session says something of itself.
    pub fn awareness(&mut self, session: SessionId, payload: &[u8], now_ms: u64) {
        let Some(member) = self.members.get(&session) else { return };
        if let Err(error) = self.presence.apply(session, member.joined, payload, now_ms) {
            let code = match error {
                PresenceError::Malformed(_) => CloseCode::Malformed,
                PresenceError::TooLarge { .. } => CloseCode::TooLarge,
            };
            self.refuse(session, code, error.to_string());
        }
        self.flush_presence(now_ms);
    }

    /// Somebody asks. The answer comes as an effect, at once or when nothing is in flight.
    pub fn read(&mut self, request: RequestId, read: Read) {
        if let Read::Presence = read {
            let everybody = self.presence.everybody();
            self.effects.push(Effect::Answer(request, Answer::Presence(everybody)));
            return;
        }
        if self.reads.len() >= READS_WAITING_MAX {
            let error = RoomError::AtCapacity { what: "readers that wait for this map" };
            self.effects.push(Effect::Answer(request, Answer::Failed(error)));
            return;
        }
        self.reads.push((request, read));
        self.settle();
    }

    /// Whether edits may be integrated now; until then they gather outside.
    pub fn can_integrate(&self) -> bool {
        self.in_flight.is_none()
    }

    /// Integrates what has gathered and asks for it to be committed.
    pub fn integrate(&mut self, edits: &[Edit], now: Timestamp, now_ms: u64) {
        debug_assert!(self.in_flight.is_none(), "a batch is cut only when the one before is on disk");
        let fits = self.admit(edits);
        let ops = edits.iter().zip(&fits).filter(|(_, fits)| **fits).map(|(edit, _)| op(edit));
        let applied = self.replica.apply(ops, now_ms);
        let mut results = applied.results.into_iter();
        let mut waiting = Vec::new();
        for (edit, fits) in edits.iter().zip(fits) {
            let result =
                if fits { results.next().unwrap_or(Ok(())).map_err(Rejection::Apply) } else { Err(Rejection::Size) };
            self.conclude(edit, result, now_ms, &mut waiting);
        }
        match applied.update {
            Some(update) => self.begin_commit(&update, waiting, now),
            // Nothing new: what the edits say is in the committed document already.
            None => self.reads.extend(waiting.into_iter().map(|request| (request, Read::View))),
        }
        self.settle();
    }

    /// The batch in flight is on disk.
    pub fn committed(&mut self, record: RecordId) {
        let Some(batch) = self.in_flight.take() else { return };
        self.modified_at = batch.at;
        self.tail.records += 1;
        self.tail.bytes += batch.update_bytes as u64;
        self.tail.last = record;
        self.publish(batch.frame);
        self.reads.extend(batch.waiting.into_iter().map(|request| (request, Read::View)));
        self.settle();
        self.compact_if_due();
    }

    /// A snapshot has taken the place of the tail that there was at [`Effect::Compact`], or could not.
    pub fn compacted(&mut self, done: bool) {
        let Some(covered) = self.compaction.under_way.take() else { return };
        if done {
            self.tail.records -= covered.records;
            self.tail.bytes -= covered.bytes;
            self.tail.snapshot_bytes = covered.snapshot_bytes;
            self.compaction.not_before_records = 0;
        } else {
            self.compaction.not_before_records = self.tail.records + TAIL_RECORDS_MAX;
        }
    }

    /// Nobody is here any more: replaces a tail that is worth it, so that the map opens fast the next time.
    pub fn compact_before_close(&mut self) {
        if self.tail.records >= TAIL_RECORDS_WORTH_CLOSING && self.compaction.not_before_records == 0 {
            self.compact();
        }
    }

    /// The graph is to be deleted.
    pub fn delete(&mut self, request: RequestId, now: Timestamp) {
        if self.life == Life::Deleted {
            self.effects.push(Effect::Answer(request, Answer::Failed(RoomError::Gone)));
            return;
        }
        self.deleters.push(request);
        if self.life == Life::Open {
            self.life = Life::Deleting { at: now, asked_store: false };
        }
        self.settle();
    }

    /// The store has marked the graph deleted, or could not.
    pub fn tombstoned(&mut self, result: Result<(), RoomError>) {
        let deleters = std::mem::take(&mut self.deleters);
        if let Err(error) = result {
            // The first one learns why; the others that it did not happen.
            self.life = Life::Open;
            let mut error = Some(error);
            for request in deleters {
                let error = error.take().unwrap_or(RoomError::NotSaved);
                self.effects.push(Effect::Answer(request, Answer::Failed(error)));
            }
            return self.settle();
        }
        self.life = Life::Deleted;
        self.effects.extend(deleters.into_iter().map(|request| Effect::Answer(request, Answer::Deleted)));
        for session in self.members.keys().copied().collect::<Vec<_>>() {
            self.refuse(session, CloseCode::Deleted, CloseCode::Deleted.reason().to_owned());
        }
        for (request, _) in std::mem::take(&mut self.reads) {
            self.effects.push(Effect::Answer(request, Answer::Failed(RoomError::Gone)));
        }
    }

    /// Time has passed: presence that waited is sent, what waited too long is given up.
    pub fn tick(&mut self, now_ms: u64) {
        self.presence.expire(now_ms);
        self.flush_presence(now_ms);
        self.cache.sweep();
        for Sender(session) in self.replica.expire_held(now_ms.saturating_sub(HOLE_CLOSES_WITHIN_MS)) {
            let reason = "edits waited too long for earlier ones: reconnect to send them in order";
            self.refuse(SessionId(session), CloseCode::RateLimited, reason.to_owned());
        }
        if self.replica.held_bytes() > 0 {
            for session in self.members.keys().copied().collect::<Vec<_>>() {
                self.note_hole(session, now_ms);
            }
            self.settle();
        }
    }

    /// Sends presence if it is due.
    pub fn flush_presence(&mut self, now_ms: u64) {
        if self.presence_due_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            self.presence_sent_ms = Some(now_ms);
            if let Some(frame) = self.presence.take_changes() {
                self.publish(frame);
            }
        }
    }

    /// When presence that waits is to be sent.
    pub fn presence_due_ms(&self) -> Option<u64> {
        self.presence.is_dirty().then(|| self.presence_sent_ms.map_or(0, |sent_ms| sent_ms + PRESENCE_EVERY_MS))
    }

    /// The state vector of everything published, for a checkpoint in the feed; `None` while a batch is in flight.
    pub fn checkpoint(&mut self) -> Option<Bytes> {
        self.in_flight.is_none().then(|| self.cache.state_vector(&self.replica))
    }

    /// Whether nobody is here and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.members.is_empty()
            && self.in_flight.is_none()
            && self.reads.is_empty()
            && self.compaction.under_way.is_none()
            && self.deleters.is_empty()
    }

    /// Whether the graph is deleted, so that the room has nothing more to do.
    pub fn is_deleted(&self) -> bool {
        self.life == Life::Deleted
    }

    /// Sessions in the room.
    pub fn session_count(&self) -> usize {
        self.members.len()
    }

    /// Estimate of the map's encoded size, never too small by much.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Which edits fit into the map's size.
    fn admit(&mut self, edits: &[Edit]) -> Vec<bool> {
        let limit = match self.limits.document_bytes_max {
            0 => usize::MAX,
            limit => limit,
        };
        let mut bytes = self.bytes;
        let mut fits = Vec::with_capacity(edits.len());
        let mut exact = false;
        for edit in edits {
            if bytes + edit.bytes() > limit && !exact {
                // The estimate only ever adds; much of it may have been deleted or known before.
                exact = true;
                let added = bytes - self.bytes;
                self.bytes = self.replica.snapshot().len();
                bytes = self.bytes + added;
            }
            let ok = bytes + edit.bytes() <= limit && self.life == Life::Open;
            bytes += if ok { edit.bytes() } else { 0 };
            fits.push(ok);
        }
        fits
    }

    fn conclude(&mut self, edit: &Edit, result: Result<(), Rejection>, now_ms: u64, waiting: &mut Vec<RequestId>) {
        if let Edit::Update { session, .. } = edit
            && let Some(member) = self.members.get_mut(session)
        {
            member.edits += 1;
        }
        match (edit, result) {
            (Edit::Map { request, .. }, Ok(())) => waiting.push(*request),
            (Edit::Map { request, .. }, Err(rejection)) => {
                let error = self.room_error(rejection);
                self.effects.push(Effect::Answer(*request, Answer::Failed(error)));
            }
            (Edit::Update { session, .. }, Ok(())) => self.note_hole(*session, now_ms),
            (Edit::Update { session, .. }, Err(rejection)) => {
                let code = match &rejection {
                    Rejection::Size if self.life != Life::Open => CloseCode::Deleted,
                    Rejection::Size => CloseCode::TooLarge,
                    Rejection::Apply(ApplyError::AsideFull) => CloseCode::RateLimited,
                    Rejection::Apply(_) => CloseCode::Malformed,
                };
                let reason = self.room_error(rejection).to_string();
                self.refuse(*session, code, reason);
            }
        }
    }

    fn room_error(&self, rejection: Rejection) -> RoomError {
        match rejection {
            Rejection::Size if self.life != Life::Open => RoomError::Gone,
            Rejection::Size => {
                RoomError::TooLarge { what: "the map with this edit", bytes_max: self.limits.document_bytes_max }
            }
            Rejection::Apply(ApplyError::Edit(error)) => RoomError::Edit(error),
            Rejection::Apply(error) => RoomError::Unreadable(error.to_string()),
        }
    }

    fn begin_commit(&mut self, update: &[u8], waiting: Vec<RequestId>, at: Timestamp) {
        self.version += 1;
        self.bytes += update.len();
        self.cache.invalidate();
        let frame = Bytes::from(message::encode_update(update));
        let update = frame.slice(frame.len() - update.len()..);
        let topic = self.replica.topic().unwrap_or_default();
        let topic = (topic != self.topic).then(|| self.topic.clone_from(&topic)).map(|()| topic);
        self.in_flight = Some(InFlight { frame, update_bytes: update.len(), waiting, at });
        self.effects.push(Effect::Commit { update, topic, at });
    }

    /// Remembers to ask a session whose edits lack earlier ones: one question at a time, and another only when
    /// the document has moved on since or the client had time to answer.
    fn note_hole(&mut self, session: SessionId, now_ms: u64) {
        let Some(member) = self.members.get_mut(&session) else { return };
        if self.replica.held_from(Sender(session.0)) == 0 {
            member.asked = None;
            return;
        }
        let due = member.asked.as_ref().is_none_or(|asked| {
            let moved = asked.version != self.version;
            now_ms >= asked.at_ms + if moved { ASK_AGAIN_AFTER_MOVE_MS } else { ASK_AGAIN_AFTER_MS }
        });
        if due {
            member.asked = Some(Asked { version: self.version, at_ms: now_ms });
            self.to_ask.insert(session);
        }
    }

    /// Does what had to wait until the document and the disk agree.
    fn settle(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        if let Life::Deleting { at, asked_store: false } = self.life {
            self.life = Life::Deleting { at, asked_store: true };
            self.effects.push(Effect::Tombstone(at));
        }
        for session in std::mem::take(&mut self.to_ask) {
            let question = self.cache.question(&self.replica);
            self.effects.push(Effect::Ask(session, question));
        }
        for (request, read) in std::mem::take(&mut self.reads) {
            if self.is_early(&read) {
                self.reads.push((request, read));
                continue;
            }
            let answer = self.answer(&read);
            self.effects.push(Effect::Answer(request, answer));
        }
    }

    /// Whether edits that the reader sent before are still in the lane: everybody reads their own writes.
    fn is_early(&self, read: &Read) -> bool {
        match read {
            Read::Sync { after: Some((session, edits)), .. } => {
                self.members.get(session).is_some_and(|member| member.edits < *edits)
            }
            _ => false,
        }
    }

    fn answer(&mut self, read: &Read) -> Answer {
        match read {
            Read::Sync { state_vector, .. } => Answer::Sync(SyncReply {
                step2: self.cache.diff(&self.replica, state_vector),
                state_vector: self.cache.state_vector(&self.replica),
                presence: self.presence.everybody(),
                cursor: self.published,
            }),
            Read::View => {
                let Self { id, replica, created_at, modified_at, .. } = self;
                Answer::View(self.cache.view(|| GraphView::of(id, replica, *created_at, *modified_at)))
            }
            Read::Presence => Answer::Presence(self.presence.everybody()),
        }
    }

    fn compact_if_due(&mut self) {
        let Tail { records, bytes, snapshot_bytes, .. } = self.tail;
        let worth_it = records >= TAIL_RECORDS_MAX || (bytes >= TAIL_BYTES_MAX && bytes >= snapshot_bytes);
        if worth_it && records >= self.compaction.not_before_records {
            self.compact();
        }
    }

    fn compact(&mut self) {
        if self.compaction.under_way.is_some() || self.in_flight.is_some() || self.life != Life::Open {
            return;
        }
        let state = Bytes::from(self.replica.snapshot());
        self.bytes = state.len();
        self.compaction.under_way = Some(Tail { snapshot_bytes: state.len() as u64, ..self.tail });
        self.effects.push(Effect::Compact { covers: self.tail.last, state });
    }

    fn publish(&mut self, frame: Bytes) {
        self.published += 1;
        self.effects.push(Effect::Publish(frame));
    }

    fn refuse(&mut self, session: SessionId, code: CloseCode, reason: String) {
        self.effects.push(Effect::Refuse(session, Refusal::new(code, reason)));
    }
}

enum Rejection {
    Size,
    Apply(ApplyError),
}

fn op(edit: &Edit) -> Op<'_> {
    match edit {
        Edit::Update { session, update } => Op::Update { update, from: Sender(session.0) },
        Edit::Map { edit, .. } => Op::Edit(edit),
    }
}
