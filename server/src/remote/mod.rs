//! A client of a server that may be anywhere: `synapti watch`, `edit`, `export` and `import` use it.
//!
//! [`url`] says where a map is, [`http`] asks for one thing. Nothing here knows this process' own rooms, store or settings.

pub mod http;
pub mod plain;
mod refusal;
pub mod url;
