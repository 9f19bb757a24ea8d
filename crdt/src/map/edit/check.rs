//! Ranges of values, checked before anything is written.

use super::{EditError, NewNode, NodePatch};
use crate::map::color::is_hex_color;

/// The longest id of a node or edge, in bytes. Ids are repeated by children, edges and every view.
pub(super) const ID_BYTES_MAX: usize = 256;

pub(super) fn new_node(new: &NewNode) -> Result<(), EditError> {
    id(&new.id)?;
    pos(new.pos)?;
    color(new.color.as_deref())?;
    size(new.size)?;
    new.strength.map_or(Ok(()), strength)?;
    one_neighbour(new.before.as_deref(), new.after.as_deref())
}

pub(super) fn node_patch(patch: &NodePatch) -> Result<(), EditError> {
    pos(patch.pos.flatten())?;
    color(patch.color.iter().flatten().map(String::as_str).next())?;
    size(patch.size.flatten())?;
    one_neighbour(patch.before.as_deref(), patch.after.as_deref())
}

pub(super) fn id(id: &str) -> Result<(), EditError> {
    if id.is_empty() {
        return invalid("id", "must not be empty");
    }
    if id.len() > ID_BYTES_MAX {
        return invalid("id", "must not be longer than 256 bytes");
    }
    Ok(())
}

pub(super) fn strength(strength: f64) -> Result<(), EditError> {
    if (0.0..=1.0).contains(&strength) {
        return Ok(());
    }
    invalid("strength", "must be a number from 0 to 1")
}

fn pos(pos: Option<[f64; 3]>) -> Result<(), EditError> {
    if pos.is_none_or(|pos| pos.iter().all(|value| value.is_finite())) {
        return Ok(());
    }
    invalid("pos", "must be three finite numbers")
}

fn color(color: Option<&str>) -> Result<(), EditError> {
    if color.is_none_or(is_hex_color) {
        return Ok(());
    }
    invalid("color", "must be written #RRGGBB")
}

fn size(size: Option<f64>) -> Result<(), EditError> {
    if size.is_none_or(|size| size.is_finite() && size > 0.0) {
        return Ok(());
    }
    invalid("size", "must be a positive number")
}

fn one_neighbour(before: Option<&str>, after: Option<&str>) -> Result<(), EditError> {
    if before.is_none() || after.is_none() {
        return Ok(());
    }
    invalid("before", "cannot be given together with `after`")
}

fn invalid(field: &'static str, reason: &'static str) -> Result<(), EditError> {
    Err(EditError::Invalid { field, reason })
}
