//! The wire formats of Synapti: what the bytes on a connection mean, and nothing about what to do with them.
//!
//! This crate has no runtime, no CRDT and no I/O. It reads bytes that strangers sent, so reading never allocates
//! more than the input itself takes, never recurses deeper than [`limits::NESTING_MAX`], and never panics.
//! The modules stand in the order in which a packet meets them: the name of the map in the URL, the frame,
//! the number encoding underneath, what the frame carries, how a connection ends, and what
//! nodes say to each other.

mod error;

pub mod graph_id;

pub mod message;

pub mod bundle;

pub mod hocuspocus;

pub mod lib0;

pub mod awareness;

pub mod update;

pub mod json;

pub mod close;

pub mod envelope;

pub mod limits;

pub use error::DecodeError;
