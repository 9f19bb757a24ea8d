//! Cross links.

use yrs::{Map, MapPrelim, MapRef, ReadTxn, TransactionMut};

use super::write::{number, set};
use super::{EdgePatch, EditError, NewEdge, check};
use crate::map::read::{child_map, string};
use crate::map::roots::MapRoots;

pub(super) fn add(txn: &mut TransactionMut<'_>, roots: &MapRoots, new: &NewEdge) -> Result<(), EditError> {
    check::id(&new.id)?;
    check::strength(new.strength)?;
    if child_map(txn, &roots.edges, &new.id).is_some() {
        return Err(EditError::EdgeExists(new.id.clone()));
    }
    check_ends(txn, roots, Some(&new.source), Some(&new.target))?;
    check_loop(&new.source, &new.target)?;

    let edge = roots.edges.insert(txn, new.id.as_str(), MapPrelim::default());
    write(txn, &edge, new);
    Ok(())
}

/// Writes what a new edge says.
pub(super) fn write(txn: &mut TransactionMut<'_>, edge: &MapRef, new: &NewEdge) {
    set(txn, edge, "source", new.source.as_str());
    set(txn, edge, "target", new.target.as_str());
    set(txn, edge, "relationship", new.relationship.as_str());
    set(txn, edge, "strength", number(new.strength));
}

pub(super) fn patch(
    txn: &mut TransactionMut<'_>,
    roots: &MapRoots,
    id: &str,
    patch: &EdgePatch,
) -> Result<(), EditError> {
    let edge = child_map(txn, &roots.edges, id).ok_or_else(|| EditError::EdgeNotFound(id.to_owned()))?;
    patch.strength.map_or(Ok(()), check::strength)?;
    let (source, target) = (patch.source.as_deref(), patch.target.as_deref());
    check_ends(txn, roots, source, target)?;
    if source.is_some() || target.is_some() {
        let end =
            |new: Option<&str>, key| new.map(str::to_owned).or_else(|| string(txn, &edge, key)).unwrap_or_default();
        check_loop(&end(source, "source"), &end(target, "target"))?;
    }

    let relationship = patch.relationship.as_deref();
    for (key, value) in [("source", source), ("target", target), ("relationship", relationship)] {
        if let Some(value) = value {
            set(txn, &edge, key, value);
        }
    }
    if let Some(strength) = patch.strength {
        set(txn, &edge, "strength", number(strength));
    }
    Ok(())
}

/// Removes whatever is stored under `id`, even what is no readable edge.
pub(super) fn remove(txn: &mut TransactionMut<'_>, roots: &MapRoots, id: &str) -> Result<(), EditError> {
    if !roots.edges.contains_key(txn, id) {
        return Err(EditError::EdgeNotFound(id.to_owned()));
    }
    roots.edges.remove(txn, id);
    Ok(())
}

fn check_ends<T: ReadTxn>(
    txn: &T,
    roots: &MapRoots,
    source: Option<&str>,
    target: Option<&str>,
) -> Result<(), EditError> {
    let missing = [source, target].into_iter().flatten().find(|id| child_map(txn, &roots.nodes, id).is_none());
    match missing {
        Some(id) => Err(EditError::EndpointNotFound(id.to_owned())),
        None => Ok(()),
    }
}

fn check_loop(source: &str, target: &str) -> Result<(), EditError> {
    if source == target {
        return Err(EditError::Invalid { field: "target", reason: "must not be the source" });
    }
    Ok(())
}
