//! What a room does, as a pure state machine: facts in, [`Effect`]s out. It knows no task, socket or database.
//!
//! An edit is integrated at once and shown only when it is on disk: while a commit is in flight, further edits
//! gather outside, and whoever reads the room waits. So everything that leaves this module is durable, until the store is
//! behind: then the room runs ahead of it, and says so ([`ahead`]).

mod ahead;
mod cluster;
mod edits;
mod effect;
mod follow;
mod hear;
mod history;
mod ownership;
mod people;
mod restore;
mod runs;
mod settle;
mod size;
mod tail;
mod tell;
mod topic;

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::{Replica, Sender, map::RunOutcome};
use synapti_protocol::{close::CloseCode, envelope::NodeId, graph_id::GraphId};

use super::{
    Cursor, Entrant, Refusal, RequestId, RoomError, SessionId, Welcome,
    owners::Owners,
    presence::{JoinOrder, Presence},
    reads::{Answer, Lookups, Read, ReadCache},
};
use cluster::Cluster;
pub use cluster::Tally;
pub use effect::{Effect, Loaded, RoomLimits};
use follow::Follow;
pub use follow::{TailError, TailRead};
use history::RoomHistory;
use restore::Restore;
pub use runs::RunShown;
use runs::Runs;
pub use size::{Size, fits_empty};
use tail::Compaction;
pub use tail::Tail;
use topic::ListedTopic;
pub use topic::listed;

use crate::history::Schedule;

/// How long an edit may wait for an earlier one before its sender is sent away to reconnect.
const HOLE_CLOSES_WITHIN_MS: u64 = 60_000;

/// Readers that wait for a commit at most.
const READS_WAITING_MAX: usize = 4096;

#[derive(Debug)]
struct Member {
    is: Entrant,
    joined: JoinOrder,
    /// Whether it has edited since the last version.
    has_edited: bool,
    /// Edits of this session that have been looked at.
    edits: u64,
    /// The client id of its last edit that was of one client alone.
    writes_as: Option<u64>,
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    version: u64,
    at_ms: u64,
}

#[derive(Debug)]
struct InFlight {
    /// What is to be published; `None` when it has been.
    frame: Option<Bytes>,
    update_bytes: usize,
    waiting: Vec<Awaited>,
    acks: Vec<(SessionId, u64)>,
    at: Timestamp,
}

/// Who waits for an edit to be on disk, and for what.
#[derive(Debug)]
enum Awaited {
    /// For the map with the edit.
    View(RequestId),
    /// For what came of it.
    Outcome(RequestId, RunOutcome),
}

impl Awaited {
    fn request(&self) -> RequestId {
        match self {
            Self::View(request) | Self::Outcome(request, _) => *request,
        }
    }
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
    listed: ListedTopic,
    /// The map's size, or more.
    size: Size,
    /// The version at which `size` was exact.
    counted: Option<u64>,
    version: u64,
    published: Cursor,
    checkpoint: Cursor,
    members: HashMap<SessionId, Member>,
    presence: Presence,
    owners: Owners,
    presence_sent_ms: Option<u64>,
    cluster: Cluster,
    follow: Follow,
    /// What is on its way to disk, oldest first. More than one only while the room runs ahead or is catching up, and then
    /// all of it has been published.
    in_flight: VecDeque<InFlight>,
    /// Whether the store is behind, so that the room does not wait for it.
    is_ahead: bool,
    /// Whether something was shown that is not on disk.
    has_unsaved: bool,
    /// Sessions whose edits wait for earlier ones, so that they are not acknowledged.
    held: BTreeSet<SessionId>,
    to_ask: BTreeSet<SessionId>,
    reads: Vec<(RequestId, Read)>,
    cache: ReadCache,
    tail: Tail,
    is_damaged: bool,
    compaction: Compaction,
    history: RoomHistory,
    restore: Restore,
    runs: Runs,
    deleters: Vec<RequestId>,
    life: Life,
    effects: Vec<Effect>,
}

