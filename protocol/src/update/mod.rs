//! Yjs updates and state vectors, format v1: a scanner that reads all of an update before anything else does.
//!
//! An update is a list of *sections*, one per client, of consecutive *structs*, then a delete set:
//!
//! ```text
//! update     = varUint sections, section*, delete set
//! section    = varUint structs, varUint client, varUint clock of the first struct, struct*
//! struct     = info byte; GC (0) and Skip (10): varUint length
//!              item: [origin id] [right origin id] [parent, when it has neither] [key] content
//! delete set = varUint clients, (varUint client, varUint ranges, (varUint clock, varUint length)*)*
//! ```
//!
//! [`scan`] checks every byte once; an [`UpdateView`] is the proof that it did, and its iterators cannot fail.
//! It accepts what *both* Yjs 13.6 and yrs 0.28 (without its `weak` feature) read, and read alike; the few
//! contents on which they differ are refused (XML hooks, whose name yrs forgets to read) or flagged
//! ([`UpdateView::needs_modernizing`]).

mod content;
mod delete_set;
mod distinct;
mod json_any;
mod modernize;
mod scan;
mod section;
mod slices;
mod state_vector;
mod structs;
mod writer;

pub use content::ContentKind;
pub use delete_set::{DeleteRange, DeleteRanges};
pub use modernize::modernize;
pub use scan::{UpdateView, scan};
pub use section::{Section, Sections, Structs};
pub use slices::slices;
pub use state_vector::{StateVectorEntries, StateVectorView, encode_state_vector, scan_state_vector};
pub use structs::{Struct, StructKind};
pub use writer::UpdateWriter;

use crate::DecodeError;
use crate::lib0::Reader;

/// The update that changes nothing: no sections, no delete ranges.
pub const EMPTY_UPDATE: [u8; 2] = [0, 0];

/// One element of a document: the client that inserted it and its place among that client's insertions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The client's number, at most 2^53 − 1.
    pub client: u64,
    /// Counts the client's elements (UTF-16 code units for text) from 0.
    pub clock: u32,
}

impl Id {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { client: reader.var_uint()?, clock: reader.clock()? })
    }
}

/// How much of a value to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Everything: the bytes come from outside.
    Full,
    /// Only what says where the value ends: [`scan`] has read these bytes before.
    Skim,
}
