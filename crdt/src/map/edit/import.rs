//! A whole map at once, from a file.

use std::collections::HashSet;

use yrs::{Map, MapPrelim, TransactionMut};

use super::{EditError, ImportedMap, ParentRef, check, edge, node, write};
use crate::map::roots::{MapRoots, SCHEMA};

/// Writes a map into an empty document. Whatever can be refused is refused first.
pub(super) fn import(txn: &mut TransactionMut<'_>, roots: &MapRoots, map: &ImportedMap) -> Result<(), EditError> {
    let is_empty = [&roots.nodes, &roots.edges].iter().all(|root| root.len(txn) == 0);
    if !is_empty || roots.meta.contains_key(txn, "schema") {
        return Err(EditError::AlreadyInitialised);
    }
    check_all(map)?;

    for imported in &map.nodes {
        let parent = match &imported.node.parent {
            ParentRef::Under(parent) => Some(parent.as_str()),
            ParentRef::Default | ParentRef::Topic => None,
        };
        node::write(txn, roots, &imported.node, parent, Some(&imported.order));
    }
    for link in &map.edges {
        let place = roots.edges.insert(txn, link.id.as_str(), MapPrelim::default());
        edge::write(txn, &place, link);
    }
    write::set(txn, &roots.meta, "schema", SCHEMA);
    write::set(txn, &roots.meta, "topic", map.topic.as_str());
    write::set(txn, &roots.meta, "created_at", map.created_at.as_str());
    if let Some(seconds) = map.generation_time {
        write::set(txn, &roots.meta, "generation_time", write::number(seconds));
    }
    if let Some(model) = &map.ai_model_version {
        write::set(txn, &roots.meta, "ai_model_version", model.as_str());
    }
    if let Some(root) = &map.root {
        write::set(txn, &roots.meta, "root", root.as_str());
    }
    Ok(())
}

fn check_all(map: &ImportedMap) -> Result<(), EditError> {
    let mut ids = HashSet::with_capacity(map.nodes.len());
    for imported in &map.nodes {
        check::new_node(&imported.node)?;
        if !ids.insert(imported.node.id.as_str()) {
            return Err(EditError::NodeExists(imported.node.id.clone()));
        }
    }
    for imported in &map.nodes {
        if let ParentRef::Under(parent) = &imported.node.parent
            && !ids.contains(parent.as_str())
        {
            return Err(EditError::ParentNotFound(parent.clone()));
        }
    }
    if let Some(root) = map.root.as_deref().filter(|root| !ids.contains(root)) {
        return Err(EditError::NodeNotFound(root.to_owned()));
    }
    let mut edge_ids = HashSet::with_capacity(map.edges.len());
    for link in &map.edges {
        check::id(&link.id)?;
        check::strength(link.strength)?;
        if !edge_ids.insert(link.id.as_str()) {
            return Err(EditError::EdgeExists(link.id.clone()));
        }
        if let Some(end) = [&link.source, &link.target].into_iter().find(|end| !ids.contains(end.as_str())) {
            return Err(EditError::EndpointNotFound(end.clone()));
        }
    }
    Ok(())
}
