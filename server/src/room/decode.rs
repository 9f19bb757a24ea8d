//! From a graph's stored bytes to its document.

use synapti_crdt::{AsideLimits, Replica, Sender};

use crate::store::StoredGraph;

/// State vector of a document without content.
const NOTHING: [u8; 1] = [0];

/// Decodes snapshot and tail. Takes tens of milliseconds for a large map: not for an async task.
///
/// What joins on to nothing stays at the gate when records are known to be lost: whoever still has those can bring them.
///
/// # Errors
/// Why it cannot be read; also when records are missing and the store did not say so, and when nothing is left of it.
pub(crate) fn decode(client_id: u64, stored: &StoredGraph) -> Result<Replica, String> {
    let updates = stored.snapshot.iter().chain(&stored.tail).map(Vec::as_slice);
    let replica = Replica::load(client_id, AsideLimits::default(), updates).map_err(|error| error.to_string())?;
    let has_holes = replica.held_from(Sender::default()) > 0;
    if has_holes && !stored.damage.iter().any(|damage| damage.is_loss) {
        return Err("records are missing from its journal".to_owned());
    }
    if has_holes && replica.state_vector() == NOTHING {
        return Err("what is left of it begins after what is missing".to_owned());
    }
    Ok(replica)
}

#[cfg(test)]
mod tests {
    use synapti_crdt::{
        Op,
        map::{MapEdit, NewNode},
    };

    use super::*;
    use crate::store::Damage;

    /// One record for each of some nodes that are added one after the other.
    fn records(nodes: u32) -> Vec<Vec<u8>> {
        let mut replica = Replica::new(7, AsideLimits::default());
        let mut add = |n| {
            let node = MapEdit::AddNode(NewNode::new(format!("n{n}"), "title"));
            replica.apply([Op::Edit(&node)], 0).update.expect("it is new")
        };
        (0..nodes).map(&mut add).collect()
    }

    fn stored(tail: Vec<Vec<u8>>, is_loss: Option<bool>) -> StoredGraph {
        let damage = is_loss.map(|is_loss| Damage { what: "x".to_owned(), is_loss });
        StoredGraph { tail, damage: damage.into_iter().collect(), ..StoredGraph::default() }
    }

    #[test]
    fn a_hole_is_an_error_unless_the_store_has_told_of_it() {
        let mut tail = records(5);
        assert_eq!(decode(1, &stored(tail.clone(), None)).unwrap().map().nodes.len(), 5);
        tail.remove(2);
        for told in [None, Some(false)] {
            assert!(decode(1, &stored(tail.clone(), told)).unwrap_err().contains("records are missing"));
        }
        let torn = decode(1, &stored(tail, Some(true))).unwrap();
        assert_eq!(torn.map().nodes.len(), 2, "what comes before the hole");
    }

    #[test]
    fn who_still_has_what_is_missing_can_bring_it() {
        let mut tail = records(5);
        let missing = tail.remove(2);
        let mut torn = decode(1, &stored(tail, Some(true))).unwrap();
        let applied = torn.apply([Op::Update { update: &missing, from: Sender(9) }], 0);
        assert!(applied.results[0].is_ok());
        assert_eq!(torn.map().nodes.len(), 5);
    }

    #[test]
    fn nothing_is_not_opened_as_an_empty_map() {
        let tail = records(5).split_off(1);
        assert!(decode(1, &stored(tail, Some(true))).unwrap_err().contains("begins after what is missing"));
        assert!(decode(1, &stored(Vec::new(), None)).unwrap().map().nodes.is_empty(), "one that was always empty is");
        assert!(decode(1, &stored(vec![b"rubbish".to_vec()], Some(true))).is_err());
    }
}
