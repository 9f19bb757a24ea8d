//! What the tests of this folder share.

mod bench;
mod client;
mod fake_store;
mod node;
mod sockets;

pub use bench::{Bench, Seen, map_edit, update_of};
pub use client::{Client, awareness, states_of};
pub use fake_store::{FakeStore, StoreEvent};
pub use node::{Node, NodeOptions, heard, read, refused};
pub use sockets::{Running, WsClient};

use std::{future::Future, time::Duration};

/// Waits for something that must happen; a test that waits in vain says for what.
pub async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), happens).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
