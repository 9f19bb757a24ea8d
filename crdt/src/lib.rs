//! The mind map as a Yjs document.

pub mod map;
