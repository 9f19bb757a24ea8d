//! What channels and keys are called. The store's identity is in every name, so nodes with different databases never meet on
//! one Redis; and no name has braces, so on a Redis Cluster the rooms spread over all shards.

use synapti_protocol::{envelope::NodeId, graph_id::GraphId};
use uuid::Uuid;

/// Where a message goes, or where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// All nodes.
    All,
    /// One node.
    Node(NodeId),
    /// All nodes that have the map open.
    Room(GraphId),
}

/// The names of one store.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub fn new(identity: Uuid) -> Self {
        Self { prefix: format!("synapti:{}:", identity.simple()) }
    }

    pub fn channel(&self, channel: &Channel) -> String {
        match channel {
            Channel::All => format!("{}all", self.prefix),
            Channel::Node(node) => format!("{}node:{node}", self.prefix),
            Channel::Room(room) => self.room(room.as_str()),
        }
    }

    pub fn room(&self, room: &str) -> String {
        format!("{}room:{room}", self.prefix)
    }

    /// The map that a channel belongs to, if it belongs to one.
    pub fn room_of<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix(&self.prefix)?.strip_prefix("room:")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_found_by_its_channel_and_a_foreign_channel_is_none() {
        let (names, others) = (Names::new(Uuid::from_u128(1)), Names::new(Uuid::from_u128(2)));
        let room = Channel::Room("a-map".parse().unwrap());
        assert_eq!(names.room_of(&names.channel(&room)), Some("a-map"));
        assert_eq!(others.room_of(&names.channel(&room)), None);
        for other in [Channel::All, Channel::Node(NodeId(7))] {
            assert_eq!(names.room_of(&names.channel(&other)), None);
        }
        assert!(!names.channel(&room).contains('{'), "braces would put all rooms on one shard");
    }
}
