//! A free port for a server that has to be told which.

use std::net::TcpListener;

use anyhow::bail;

/// Ports that the system gives to nobody by itself: a client that knocks while the server is away could be given the port at
/// which it knocks, and then hear itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const PORTS_TRIED_MAX: u32 = 100;

/// A port at which nothing listens now.
pub fn free_port() -> anyhow::Result<u16> {
    for _ in 0..PORTS_TRIED_MAX {
        let port = rand::random_range(PORTS);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between {} and {}", PORTS.start, PORTS.end)
}
