//! A mind map as a Yjs document.
//!
//! In the order in which an edit meets them: the gate lets in what joins on to the document, the [`Replica`]
//! integrates it and says what it integrated, the [`map`] reads and writes nodes and edges, a [`Digest`] names a
//! state. No async, no clock, no randomness, and the only crate that names `yrs`.

mod digest;
mod document;
mod gate;
pub mod map;
mod pairs;
mod replica;
mod restore;
mod rewrite;
mod transaction;
mod verbatim;

pub use digest::Digest;
pub use gate::{AsideLimits, LeftOut, MayWrite, Sender};
pub use replica::{Applied, ApplyError, Op, Replica};
pub use restore::Restorable;
