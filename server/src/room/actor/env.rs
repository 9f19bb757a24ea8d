//! What rooms share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{bus::SharedBus, clock::Clock, compaction::Compactor, history::Rule, journal::Journal, store::SharedStore};

/// What every room of a process shares.
#[derive(Debug)]
pub struct RoomEnv {
    /// Where snapshots go.
    pub store: SharedStore,
    /// Where edits become durable.
    pub journal: Journal,
    /// The way to other nodes that have the same maps open.
    pub bus: SharedBus,
    /// Who replaces tails.
    pub compactor: Arc<Compactor>,
    /// How long automatic versions stay.
    pub retention: Rule,
    /// What time it is.
    pub clock: Clock,
    /// How long an empty room stays open.
    pub idle_close_after: Duration,
    /// Whether client ids belong to those who have signed in, so that a room has to know whose they are on other nodes.
    pub guards_client_ids: bool,
    /// Rooms that were ever opened: their openings are numbered.
    pub openings: AtomicU64,
    /// Rooms open on this node.
    pub open_rooms: AtomicUsize,
    /// Cancelled when the node goes, so that its sessions should end.
    pub draining: CancellationToken,
    /// Cancelled when rooms shall close as soon as they are empty.
    pub closing: CancellationToken,
}

impl RoomEnv {
    /// Whether other nodes may write to the same store.
    pub(crate) fn is_shared(&self) -> bool {
        self.store.shared_log().is_some()
    }
}
