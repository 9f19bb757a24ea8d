//! People whose sessions are on other nodes.
//!
//! A node tells of its own people only, so what it says of them counts as long as the same client does not show itself here.

use std::collections::BTreeSet;

use synapti_protocol::{
    awareness::{self, AwarenessEntry as Entry, AwarenessView},
    envelope::NodeId,
    limits::AWARENESS_STATE_BYTES_MAX,
};

use super::{Owner, PRESENCE_STATES_MAX, Presence};

/// Offset and prime of FNV-1a, 64 bits; what is left of it fits 53.
const FNV: (u64, u64) = (0xcbf2_9ce4_8422_2325, 0x0100_0000_01b3);
const NAME_BITS: u32 = 53;

impl Presence {
    /// Takes what a node says of its people; `is_whole` = of all of them.
    pub fn hear(&mut self, node: NodeId, said: &AwarenessView<'_>, is_whole: bool, now_ms: u64) {
        for entry in said {
            if entry.state.len() <= AWARENESS_STATE_BYTES_MAX {
                self.hear_of(node, &entry, is_whole, now_ms);
            }
        }
        if is_whole {
            let there: BTreeSet<u64> = said.iter().map(|entry| entry.client).collect();
            self.remove_of(node, now_ms, |client| !there.contains(&client));
        }
    }

    /// A node has gone, and its people with it.
    pub fn node_gone(&mut self, node: NodeId, now_ms: u64) {
        self.remove_of(node, now_ms, |_| true);
    }

    /// What has changed of our own people since the last call, for other nodes.
    pub fn take_own_changes(&mut self) -> Option<Vec<u8>> {
        let dirty = std::mem::take(&mut self.dirty_own);
        let is_here = |client: &u64| !matches!(self.present.get(client), Some(present) if present.owner.is_node());
        let changes: Vec<Entry<'_>> =
            dirty.iter().filter(|client| is_here(client)).filter_map(|&client| self.entry(client)).collect();
        (!changes.is_empty()).then(|| awareness::encode(&changes))
    }

    /// Whether there is something of our own people that other nodes have not been told.
    pub fn has_own_changes(&self) -> bool {
        !self.dirty_own.is_empty()
    }

    /// All of our own people, for a node that has none of them.
    pub fn own(&self) -> Vec<u8> {
        let own: Vec<Entry<'_>> = self.clients_of(None).into_iter().filter_map(|client| self.entry(client)).collect();
        awareness::encode(&own)
    }

    /// Names what a node's people show, as far as we know it; `None` = our own.
    pub fn name_of_all(&self, node: Option<NodeId>) -> u64 {
        let mut name = FNV.0;
        for client in self.clients_of(node) {
            for part in [client, self.present.get(&client).map_or(0, |present| present.clock.into())] {
                name = part.to_le_bytes().iter().fold(name, |name, byte| (name ^ u64::from(*byte)).wrapping_mul(FNV.1));
            }
        }
        name >> (u64::BITS - NAME_BITS)
    }

    /// The clients whose states are a node's, in order; `None` = our own.
    pub fn clients_of(&self, node: Option<NodeId>) -> Vec<u64> {
        let is_of = |owner: Owner| match (owner, node) {
            (Owner::Node(owner), Some(node)) => owner == node,
            (Owner::Session(_) | Owner::Away(_) | Owner::Room, None) => true,
            _ => false,
        };
        let mut clients: Vec<u64> =
            self.present.iter().filter(|(_, present)| is_of(present.owner)).map(|(&client, _)| client).collect();
        clients.sort_unstable();
        clients
    }

    fn hear_of(&mut self, node: NodeId, entry: &Entry<'_>, is_whole: bool, now_ms: u64) {
        let Some(present) = self.present.get(&entry.client) else {
            // What has gone comes back late, unless all of them are told.
            let is_late = self.gone.get(&entry.client).is_some_and(|gone| entry.clock <= gone.clock) && !is_whole;
            if !entry.is_removal() && !is_late && self.present.len() < PRESENCE_STATES_MAX {
                self.show(entry, Owner::Node(node), None, now_ms);
            }
            return;
        };
        let is_its_own = present.owner == Owner::Node(node);
        if entry.is_removal() {
            // With a newer clock also of somebody who was here: they went there, and then left.
            if (is_its_own && entry.clock == present.clock) || entry.clock > present.clock {
                self.remove(entry.client, now_ms);
            }
        } else if entry.clock > present.clock {
            // Also of somebody who was here: they have come back there, and their old connection is not known to be dead.
            self.show(entry, Owner::Node(node), None, now_ms);
        } else if is_its_own
            && entry.clock == present.clock
            && let Some(present) = self.present.get_mut(&entry.client)
        {
            present.renewed_ms = now_ms;
        }
    }

