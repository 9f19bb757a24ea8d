//! One node: its open maps, and what is on its way to disk.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use synapti_crdt::{AsideLimits, Replica};
use synapti_protocol::{envelope::NodeId, graph_id::GraphId};
use synapti_server::room::{
    RequestId,
    batch::Edit,
    state::{Loaded, RoomLimits, RoomState, Size, Tail},
};

/// A commit that is older makes the store count as behind.
pub const BEHIND_AFTER_MS: u64 = 1_000;

/// Whether the bus reaches a node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    Hears,
    /// And it does not know yet.
    Deaf,
    KnownDeaf,
}

pub struct Node {
    pub id: NodeId,
    pub is_alive: bool,
    pub hearing: Hearing,
    pub store_up: bool,
    pub rooms: HashMap<usize, Open>,
}

/// An open map.
pub struct Open {
    pub state: RoomState,
    pub frames: Vec<Bytes>,
    pub gathered: Vec<Edit>,
    /// Updates on their way to disk, and when they may be there.
    pub in_flight: VecDeque<(u64, Bytes)>,
    pub handed_over_ms: u64,
    /// Readings of the store: when they are done, and after which record.
    pub reading: Option<(u64, u64)>,
    /// Who waits for the answer to a question, by the number of the question.
    pub asking: HashMap<RequestId, usize>,
    pub empty_since_ms: Option<u64>,
    pub is_behind: bool,
    pub ticked_ms: u64,
    pub looked_ms: u64,
}

impl Node {
    pub fn new(id: u64, hearing: Hearing) -> Self {
        Self { id: NodeId(id), is_alive: true, hearing, store_up: true, rooms: HashMap::new() }
    }
}

impl Open {
    /// Opens a map from its records. `opening` is never used again.
    pub fn load(map: usize, records: &[Bytes], node: NodeId, opening: u64, now_ms: u64) -> Self {
        let loaded = Loaded {
            replica: replica(records, 1_000_000 + opening),
            created_at: Timestamp::UNIX_EPOCH,
            modified_at: Timestamp::UNIX_EPOCH,
            topic: String::new(),
            tail: Tail::default(),
            size: Size::default(),
            opening: (node, opening),
            recorded: records.len() as u64,
            is_damaged: false,
        };
        let limits = RoomLimits { sessions_max: 0, document_bytes_max: 0, nodes_max: 0, version_every: Duration::ZERO };
        Self {
            state: RoomState::new(GraphId::try_from(format!("map-{map}").as_str()).unwrap(), limits, loaded),
            frames: Vec::new(),
            gathered: Vec::new(),
            in_flight: VecDeque::new(),
            handed_over_ms: 0,
            reading: None,
            asking: HashMap::new(),
            empty_since_ms: None,
            is_behind: false,
            ticked_ms: now_ms,
            looked_ms: now_ms,
        }
    }
}

pub fn replica(records: &[Bytes], client_id: u64) -> Replica {
    Replica::load(client_id, AsideLimits::default(), records.iter().map(|update| &**update)).unwrap()
}
