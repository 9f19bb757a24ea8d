//! HTTP: the API, the operator's pages and what every response has in common.

pub mod error;
pub mod request_id;
