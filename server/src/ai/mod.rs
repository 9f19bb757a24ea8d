//! The AI that grows maps: who is asked, what for, and what becomes of the answer.
//!
//! A [`Task`](task) becomes an [`Ask`](provider::Ask) to a [`Provider`](provider::Provider), whose answer is a stream of text that is read as
//! JSON while it comes.

pub mod asker;
pub mod cache_key;
pub mod choose;
pub mod context;
pub mod growth;
pub mod jobs;
pub mod price;
pub mod prompt;
pub mod provider;
pub mod reader;
pub mod task;
pub mod tokens;
