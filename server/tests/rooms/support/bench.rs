//! A room's state on its own, with a disk that commits when the test says so.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::{AsideLimits, Replica, map::MapEdit};
use synapti_protocol::{close::CloseCode, envelope::NodeId, graph_id::GraphId, message};
use synapti_server::room::{
    Entrant, GraphView, Principal, RequestId, RoomError, SessionId, SyncReply, Welcome,
    batch::Edit,
    reads::{Answer, Read},
    state::{Effect, Loaded, RoomLimits, RoomState, Size, Tail},
};

use super::Client;

/// What a room wanted done, sorted by kind.
#[derive(Debug, Default)]
pub struct Seen {
    pub commits: Vec<(Bytes, Option<String>)>,
    pub frames: Vec<Bytes>,
    pub answers: Vec<(RequestId, Answer)>,
    pub asked: Vec<SessionId>,
    pub refused: Vec<(SessionId, CloseCode)>,
    pub acks: Vec<(u64, u64)>,
    pub unsaved: Vec<bool>,
    pub compactions: usize,
    pub versions: Vec<Option<String>>,
    pub tombstones: usize,
    /// What single sessions were told of their own presence.
    pub own_presence: Vec<Bytes>,
}

impl Seen {
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
            && self.frames.is_empty()
            && self.answers.is_empty()
            && self.asked.is_empty()
            && self.refused.is_empty()
            && self.acks.is_empty()
            && self.unsaved.is_empty()
            && self.compactions == 0
            && self.versions.is_empty()
            && self.tombstones == 0
    }

    /// The only answer, which is a state.
    pub fn sync(mut self) -> SyncReply {
        assert_eq!(self.answers.len(), 1, "{self:?}");
        match self.answers.remove(0).1 {
            Answer::Sync(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// The nodes in the only answer, which is a state.
    pub fn view_nodes(self) -> Vec<String> {
        let mut viewer = Client::new(7_777);
        viewer.hear(&self.sync());
        viewer.nodes()
    }

    /// The only answer, which is the map.
    pub fn view(mut self) -> std::sync::Arc<GraphView> {
        assert_eq!(self.answers.len(), 1, "{self:?}");
        match self.answers.remove(0).1 {
            Answer::View(view) => view,
            other => panic!("{other:?}"),
        }
    }

    /// The only answer, which is an error.
    pub fn error(mut self) -> RoomError {
        assert_eq!(self.answers.len(), 1, "{self:?}");
        match self.answers.remove(0).1 {
            Answer::Failed(error) => error,
            other => panic!("{other:?}"),
        }
    }
}

#[derive(Debug)]
pub struct Bench {
    pub room: RoomState,
    pub now_ms: u64,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(RoomLimits { sessions_max: 0, document_bytes_max: 0, nodes_max: 0, version_every: Duration::ZERO })
    }

    pub fn with(limits: RoomLimits) -> Self {
        let loaded = Loaded {
            replica: Replica::new(99, AsideLimits::default()),
            created_at: Timestamp::UNIX_EPOCH,
            modified_at: Timestamp::UNIX_EPOCH,
            topic: String::new(),
            tail: Tail::default(),
            size: Size::default(),
            opening: (NodeId(1), 1),
            recorded: 0,
            is_damaged: false,
        };
        let id = GraphId::try_from("bench").unwrap();
        Self { room: RoomState::new(id, limits, loaded), now_ms: 1_000 }
    }

    pub fn join(&mut self, session: u64) -> Welcome {
        self.join_as(session, Principal::default())
    }

    /// As [`Bench::join`], for somebody who has signed in.
    pub fn join_as(&mut self, session: u64, principal: Principal) -> Welcome {
        self.enter(session, Entrant::of(principal))
    }

    /// As [`Bench::join`], as any entrant.
    pub fn enter(&mut self, session: u64, entrant: Entrant) -> Welcome {
        self.room.join(SessionId(session), entrant).unwrap()
    }

    /// As [`Bench::join`], for somebody who is told what becomes of their edits.
    pub fn join_extended(&mut self, session: u64) -> Welcome {
        self.enter(session, Entrant::default().told())
    }

    pub fn store_is_behind(&mut self, is_behind: bool) -> Seen {
        self.room.store_is_behind(is_behind, self.now_ms);
        self.take()
    }

    /// Integrates one session's updates as one batch.
    pub fn update(&mut self, session: u64, updates: impl IntoIterator<Item = Bytes>) -> Seen {
        let edits: Vec<Edit> = updates.into_iter().map(|update| update_of(session, update)).collect();
        self.integrate(&edits)
    }

    pub fn integrate(&mut self, edits: &[Edit]) -> Seen {
        assert!(self.room.can_integrate(true));
        self.room.integrate(edits, Timestamp::UNIX_EPOCH, self.now_ms);
        self.take()
    }

    /// The batch in flight reaches the disk.
    pub fn commit(&mut self) -> Seen {
        self.room.committed(0, self.now_ms);
        self.take()
    }

    /// Integrates one update and sees it committed.
    pub fn save(&mut self, session: u64, update: Bytes) -> Seen {
        let seen = self.update(session, [update]);
        assert_eq!(seen.commits.len(), 1, "{seen:?}");
        self.commit()
    }

    pub fn read(&mut self, request: u64, read: Read) -> Seen {
        self.room.read(RequestId(request), read);
        self.take()
    }

    pub fn sync(&mut self, request: u64, after: Option<(u64, u64)>) -> Seen {
        let after = after.map(|(session, edits)| (SessionId(session), edits));
        self.read(request, Read::Sync { state_vector: Bytes::from_static(&[0]), after })
    }

    pub fn delete(&mut self, request: u64) -> Seen {
        self.room.delete(RequestId(request), Timestamp::UNIX_EPOCH);
        self.take()
    }

    pub fn awareness(&mut self, session: u64, payload: &[u8]) -> Seen {
        self.room.awareness(SessionId(session), payload, self.now_ms);
        self.take()
    }

    pub fn tick_after(&mut self, ms: u64) -> Seen {
        self.now_ms += ms;
        self.room.tick(self.now_ms);
        self.take()
    }

    pub fn take(&mut self) -> Seen {
        let mut seen = Seen::default();
        for effect in self.room.take_effects() {
            match effect {
                Effect::Commit { update, topic, .. } => seen.commits.push((update, topic)),
                Effect::Publish(frame) => seen.frames.push(frame),
                Effect::Answer(request, answer) => seen.answers.push((request, answer)),
                Effect::Ask(session, question) => {
                    assert!(message::parse(&question).is_ok());
                    seen.asked.push(session);
                }
                Effect::Refuse(session, refusal) => seen.refused.push((session, refusal.code)),
                Effect::Ack(session, edits) => seen.acks.push((session.0, edits)),
                Effect::Unsaved(is_unsaved) => seen.unsaved.push(is_unsaved),
                Effect::Compact => seen.compactions += 1,
                Effect::KeepVersion { author, .. } => seen.versions.push(author),
                Effect::Checkpoint(state_vector) => assert!(!state_vector.is_empty()),
                Effect::SayPresence(_, frame) => seen.own_presence.push(frame),
                Effect::Tombstone(_) => seen.tombstones += 1,
                Effect::Broadcast(_) | Effect::Send(..) | Effect::ReadTail(_) | Effect::Tally(_) => {
                    panic!("this room is alone: {effect:?}")
                }
            }
        }
        seen
    }
}

/// A client's update as a room takes it.
pub fn update_of(session: u64, update: Bytes) -> Edit {
    Edit::Update { session: SessionId(session), update }
}

/// An edit through the API.
pub fn map_edit(request: u64, edit: MapEdit) -> Edit {
    Edit::Map { request: RequestId(request), edit: Box::new(edit) }
}
