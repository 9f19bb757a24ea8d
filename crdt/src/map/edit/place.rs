//! Where a node goes: its parent, and the order key that puts it between its siblings.

use super::{EditError, ParentRef};
use crate::map::order;
use crate::map::outline::Outline;

/// The longest order key that an edit writes. Beyond it, all siblings get fresh keys.
const ORDER_BYTES_MAX: usize = 128;

/// Keys for the newcomers, and new keys for siblings that had to make room.
pub(super) struct Slot {
    pub keys: Vec<String>,
    pub rekeyed: Vec<(usize, String)>,
}

/// A parent and a gap between two of its children.
pub(super) struct Gap {
    pub parent: Option<usize>,
    siblings: Vec<usize>,
    at: usize,
}

impl Gap {
    /// Finds the gap that an edit asks for. `moving` is the node that moves there, which is no sibling of its own.
    pub fn find(
        outline: &Outline,
        parent: &ParentRef,
        before: Option<&str>,
        after: Option<&str>,
        moving: Option<usize>,
    ) -> Result<Self, EditError> {
        let neighbour = before.or(after);
        let parent = resolve_parent(outline, parent, neighbour)?;
        let siblings: Vec<usize> =
            outline.siblings_under(parent).iter().copied().filter(|&sibling| Some(sibling) != moving).collect();
        let at = match neighbour {
            None => siblings.len(),
            Some(id) => {
                let found = siblings.iter().position(|&sibling| outline.ids[sibling] == id);
                let found = found.ok_or_else(|| EditError::SiblingNotFound(id.to_owned()))?;
                found + usize::from(before.is_none())
            }
        };
        Ok(Self { parent, siblings, at })
    }

    /// The gap that opens where `node` is, once it is removed.
    pub fn left_by(outline: &Outline, node: usize) -> Self {
        let parent = outline.tree.nodes[node].parent;
        let siblings = outline.siblings_under(parent);
        Self {
            parent,
            at: siblings.iter().position(|&sibling| sibling == node).unwrap_or(siblings.len()),
            siblings: siblings.iter().copied().filter(|&sibling| sibling != node).collect(),
        }
    }

    /// Order keys for `count` newcomers in this gap.
    ///
    /// Siblings may share a key (two people appended at once) or hold foreign strings that leave no room. Then as few
    /// of those behind the gap as possible get new keys, and only when that is of no use, all of them.
    pub fn fill(&self, outline: &Outline, count: usize) -> Slot {
        let order_of = |at: usize| self.siblings.get(at).map(|&node| outline.orders[node].as_str());
        let is_short = |key: &String| key.len() <= ORDER_BYTES_MAX;
        let lower = self.at.checked_sub(1).and_then(order_of);
        let has_room = |end: &usize| order::try_between(lower, order_of(*end)).is_some();
        let end = (self.at..=self.siblings.len()).find(has_room);
        let keys = end.and_then(|end| {
            let wanted = count + end - self.at;
            order::try_n_between(lower, order_of(end), wanted).filter(|keys| keys.iter().all(is_short))
        });
        match keys {
            Some(keys) => self.slot(keys, self.at, count),
            None => self.slot(order::n_between(None, None, self.siblings.len() + count), 0, count),
        }
    }

    /// Deals out `keys`, which start at the sibling `from` and include those of the newcomers.
    fn slot(&self, mut keys: Vec<String>, from: usize, count: usize) -> Slot {
        let newcomers = self.at - from;
        let own: Vec<String> = keys.drain(newcomers..newcomers + count).collect();
        Slot { keys: own, rekeyed: self.siblings[from..].iter().copied().zip(keys).collect() }
    }
}

fn resolve_parent(outline: &Outline, parent: &ParentRef, neighbour: Option<&str>) -> Result<Option<usize>, EditError> {
    match (parent, neighbour) {
        (ParentRef::Topic, _) => Ok(None),
        (ParentRef::Under(id), _) => match outline.index_of(id) {
            Some(parent) => Ok(Some(parent)),
            None => Err(EditError::ParentNotFound(id.clone())),
        },
        (ParentRef::Default, Some(id)) => match outline.index_of(id) {
            Some(neighbour) => Ok(outline.tree.nodes[neighbour].parent),
            None => Err(EditError::SiblingNotFound(id.to_owned())),
        },
        (ParentRef::Default, None) => Ok(outline.tree.root),
    }
}
