//! A node without sockets: journal, hub and rooms on a fake store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::map::{MapEdit, NewNode};
use synapti_protocol::graph_id::GraphId;
use synapti_server::{
    bus::MemoryBus,
    clock::Clock,
    compaction::Compactor,
    history::Rule,
    hub::{Hub, HubLimits},
    journal::{Journal, JournalOptions},
    limits::connections::{ConnectionLimits, Connections},
    room::{
        Entrant, Joined, Refusal, RoomError, RoomHandle, SessionId, SessionSlot, actor::RoomEnv, slot::News,
        state::RoomLimits,
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Client, FakeStore, soon};

pub struct NodeOptions {
    pub idle_close_after: Duration,
    pub feed_bytes_max: usize,
    pub unsaved_bytes_max: usize,
    pub version_every: Duration,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            idle_close_after: Duration::from_secs(30),
            feed_bytes_max: 1 << 20,
            unsaved_bytes_max: 0,
            version_every: Duration::ZERO,
        }
    }
}

pub struct Node {
    pub hub: Hub,
    pub journal: Journal,
    pub rooms: TaskTracker,
    pub closing: CancellationToken,
    pub env: Arc<RoomEnv>,
    /// Whether the next look at the clock panics: the only thing of a test's that runs inside a room.
    clock_panics: Arc<AtomicBool>,
}

impl Node {
    pub fn start(store: &FakeStore, options: &NodeOptions) -> Self {
        let (rooms, closing) = (TaskTracker::new(), CancellationToken::new());
        let journal_options =
            JournalOptions { unsaved_bytes_max: options.unsaved_bytes_max, spill_folders: Vec::new() };
        let (journal, _) =
            Journal::start(store.shared(), journal_options, &TaskTracker::new(), CancellationToken::new());
        let clock_panics = Arc::new(AtomicBool::new(false));
        let panics = clock_panics.clone();
        let clock = Clock::from_fn(move || {
            assert!(!panics.swap(false, Ordering::SeqCst), "as the test wants");
            Timestamp::UNIX_EPOCH
        });
        let env = Arc::new(RoomEnv {
            store: store.shared(),
            journal: journal.clone(),
            bus: Arc::new(MemoryBus::alone()),
            compactor: Arc::new(Compactor::default()),
            retention: Rule::default(),
            clock,
            idle_close_after: options.idle_close_after,
            guards_client_ids: false,
            openings: AtomicU64::new(0),
            open_rooms: AtomicUsize::new(0),
            draining: CancellationToken::new(),
            closing: closing.clone(),
        });
        let room =
            RoomLimits { sessions_max: 0, document_bytes_max: 0, nodes_max: 0, version_every: options.version_every };
        let limits = HubLimits { room, feed_bytes_max: options.feed_bytes_max };
        let hub = Hub::new(env.clone(), limits, Connections::new(ConnectionLimits::default()), rooms.clone());
        Self { hub, journal, rooms, closing, env, clock_panics }
    }

    pub fn let_the_next_batch_panic(&self) {
        self.clock_panics.store(true, Ordering::SeqCst);
    }

    pub async fn join(&self, id: &str, session: u64) -> Result<(RoomHandle, Joined), RoomError> {
        self.hub.join(&GraphId::try_from(id).unwrap(), SessionId(session), Entrant::default(), true).await
    }

    /// As [`Node::join`], for a session that is told what becomes of its edits.
    pub async fn join_extended(&self, id: &str, session: u64) -> Result<(RoomHandle, Joined), RoomError> {
        self.hub.join(&GraphId::try_from(id).unwrap(), SessionId(session), Entrant::default().told(), true).await
    }

    pub async fn add(&self, id: &str, node: &str) -> Result<(), RoomError> {
        let edit = MapEdit::AddNode(NewNode::new(node, node));
        self.hub.edit(&GraphId::try_from(id).unwrap(), edit).await.map(|_| ())
    }

    /// Waits until every room has closed.
    pub async fn all_rooms_closed(&self) {
        self.rooms.close();
        soon("rooms close", self.rooms.wait()).await;
        self.rooms.reopen();
    }
}

/// The state of a room as a newcomer gets it.
pub async fn read(room: &RoomHandle) -> Client {
    let mut client = Client::new(4_242);
    client.hear(&room.sync(Bytes::from_static(&[0]), None).await.unwrap());
    client
}

/// What a session was told until it was told what is waited for.
pub async fn heard(slot: &SessionSlot, what: &str, is_it: impl Fn(&News) -> bool) -> News {
    let mut heard = News::default();
    let listening = async {
        while !is_it(&heard) {
            slot.changed().await;
            let news = slot.take();
            heard.acked = news.acked.or(heard.acked);
            heard.unsaved = news.unsaved.or(heard.unsaved);
        }
    };
    soon(what, listening).await;
    heard
}

/// Why a session is told to end.
pub async fn refused(slot: &SessionSlot) -> Refusal {
    let refusal = async {
        loop {
            // The bell rings for the feed, too.
            slot.changed().await;
            if let Some(refusal) = slot.take().refusal {
                return refusal;
            }
        }
    };
    soon("the session is told to end", refusal).await
}