    fn remove_of(&mut self, node: NodeId, now_ms: u64, is_gone: impl Fn(u64) -> bool) {
        for client in self.clients_of(Some(node)) {
            if is_gone(client) {
                self.remove(client, now_ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Entrant, SessionId, Speaker},
        *,
    };

    const THERE: NodeId = NodeId(7);
    const ELSEWHERE: NodeId = NodeId(8);

    fn said(entries: &[(u64, u32, &str)]) -> Vec<u8> {
        awareness::encode(
            &entries.iter().map(|&(client, clock, state)| Entry { client, clock, state }).collect::<Vec<_>>(),
        )
    }

    fn hear(presence: &mut Presence, node: NodeId, entries: &[(u64, u32, &str)], is_whole: bool) {
        let payload = said(entries);
        presence.hear(node, &awareness::scan(&payload).unwrap(), is_whole, 0);
    }

    fn announce(presence: &mut Presence, session: u64, entries: &[(u64, u32, &str)]) {
        let joined = presence.join();
        let speaker = Speaker { session: SessionId(session), is: Entrant::default(), joined };
        presence.apply(speaker, &said(entries), 0, |_| true).unwrap();
    }

    fn shown(presence: &Presence) -> Vec<(u64, u32)> {
        let mut shown: Vec<_> = presence.present.iter().map(|(&client, present)| (client, present.clock)).collect();
        shown.sort_unstable();
        shown
    }

    #[test]
    fn people_of_other_nodes_are_shown_and_go_with_their_node() {
        let mut presence = Presence::default();
        hear(&mut presence, THERE, &[(1, 5, "{}"), (2, 1, "{}")], false);
        hear(&mut presence, ELSEWHERE, &[(3, 1, "{}")], false);
        announce(&mut presence, 9, &[(4, 1, "{}")]);
        assert_eq!(shown(&presence), [(1, 5), (2, 1), (3, 1), (4, 1)]);
        assert_eq!(presence.take_own_changes().unwrap(), said(&[(4, 1, "{}")]), "only our own are told on");
        hear(&mut presence, THERE, &[(1, 5, "null")], false);
        hear(&mut presence, ELSEWHERE, &[(2, 1, "null")], false);
        hear(&mut presence, THERE, &[(1, 5, "{}")], false);
        assert_eq!(shown(&presence), [(2, 1), (3, 1), (4, 1)], "a word that is late, and one about others");
        hear(&mut presence, THERE, &[(1, 5, "{}")], true);
        assert_eq!(shown(&presence), [(1, 5), (3, 1), (4, 1)]);
        presence.node_gone(THERE, 0);
        assert_eq!(shown(&presence), [(3, 1), (4, 1)]);
        presence.leave(SessionId(9), 0);
        assert_eq!(presence.take_own_changes().unwrap(), said(&[(4, 1, "null")]));
    }

    #[test]
    fn who_moved_and_left_from_there_has_gone_everywhere() {
        let mut presence = Presence::default();
        announce(&mut presence, 9, &[(1, 5, "{}")]);
        hear(&mut presence, THERE, &[(1, 6, "null")], false);
        assert_eq!(shown(&presence), []);
        // And here, of somebody whose last word came to another node.
        hear(&mut presence, THERE, &[(2, 5, "{}")], false);
        presence.take_own_changes();
        announce(&mut presence, 10, &[(2, 6, "null")]);
        assert_eq!(presence.take_own_changes().unwrap(), said(&[(2, 6, "null")]));
    }

    #[test]
    fn who_moves_is_shown_where_they_are() {
        let mut presence = Presence::default();
        announce(&mut presence, 9, &[(1, 5, "{}")]);
        hear(&mut presence, THERE, &[(1, 6, "{}")], false);
        presence.leave(SessionId(9), 0);
        assert_eq!(shown(&presence), [(1, 6)], "the old connection takes nothing with it");
        assert_eq!(presence.take_own_changes(), None);
        announce(&mut presence, 10, &[(1, 7, "{}")]);
        hear(&mut presence, THERE, &[(1, 6, "null")], false);
        presence.node_gone(THERE, 0);
        assert_eq!(shown(&presence), [(1, 7)]);
        assert_eq!(presence.session_of(1), Some(SessionId(10)));
    }

    #[test]
    fn a_name_tells_apart_what_a_nodes_people_show() {
        let (mut here, mut there) = (Presence::default(), Presence::default());
        announce(&mut there, 1, &[(1, 5, "{}")]);
        announce(&mut there, 2, &[(2, 5, "{}")]);
        assert_eq!(here.name_of_all(Some(THERE)), Presence::default().name_of_all(None));
        hear(&mut here, THERE, &[(2, 5, "{}")], false);
        assert_ne!(here.name_of_all(Some(THERE)), there.name_of_all(None));
        let own = there.own();
        here.hear(THERE, &awareness::scan(&own).unwrap(), true, 0);
        assert_eq!(here.name_of_all(Some(THERE)), there.name_of_all(None));
    }
}
