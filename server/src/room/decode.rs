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
