//! An older state of a document, restored as one edit.
//!
//! The older state and the live one are both read in their encoded form, as [`Shape`]s: what each shared type shows,
//! element by element. Where they differ an update is written under the replica's own client id, which deletes what the
//! older state does not show and brings what it does. Reading bytes rather than yrs' types means that
//!
//! - values come back as their author wrote them (yrs would alter some, see `verbatim`);
//! - nobody has to say whether a root is a map, a text or a list: its entries *and* its elements are restored, so one
//!   that was used as both comes back as both, and one that shows nothing is emptied;
//! - what both states have is known by its id, and stays as it is: people may be typing in it.
//!
//! Types may be nested as deep as a document can hold them: nothing here recurses.

mod align;
mod alike;
mod authorship;
mod marks;
mod pieces;
mod reconcile;
mod run;
mod shape;
mod weave;
mod write;

use std::fmt;

use synapti_protocol::update::Id;

pub(crate) use authorship::nodes_written_within;

use self::{reconcile::Reconciliation, shape::Shape};
use crate::{
    gate::AsideLimits,
    replica::{ApplyError, Op, Replica},
};

/// A document's state at some earlier time, read and ready to be restored.
pub struct Restorable {
    shape: Shape,
}

impl Restorable {
    /// Reads a whole state, given as an update (v1). Costs as much as loading a document of that size.
    ///
    /// # Errors
    /// [`ApplyError::Malformed`] or [`ApplyError::Rejected`] for bytes that are not a whole state.
    pub fn read(update: &[u8]) -> Result<Self, ApplyError> {
        // Its own edits would carry this id; there are none.
        let document = Replica::load(0, AsideLimits::default(), [update])?;
        if document.held_bytes() > 0 {
            return Err(ApplyError::Rejected("it builds on edits that it does not hold".into()));
        }
        Shape::read(&document.snapshot()).map(|shape| Self { shape })
    }

    /// Bytes of all that the state shows: the most that restoring it can add, besides a few for the place of each element.
    pub fn bytes(&self) -> usize {
        self.shape.bytes()
    }

    /// The edit that makes the document with the state `live` show what this one shows, as an update whose structs have
    /// ids from `next` on; `None` when it does already.
    pub(crate) fn edit_of(&self, live: &[u8], next: Id) -> Result<Option<Vec<u8>>, ApplyError> {
        let live = Shape::read(live)?;
        Reconciliation::new(&live, &self.shape, next).run()
    }
}

impl<'a> From<&'a Restorable> for Op<'a> {
    fn from(older: &'a Restorable) -> Self {
        Op::Restore(older)
    }
}

impl fmt::Debug for Restorable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restorable").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
