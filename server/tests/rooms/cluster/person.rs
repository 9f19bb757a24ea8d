//! Somebody with a copy of one map, at a node or on the way.

use bytes::Bytes;
use synapti_server::room::SessionId;

use crate::support::Client;

pub struct Person {
    pub client: Client,
    pub map: usize,
    pub place: Option<Place>,
    /// Every edit that a server has acknowledged.
    pub acknowledged: Vec<Bytes>,
    edits: usize,
    pub clock: u32,
}

/// A session at a node.
pub struct Place {
    pub node: usize,
    pub session: SessionId,
    /// How many frames have been read.
    pub cursor: usize,
    /// What was sent in this session, in order.
    pub sent: Vec<Bytes>,
    pub acked: usize,
}

impl Person {
    pub fn new(number: usize, map: usize) -> Self {
        let client = Client::new(number as u64 + 1);
        Self { client, map, place: None, acknowledged: Vec::new(), edits: 0, clock: 0 }
    }

    pub fn edit(&mut self) -> Bytes {
        self.edits += 1;
        let node = format!("{} {}", self.client.id, self.edits);
        self.client.add(node)
    }

    /// The first so many edits of the session are on disk.
    pub fn acked(&mut self, count: usize) {
        let Some(place) = &mut self.place else { return };
        self.acknowledged.extend(place.sent[place.acked..count].iter().cloned());
        place.acked = count;
    }
}
