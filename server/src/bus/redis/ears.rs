//! What becomes of what Redis sends by itself. Runs inside the connection's read loop, so nothing here waits.

use std::sync::Arc;

use bytes::Bytes;
use redis::{PushInfo, PushKind, Value};
use synapti_protocol::envelope::{self, Foreign, Message, NodeMessage};
use tokio::{sync::Notify, time::Instant};

use super::{Shared, connect::Ears};
use crate::telemetry::metrics::{self, Ignored};

/// Ears for one pair of connections. `connection` is their number; `lost` is rung when one of them is lost.
pub(super) fn ears(shared: Arc<Shared>, connection: u64, lost: Arc<Notify>) -> Ears {
    Arc::new(move |push: PushInfo| -> Result<(), std::convert::Infallible> {
        shared.hear(connection, push, &lost);
        Ok(())
    })
}

impl Shared {
    fn hear(&self, connection: u64, push: PushInfo, lost: &Notify) {
        let PushInfo { kind, data } = push;
        let mut data = data.into_iter();
        let channel = data.next().and_then(|channel| redis::from_redis_value::<String>(channel).ok());
        match (kind, channel) {
            (PushKind::Disconnection, _) => lost.notify_one(),
            (PushKind::Message | PushKind::SMessage, Some(channel)) => {
                if let Some(Value::BulkString(payload)) = data.next() {
                    self.arrived(&channel, &payload.into());
                }
            }
            (PushKind::Subscribe | PushKind::SSubscribe, Some(channel)) => {
                if let Some(room) = self.names.room_of(&channel) {
                    self.rooms.confirmed(connection, room);
                }
            }
            (PushKind::Unsubscribe | PushKind::SUnsubscribe, Some(channel)) => {
                match self.names.room_of(&channel) {
                    Some(room) => self.rooms.ended(connection, room),
                    // We never leave the channels of nodes: a shard has moved.
                    None => lost.notify_one(),
                }
            }
            _ => {}
        }
    }

    fn arrived(&self, channel: &str, bytes: &Bytes) {
        if envelope::sender(bytes) == Some(self.node) {
            return;
        }
        metrics::get().bus.received.increment(1);
        match self.names.room_of(channel) {
            // Whatever it is: the room judges it.
            Some(room) => _ = self.rooms.deliver(room, bytes),
            None => self.arrived_for_node(bytes),
        }
    }

    fn arrived_for_node(&self, bytes: &Bytes) {
        let read = match envelope::read(bytes) {
            Ok(read) => read,
            Err(error) => return metrics::get().bus.ignored(why(&error)),
        };
        match read.message {
            Message::Room { room, .. } => _ = self.rooms.deliver(room, bytes),
            Message::Node(NodeMessage::Alive) => self.nodes.lock().heard(read.node, Instant::now()),
            Message::Node(NodeMessage::Bye) => {
                self.nodes.lock().left(read.node);
                self.rooms.gone(read.node);
            }
            Message::Node(NodeMessage::Probe { .. }) => {}
        }
    }
}

fn why(error: &Foreign) -> Ignored {
    match error {
        Foreign::Unknown => Ignored::Foreign,
        Foreign::Damaged(_) => Ignored::Damaged,
        Foreign::Newer { .. } => Ignored::Newer,
    }
}
