//! How many connections a client has on all nodes: each is a lease of some seconds, renewed while it lives. Those of a node that
//! died end by themselves.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use redis::{Cmd, cmd};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::{Shared, SharedLimits, script};
use crate::{
    bus::redis::{
        connect::{ANSWERED_WITHIN, ConnectError},
        line::Line,
    },
    telemetry::metrics,
};

/// How long a lease lasts when it is not renewed: so long somebody at their limit waits whose node was killed.
const LEASE: Duration = Duration::from_secs(12);

/// How often leases are renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(4);

/// How long a connection waits for what the others have counted.
const ADMITTED_WITHIN: Duration = Duration::from_millis(250);

/// Leases that are renewed or given back at once, before replies are waited for.
const AT_ONCE_MAX: usize = 500;

/// Leases that may wait to be given back; beyond that they end by themselves.
const RELEASED_MAX: usize = 65_536;

/// Adds a lease when fewer than `ARGV[2]` are there, or it is there already, by a renewal: `KEYS[1]` is a sorted set of leases by their end, in ms. `ARGV[1]` is how
/// long a lease lasts, `ARGV[3]` the lease.
const ADMIT: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[3]) then return 1 end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1";

/// Writes leases with a new end, whether they are there or not: Redis may have come back empty. `ARGV[1]` is how long they last.
const RENEW: &str = "\
local time = redis.call('TIME')
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], ends, ARGV[at]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])";

/// What all nodes say to one more connection of a client.
#[derive(Debug)]
pub enum Admission {
    /// There is a place, or nobody can be asked.
    Granted(Lease),
    /// There are as many as there may be.
    Full,
}

/// A connection's place among those of its client on all nodes; dropping it gives it back.
pub struct Lease {
    shared: Arc<Shared>,
    key: String,
    number: u64,
}

/// The leases of this node.
#[derive(Debug, Default)]
pub(in crate::bus::redis) struct Leases {
    inner: Mutex<Inner>,
    released: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the client's key. No entry without a lease.
    held: HashMap<String, Vec<u64>>,
    released: VecDeque<(String, u64)>,
    numbers: u64,
}

impl SharedLimits {
    /// Asks for one more connection of a client that may have `connections_max` on all nodes.
    pub async fn admit(&self, client: &str, connections_max: usize) -> Admission {
        // Held before anybody is asked: whatever becomes of the question, the lease is given back.
        let lease = self.hold(client);
        let mut command = script(ADMIT, &lease.key, [LEASE.as_millis() as u64, connections_max as u64]);
        command.arg(self.shared.member(lease.number));
        match self.ask::<u8>(&command, ADMITTED_WITHIN).await {
            Some(0) => Admission::Full,
            // A lease that nobody has confirmed is written by the next renewal.
            Some(_) | None => Admission::Granted(lease),
        }
    }

    fn hold(&self, client: &str) -> Lease {
        let key = self.key("client", client);
        let mut inner = self.shared.leases.inner.lock();
        inner.numbers += 1;
        let number = inner.numbers;
        inner.held.entry(key.clone()).or_default().push(number);
        Lease { shared: self.shared.clone(), key, number }
    }
}

impl Shared {
    /// A lease as Redis knows it.
    fn member(&self, number: u64) -> String {
        format!("{}:{number}", self.node)
    }
}

impl Leases {
    fn release(&self, key: &str, number: u64) {
        let mut inner = self.inner.lock();
        let Some(held) = inner.held.get_mut(key) else { return };
        held.retain(|other| *other != number);
        if held.is_empty() {
            inner.held.remove(key);
        }
        if inner.released.len() < RELEASED_MAX {
            inner.released.push_back((key.to_owned(), number));
        }
        drop(inner);
        self.released.notify_one();
    }

    fn take_released(&self) -> Vec<(String, u64)> {
        let mut inner = self.inner.lock();
        let count = inner.released.len().min(AT_ONCE_MAX);
        inner.released.drain(..count).collect()
    }

    fn all(&self) -> Vec<(String, Vec<u64>)> {
        self.inner.lock().held.iter().map(|(key, numbers)| (key.clone(), numbers.clone())).collect()
    }
}

/// Renews and gives back, on a new connection beginning with all of both.
pub(in crate::bus::redis) async fn keep(shared: &Shared, line: &Line) -> Result<(), ConnectError> {
    let mut renew_at = Instant::now();
    loop {
        let released = shared.leases.take_released();
        if !released.is_empty() {
            tell(line, released.iter().map(|(key, number)| given_back(shared, key, *number)).collect()).await?;
            continue;
        }
        if Instant::now() >= renew_at {
            renew_at = Instant::now() + RENEWED_EVERY;
            for some in shared.leases.all().chunks(AT_ONCE_MAX) {
                tell(line, some.iter().map(|(key, numbers)| renewed(shared, key, numbers)).collect()).await?;
            }
            continue;
        }
        tokio::select! {
            () = shared.leases.released.notified() => {}
            () = sleep_until(renew_at) => {}
        }
    }
}

/// Gives back what has been released so far.
pub(in crate::bus::redis) async fn give_back(shared: &Shared, line: &Line) -> Result<(), ConnectError> {
    loop {
        let released = shared.leases.take_released();
        if released.is_empty() {
            return Ok(());
        }
        tell(line, released.iter().map(|(key, number)| given_back(shared, key, *number)).collect()).await?;
    }
}

/// Only a connection that is lost is an error: messages may still go through where Redis takes no leases, because it is full or
/// does not allow it. Each node counts by itself then.
async fn tell(line: &Line, commands: Vec<Cmd>) -> Result<(), ConnectError> {
    let told = timeout(ANSWERED_WITHIN, line.tell(commands)).await.map_err(|_| ConnectError::Silent)?;
    match told {
        Err(error) if !(error.is_io_error() || error.is_connection_dropped() || error.is_timeout()) => {
            tracing::debug!(code = error.code(), "Redis refuses to count connections");
            metrics::get().bus.refused.increment(1);
            Ok(())
        }
        told => Ok(told?),
    }
}

fn renewed(shared: &Shared, key: &str, numbers: &[u64]) -> Cmd {
    let mut command = script(RENEW, key, [LEASE.as_millis() as u64]);
    for number in numbers {
        command.arg(shared.member(*number));
    }
    command
}

fn given_back(shared: &Shared, key: &str, number: u64) -> Cmd {
    let mut command = cmd("ZREM");
    command.arg(key).arg(shared.member(number));
    command
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.leases.release(&self.key, self.number);
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease({})", self.number)
    }
}
