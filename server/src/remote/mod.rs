//! A client of a server that may be anywhere: `synapti watch`, `edit`, `export` and `import` use it.
//!
//! [`url`] says where a map is, [`http`] asks for one thing. A [`Link`] keeps a copy of a map over WebSocket (`ws`),
//! Server-Sent Events (`sse`) or polling (`poll`); the last two send edits as requests (`post`). Which of them it uses,
//! and what it does when a connection ends, is decided in `choose`. Nothing here knows this process' own rooms, store or
//! settings.

mod choose;
mod event;
mod gone;
pub mod http;
mod line;
mod link;
mod people;
pub mod plain;
mod poll;
mod post;
mod refusal;
mod sse;
pub mod url;
mod wire;
mod ws;

pub use choose::Choice;
pub use event::{Closed, Event};
pub use link::{Link, PENDING_MAX};
pub use people::{Person, Presence};
pub use wire::Transport;
