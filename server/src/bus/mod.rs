//! The way between nodes: what one publishes of a room, all others hear that have it open. Fast, and allowed to lose, repeat
//! and reorder everything: rooms find out what they miss and ask for it (`room/peers`).

mod inbox;
mod memory;
pub mod redis;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use synapti_protocol::{envelope::NodeId, graph_id::GraphId};

pub use self::redis::{Admission, Lease, SHARED_CACHE_BREAKER, SharedCache, SharedCacheState, SharedLimits};
pub use inbox::{INBOX_BYTES_MAX, INBOX_MESSAGES_MAX, Inbox, Mail, News, inbox};
pub use memory::{Exchange, MemoryBus};

/// Carries envelopes between nodes.
///
/// Guarantees every implementation gives:
/// - nothing that it is asked to carry waits: what there is no room for is dropped;
/// - what it carries arrives unchanged, or not at all; perhaps more than once, perhaps late and in another order;
/// - a node does not hear itself;
/// - once [`Bus::join`] has returned while the bus is up, everything arrives that others publish of the room from then on, but
///   for losses; after losses that it knows of it says [`News::Missed`], or [`News::Away`] and [`News::Joined`].
#[async_trait]
pub trait Bus: fmt::Debug + Send + Sync + 'static {
    /// This run of the program, as others know it.
    fn node(&self) -> NodeId;

    /// Listens to a room until the link is dropped. Returns when others are heard, or soon without that when the bus is away.
    async fn join(&self, room: &GraphId) -> Link;

    /// To all nodes that listen to a room.
    fn publish(&self, room: &GraphId, envelope: Bytes);

    /// To one node, for one of its rooms.
    fn send(&self, node: NodeId, room: &GraphId, envelope: Bytes);

    /// How it is.
    fn health(&self) -> BusHealth;

    /// Tells others that this node goes, and ends.
    async fn close(&self);
}

/// A bus shared by everything that needs it.
pub type SharedBus = Arc<dyn Bus>;

/// How a bus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusHealth {
    /// Whether it carries anything.
    pub state: BusState,
    /// Other nodes that are alive.
    pub nodes: usize,
    /// Why it is away, without secrets.
    pub last_error: Option<String>,
}

/// Whether a bus carries anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusState {
    /// There is none: this is the only node.
    Off,
    /// It carries.
    Up,
    /// It cannot be reached; that is tried again all the time.
    Away,
}

/// One room's end of the bus.
#[derive(Debug)]
pub struct Link {
    /// What the room hears.
    pub mail: Mail,
    /// Ends the listening when it is dropped.
    leave: Option<Leave>,
}

/// What to do when a room listens no more.
type Leaving = Box<dyn FnOnce() + Send + Sync>;

struct Leave(Option<Leaving>);

impl Link {
    /// `leave` is called when the link is dropped.
    pub fn new(mail: Mail, leave: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { mail, leave: Some(Leave(Some(Box::new(leave)))) }
    }

    /// For a room that nobody else can have open.
    pub fn alone() -> Self {
        Self { mail: inbox().1, leave: None }
    }

    /// Whether there may be others.
    pub fn is_alone(&self) -> bool {
        self.leave.is_none()
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(leave) = self.0.take() {
            leave();
        }
    }
}

impl fmt::Debug for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leave")
    }
}