impl RoomState {
    /// A room on a loaded map.
    pub fn new(id: GraphId, limits: RoomLimits, loaded: Loaded) -> Self {
        let Loaded {
            replica,
            created_at,
            modified_at,
            topic,
            tail,
            size,
            opening: (node, epoch),
            recorded,
            is_damaged,
        } = loaded;
        Self {
            id,
            limits,
            replica,
            created_at,
            modified_at,
            topic,
            listed: ListedTopic::default(),
            size,
            counted: None,
            version: 0,
            published: 0,
            checkpoint: 0,
            members: HashMap::new(),
            presence: Presence::default(),
            owners: Owners::default(),
            presence_sent_ms: None,
            cluster: Cluster::new(node, epoch, recorded),
            follow: Follow::default(),
            in_flight: VecDeque::new(),
            is_ahead: false,
            has_unsaved: false,
            held: BTreeSet::new(),
            to_ask: BTreeSet::new(),
            reads: Vec::new(),
            cache: ReadCache::default(),
            tail,
            is_damaged,
            compaction: Compaction::default(),
            history: RoomHistory::new(Schedule::new(limits.version_every, None)),
            restore: Restore::default(),
            runs: Runs::default(),
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
    /// [`RoomError::AtCapacity`], and [`RoomError::Gone`] once the graph is deleted.
    pub fn join(&mut self, session: SessionId, entrant: Entrant) -> Result<Welcome, RoomError> {
        if self.life == Life::Deleted {
            return Err(RoomError::Gone);
        }
        if self.limits.sessions_max > 0 && self.members.len() >= self.limits.sessions_max {
            return Err(RoomError::AtCapacity { what: "connections to this map" });
        }
        let joined = self.presence.join();
        let member = Member { is: entrant, joined, has_edited: false, edits: 0, writes_as: None, asked: None };
        self.members.insert(session, member);
        Ok(Welcome {
            question: self.cache.question(&self.replica),
            presence: self.presence.everybody(),
            cursor: self.published,
            has_unsaved: self.has_unsaved,
        })
    }

    /// A session has gone. Edits that it sent before stay.
    pub fn leave(&mut self, session: SessionId, now_ms: u64) {
        self.note_author(session);
        let member = self.members.remove(&session);
        let lingers_for = member.as_ref().and_then(|member| member.is.lingers_for);
        if let Some(member) = member {
            self.owners.leave(session, member.is.principal, now_ms);
        }
        self.to_ask.remove(&session);
        self.held.remove(&session);
        if let Some(principal) = lingers_for {
            self.presence.step_out(session, principal, now_ms);
        } else {
            self.presence.leave(session, now_ms);
        }
        self.flush_presence(now_ms);
    }

    /// Somebody asks. The answer comes as an effect, at once or when nothing is in flight.
    pub fn read(&mut self, request: RequestId, read: Read) {
        if let Read::Presence | Read::PresenceNews = read {
            let is_news = matches!(read, Read::PresenceNews);
            let frame = if is_news { self.presence.news() } else { self.presence.everybody() };
            self.effects.push(Effect::Answer(request, Answer::Presence(frame)));
            return;
        }
        if self.life == Life::Deleted {
            self.effects.push(Effect::Answer(request, Answer::Failed(RoomError::Gone)));
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

    /// The graph is to be deleted. Until the store has answered, nobody is told that it is gone, because the store may
    /// refuse; edits gather meanwhile.
    pub fn delete(&mut self, request: RequestId, now: Timestamp) {
        if self.life == Life::Deleted {
            self.effects.push(Effect::Answer(request, Answer::Failed(RoomError::Gone)));
            return;
        }
        if self.is_ahead {
            self.effects.push(Effect::Answer(request, Answer::Failed(RoomError::NotSaved)));
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
        self.effects.extend(deleters.into_iter().map(|request| Effect::Answer(request, Answer::Deleted)));
        self.tell_deleted();
        self.deleted();
    }

    /// The map is gone: everybody has to go.
    fn deleted(&mut self) {
        self.life = Life::Deleted;
        self.give_up_restoring(|| RoomError::Gone);
        let deleters = std::mem::take(&mut self.deleters);
        self.effects
            .extend(deleters.into_iter().map(|request| Effect::Answer(request, Answer::Failed(RoomError::Gone))));
        for session in self.members.keys().copied().collect::<Vec<_>>() {
            self.refuse(session, CloseCode::Deleted, CloseCode::Deleted.reason().to_owned());
        }
        for (request, _) in std::mem::take(&mut self.reads) {
            self.effects.push(Effect::Answer(request, Answer::Failed(RoomError::Gone)));
        }
    }

    /// Time has passed: presence that waited is sent, what waited too long is given up.
    pub fn tick(&mut self, now_ms: u64) {
        self.renew_runs(now_ms);
        self.presence.expire(now_ms);
        self.flush_presence(now_ms);
        self.tick_owners(now_ms);
        self.cache.sweep();
        self.keep_version_if_due(now_ms);
        for from in self.replica.expire_held(now_ms.saturating_sub(HOLE_CLOSES_WITHIN_MS)) {
            if let Some(node) = from.as_peer() {
                self.cluster.peers.doubt(NodeId(node));
                continue;
            }
            let Sender(session) = from;
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

    /// Whether nobody is here, or expected back, and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.is_saved() && !self.presence.has_away() && !self.compaction.is_under_way && !self.history.is_under_way
    }

    /// Whether nobody is here and all is saved; a compaction may be given up, and the next start removes what is left of it.
    pub fn is_saved(&self) -> bool {
        self.is_handed_over() && self.in_flight.is_empty()
    }

    /// Whether nobody is here and all is with the journal at least.
    pub fn is_handed_over(&self) -> bool {
        let is_left = self.members.is_empty() && self.is_without_runs();
        is_left && self.reads.is_empty() && self.deleters.is_empty() && self.restore.is_idle()
    }

    /// Whether the graph is deleted, so that the room has nothing more to do.
    pub fn is_deleted(&self) -> bool {
        self.life == Life::Deleted
    }

    /// How often encodings of the state could be shared since the last call.
    pub fn take_cache_lookups(&mut self) -> Lookups {
        self.cache.take_lookups()
    }

    /// Sessions in the room.
    pub fn session_count(&self) -> usize {
        self.members.len()
    }

    /// Estimate of the map's encoded size, never too small by much.
    pub fn bytes(&self) -> usize {
        self.size.bytes
    }

    fn publish(&mut self, frame: Bytes) {
        self.published += 1;
        self.effects.push(Effect::Publish(frame));
    }

    fn refuse(&mut self, session: SessionId, code: CloseCode, reason: String) {
        // What of its edits was dropped is not acknowledged with the rest.
        self.held.remove(&session);
        self.effects.push(Effect::Refuse(session, Refusal::new(code, reason)));
    }
}
