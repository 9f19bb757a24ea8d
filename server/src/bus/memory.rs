//! A bus within one process: for a node that is alone, and for tests with several nodes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use synapti_protocol::{envelope::NodeId, graph_id::GraphId};

use super::{Bus, BusHealth, BusState, Inbox, Link, inbox};

/// What the nodes of one process share. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Exchange(Arc<Places>);

#[derive(Debug, Default)]
struct Places {
    rooms: Mutex<HashMap<GraphId, Vec<Listener>>>,
    nodes: Mutex<Vec<NodeId>>,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct Listener {
    number: u64,
    node: NodeId,
    inbox: Inbox,
}

/// One node's end of an [`Exchange`].
#[derive(Debug)]
pub struct MemoryBus {
    node: NodeId,
    /// `None` for a node that is alone: nobody can hear it.
    places: Option<Arc<Places>>,
}

impl Exchange {
    /// A node on this exchange.
    pub fn node(&self, node: NodeId) -> MemoryBus {
        self.0.nodes.lock().push(node);
        MemoryBus { node, places: Some(self.0.clone()) }
    }
}

impl MemoryBus {
    /// For the only node.
    pub fn alone() -> Self {
        Self { node: NodeId(0), places: None }
    }
}

impl Places {
    fn each(&self, room: &GraphId, tell: impl Fn(&Listener)) {
        self.rooms.lock().get(room).into_iter().flatten().for_each(tell);
    }

    fn leave(&self, room: &GraphId, number: u64) {
        let mut rooms = self.rooms.lock();
        let Some(listeners) = rooms.get_mut(room) else { return };
        listeners.retain(|listener| listener.number != number);
        if listeners.is_empty() {
            rooms.remove(room);
        }
    }
}

#[async_trait]
impl Bus for MemoryBus {
    fn node(&self) -> NodeId {
        self.node
    }

    async fn join(&self, room: &GraphId) -> Link {
        let Some(places) = self.places.clone() else { return Link::alone() };
        let (inbox, mail) = inbox();
        inbox.set_joined(true);
        let number = places.numbers.fetch_add(1, Ordering::Relaxed);
        places.rooms.lock().entry(room.clone()).or_default().push(Listener { number, node: self.node, inbox });
        let room = room.clone();
        Link::new(mail, move || places.leave(&room, number))
    }

    fn publish(&self, room: &GraphId, envelope: Bytes) {
        let Some(places) = &self.places else { return };
        places.each(room, |listener| {
            if listener.node != self.node {
                listener.inbox.put(envelope.clone());
            }
        });
    }

    fn send(&self, node: NodeId, room: &GraphId, envelope: Bytes) {
        let Some(places) = &self.places else { return };
        places.each(room, |listener| {
            if listener.node == node {
                listener.inbox.put(envelope.clone());
            }
        });
    }

    fn health(&self) -> BusHealth {
        let (state, nodes) = match &self.places {
            Some(places) => (BusState::Up, places.nodes.lock().len().saturating_sub(1)),
            None => (BusState::Off, 0),
        };
        BusHealth { state, nodes, last_error: None }
    }

    async fn close(&self) {
        let Some(places) = &self.places else { return };
        places.nodes.lock().retain(|node| *node != self.node);
        let mut rooms = places.rooms.lock();
        for listeners in rooms.values_mut() {
            listeners.retain(|listener| listener.node != self.node);
            for listener in listeners.iter() {
                listener.inbox.gone(self.node);
            }
        }
    }
}
