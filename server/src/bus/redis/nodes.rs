//! Which other nodes are alive: who says so every two seconds is, and who has not said so for ten is gone.

use std::{collections::HashMap, time::Duration};

use synapti_protocol::envelope::NodeId;
use tokio::time::Instant;

/// How often a node says that it is there.
pub(super) const ALIVE_EVERY: Duration = Duration::from_secs(2);

/// A node that has said nothing for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(10);

/// A gap between two looks from which on we are the ones who were away: stopped, or starved.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// Nodes that are remembered; more than this nobody runs, but anybody who reaches Redis can make names up.
const NODES_MAX: usize = 4096;

/// Other nodes, with the time of their last sign of life. Time comes in as a parameter.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    heard: HashMap<NodeId, Instant>,
    looked: Option<Instant>,
}

impl Nodes {
    /// A sign of life.
    pub fn heard(&mut self, node: NodeId, now: Instant) {
        if self.heard.len() < NODES_MAX || self.heard.contains_key(&node) {
            self.heard.insert(node, now);
        }
    }

    /// A node has said that it goes.
    pub fn left(&mut self, node: NodeId) {
        self.heard.remove(&node);
    }

    /// We hear again: silence up to now proves nothing.
    pub fn hear_again(&mut self, now: Instant) {
        self.heard.values_mut().for_each(|heard| *heard = now);
        self.looked = Some(now);
    }

    /// Takes out those that are gone. Look about every second.
    pub fn take_gone(&mut self, now: Instant) -> Vec<NodeId> {
        let before = self.looked.replace(now);
        if before.is_some_and(|before| now - before > STALLED_AFTER) {
            self.hear_again(now);
        }
        let is_gone = |heard: &Instant| now - *heard >= GONE_AFTER;
        self.heard.extract_if(|_, heard| is_gone(heard)).map(|(node, _)| node).collect()
    }

    /// How many are alive.
    pub fn count(&self) -> usize {
        self.heard.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_is_silent_for_ten_seconds_is_gone_once() {
        let (mut nodes, start) = (Nodes::default(), Instant::now());
        nodes.heard(NodeId(1), start);
        nodes.heard(NodeId(2), start);
        for second in 1..10 {
            nodes.heard(NodeId(2), start + second * SECOND);
            assert_eq!(nodes.take_gone(start + second * SECOND), []);
        }
        assert_eq!(nodes.take_gone(start + 10 * SECOND), [NodeId(1)]);
        assert_eq!((nodes.take_gone(start + 11 * SECOND), nodes.count()), (Vec::new(), 1));
        nodes.left(NodeId(2));
        assert_eq!(nodes.count(), 0);
    }

    #[test]
    fn silence_while_we_were_away_or_stopped_proves_nothing() {
        let (mut nodes, start) = (Nodes::default(), Instant::now());
        nodes.heard(NodeId(1), start);
        nodes.take_gone(start);
        nodes.hear_again(start + 60 * SECOND);
        assert_eq!(nodes.take_gone(start + 61 * SECOND), []);
        assert_eq!(nodes.take_gone(start + 120 * SECOND), [], "nobody looked for a minute: we were stopped");
        let mut now = start + 120 * SECOND;
        let gone = (0..20).find_map(|_| {
            now += SECOND;
            nodes.take_gone(now).pop()
        });
        assert_eq!((gone, now), (Some(NodeId(1)), start + 130 * SECOND));
    }

    #[test]
    fn made_up_names_take_bounded_memory() {
        let (mut nodes, now) = (Nodes::default(), Instant::now());
        (0..10_000).for_each(|node| nodes.heard(NodeId(node), now));
        assert_eq!(nodes.count(), NODES_MAX);
    }
}
