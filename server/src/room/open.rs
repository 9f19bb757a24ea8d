//! Opening a room: from a graph's stored snapshot and tail to a running state.

use std::{sync::atomic::Ordering, time::Duration};

use synapti_protocol::{envelope::NodeId, graph_id::GraphId, update};
use tokio::time::timeout;

use super::{
    RoomError,
    actor::RoomEnv,
    decode,
    handle::CallError,
    state::{Loaded, RoomLimits, RoomState, Size, Tail},
};
use crate::bus::Link;
use crate::store::{Damage, GraphKey, GraphRecord, Lookup, StoreError, StoredGraph};
use crate::telemetry::metrics;

/// How long the store may take to look a graph up.
const FOUND_WITHIN: Duration = Duration::from_secs(5);

/// How long it may take to read one: the largest takes a second from a slow disk, a damaged one is looked for everywhere.
const LOADED_WITHIN: Duration = Duration::from_mins(2);

/// Why a room could not be opened, for everybody who waits for it.
#[derive(Clone, Debug)]
pub(crate) enum OpenFailure {
    NotFound,
    Gone,
    /// The stored document is not readable. It is left as it is.
    Unreadable(String),
    /// The store did not answer.
    Store(String),
}

impl From<StoreError> for OpenFailure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged { .. } => Self::Unreadable(error.to_string()),
            StoreError::Gone(_) => Self::Gone,
            error => Self::Store(error.to_string()),
        }
    }
}

impl OpenFailure {
    /// As the answer to a call.
    pub(crate) fn to_error(&self) -> CallError {
        CallError::Room(match self {
            Self::NotFound => RoomError::NotFound,
            Self::Gone => RoomError::Gone,
            Self::Unreadable(what) => RoomError::Unreadable(what.clone()),
            Self::Store(what) => RoomError::Unavailable(what.clone()),
        })
    }
}

/// A room that is ready to run.
pub(crate) struct Opened {
    pub(crate) key: GraphKey,
    pub(crate) link: Link,
    pub(crate) state: RoomState,
}

/// Loads a graph. Never makes an empty map out of one that cannot be read.
pub(crate) async fn load(env: &RoomEnv, id: &GraphId, limits: RoomLimits) -> Result<Opened, OpenFailure> {
    // First others are heard, then the store is read: so between the two nothing is missed.
    let link = env.bus.join(id).await;
    let record = match answer(FOUND_WITHIN, env.store.find(id)).await? {
        Lookup::Live(record) => record,
        Lookup::Deleted { .. } => return Err(OpenFailure::Gone),
        Lookup::Missing => return Err(OpenFailure::NotFound),
    };
    let stored = answer(LOADED_WITHIN, env.store.load(record.key)).await?;
    if !stored.damage.is_empty() {
        metrics::get().damaged_graphs.increment(1);
    }
    for Damage { what, is_loss } in &stored.damage {
        tracing::error!(
            graph = %id, what, is_loss,
            "map is damaged in the store: run `synapti check`, and if content is missing restore a backup"
        );
    }
    let key = record.key;
    let client_id = fresh_client_id();
    let recorded = if env.is_shared() { stored.last.0.unsigned_abs() } else { 0 };
    let opening = (env.bus.node(), env.openings.fetch_add(1, Ordering::Relaxed) + 1);
    // Decoding a large map takes tens of milliseconds, which a worker thread owes to other rooms.
    let loaded = tokio::task::spawn_blocking(move || integrate(client_id, opening, recorded, record, &stored))
        .await
        .map_err(|_| OpenFailure::Unreadable("decoding it failed".into()))?;
    let loaded = loaded.inspect_err(|failure| tracing::error!(graph = %id, ?failure, "map cannot be opened"))?;
    Ok(Opened { key, link, state: RoomState::new(id.clone(), limits, loaded) })
}

/// What the store answers; a store that hangs must not keep a room opening for ever.
async fn answer<T>(within: Duration, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, OpenFailure> {
    match timeout(within, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(OpenFailure::Store("it did not answer in time".to_owned())),
    }
}

fn integrate(
    client_id: u64,
    opening: (NodeId, u64),
    recorded: u64,
    record: GraphRecord,
    stored: &StoredGraph,
) -> Result<Loaded, OpenFailure> {
    let replica = decode(client_id, stored).map_err(OpenFailure::Unreadable)?;
    let snapshot_bytes = stored.snapshot.as_ref().map_or(0, Vec::len);
    let structs = stored.snapshot.iter().chain(&stored.tail).filter_map(|update| update::scan(update).ok());
    let size = Size {
        bytes: snapshot_bytes + stored.tail_bytes as usize,
        structs: structs.map(|view| view.struct_count() + 2 * view.delete_range_count()).sum(),
        nodes: replica.node_count(),
    };
    Ok(Loaded {
        replica,
        created_at: record.created_at,
        modified_at: record.modified_at,
        topic: record.topic,
        size,
        tail: Tail {
            records: stored.tail.len() as u32,
            bytes: stored.tail_bytes,
            snapshot_bytes: snapshot_bytes as u64,
            ..Tail::default()
        },
        opening,
        recorded,
        is_damaged: stored.damage.iter().any(|damage| damage.is_loss),
    })
}

/// An id for the server's own edits, never used before: 31 bits at random, as Yjs clients choose theirs.
pub(crate) fn fresh_client_id() -> u64 {
    u64::from(rand::random_range(1..u32::MAX))
}
