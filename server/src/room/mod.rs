//! One map while it is open.
//!
//! [`RoomState`](state) decides and [`actor`] performs; a [`RoomHandle`] is what the rest of the server holds.
//! An edit goes in by the edits lane; joins, leaves, presence and reads have a lane of their own, so that a
//! journal that is behind slows writers and nobody else. Frames leave by the [`Feed`].

pub mod actor;
pub mod batch;
mod decode;
pub mod feed;
pub mod handle;
pub mod lanes;
pub mod open;
pub mod owners;
pub mod peers;
pub mod places;
pub mod presence;
pub mod reads;
pub mod recorded;
pub mod slot;
pub mod snapshot;
pub mod state;
pub mod view;

use synapti_crdt::map::EditError;

use crate::store::StoreError;

pub(crate) use decode::decode;
pub use feed::{Cursor, Feed};
pub use handle::{CallError, Joined, Restoring, RoomHandle, SyncReply, Welcome};
pub(crate) use open::fresh_client_id;
pub use places::RunPlace;
pub use slot::{Refusal, SessionSlot};
pub use snapshot::Snapshot;
pub use view::GraphView;

/// Number of a session, unique in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// On whose behalf a session acts: a user, a key, a guest. Client ids belong to principals, not to sessions, because a client
/// keeps its id when it reconnects. Zero, the default, is everybody where nobody signs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal(pub u64);

/// As what a session comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entrant {
    /// On whose behalf.
    pub principal: Principal,
    /// Whether nothing that it writes is taken. Then no client id comes to belong to its principal by it.
    pub only_reads: bool,
    /// Whether it is told what becomes of its edits.
    pub is_told: bool,
    /// On whose behalf what it shows of its client stays for a while after it, if it does: a client that polls has many short
    /// sessions.
    pub lingers_for: Option<Principal>,
}

impl Entrant {
    /// One that is told nothing, and whose presence ends with it.
    pub fn of(principal: Principal) -> Self {
        Self { principal, ..Self::default() }
    }

    /// The same, who may only read.
    #[must_use]
    pub fn only_reading(self) -> Self {
        Self { only_reads: true, ..self }
    }

    /// The same, of whom it depends whether they may edit.
    #[must_use]
    pub fn who_may_edit(self, may_edit: bool) -> Self {
        Self { only_reads: !may_edit, ..self }
    }

    /// The same, told what becomes of its edits.
    #[must_use]
    pub fn told(self) -> Self {
        Self { is_told: true, ..self }
    }

    /// The same, with a presence that stays for a while; counted as this one's.
    #[must_use]
    pub fn lingering_for(self, principal: Principal) -> Self {
        Self { lingers_for: Some(principal), ..self }
    }
}

/// Of whom a client speaks in an awareness message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Of itself: it has not heard of others yet.
    Itself,
    /// Perhaps of others, which it passes on.
    Anybody,
}

/// Number of a question to a room, unique in this room; the actor keeps who waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Why a room did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// There is no such graph.
    #[error("no such graph")]
    NotFound,
    /// The graph was deleted; its id is not given out again.
    #[error("this graph was deleted")]
    Gone,
    /// The id is in use.
    #[error("a graph with this id exists")]
    Exists,
    /// The edit makes no sense in the map as it is.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The map, or the edit, is larger than allowed.
    #[error("{what} is larger than the limit of {bytes_max} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        bytes_max: usize,
    },
    /// The map has as much of something as it may have.
    #[error("the map would have too many {what}: the limit is {count_max}. Remove some, or begin another map")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        count_max: usize,
    },
    /// The journal cannot commit at present, so the edit is not durable. It may become durable later.
    #[error("the edit could not be saved in time; it may be saved later")]
    NotSaved,
    /// A commit is overdue, and the map cannot be read before it: what is not saved is never shown.
    #[error("the store does not save at present, so this map cannot be read: try again later")]
    Stalled,
    /// An edit of a run came when the run was not this node's any more. It was not done.
    #[error("another node has this run now")]
    TooLate,
    /// The server is shutting down.
    #[error("this node is restarting")]
    Draining,
    /// No place is left in the room or on the node.
    #[error("at capacity: {what}")]
    AtCapacity {
        /// Which limit was met.
        what: &'static str,
    },
    /// The store refused a request.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store does not answer, so that a room which is not open cannot be opened.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// The stored document cannot be read.
    #[error("the stored document cannot be read: {0}")]
    Unreadable(String),
    /// The room failed and is being opened again.
    #[error("the room failed and is being restored from the store")]
    Panicked,
}
