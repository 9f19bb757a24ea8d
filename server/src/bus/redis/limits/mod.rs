//! What nodes count together, in the same Redis. Whoever asks gets no answer while Redis is away or slow, and then goes by what
//! the node knows by itself.

mod leases;

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use redis::{Cmd, FromRedisValue, RedisResult, cmd};
use synapti_protocol::envelope::NodeMessage;
use tokio::time::timeout;

pub use leases::{Admission, Lease};
pub(super) use leases::{Leases, give_back, keep};

use super::Shared;

/// How long a request may wait for what the others have counted.
const COUNTED_WITHIN: Duration = Duration::from_millis(100);

/// How long a ticket may take.
const TICKET_WITHIN: Duration = Duration::from_millis(250);

/// Counts one request of a client who may make so many a second (GCRA): `KEYS[1]` holds when the client will have used up what it
/// has taken, in µs. `ARGV`: µs for each request, and µs that may be taken in advance. Returns µs to wait; 0 = go on.
const TAKE: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local used = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + ARGV[1]
if used - now > tonumber(ARGV[2]) then return used - now - ARGV[2] end
redis.call('SET', KEYS[1], string.format('%.0f', used), 'PX', math.ceil((used - now) / 1000))
return 0";

/// What the nodes of one store count together. Cheap to clone.
#[derive(Clone)]
pub struct SharedLimits {
    shared: Arc<Shared>,
    /// How long every question may take, when not what is usual.
    within: Option<Duration>,
}

impl SharedLimits {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, within: None }
    }

    /// The same, waiting so long for every answer: for those who would rather wait than count alone.
    #[must_use]
    pub fn waiting(self, within: Duration) -> Self {
        Self { within: Some(within), ..self }
    }

    /// Takes one of what `key` may take, so many a second and `burst` at once; else says when to come back. `None` when the
    /// others cannot be asked.
    pub async fn take(&self, key: &str, per_second: u32, burst: u32) -> Option<Result<(), Duration>> {
        let each_us = 1_000_000 / u64::from(per_second.max(1));
        let script = script(TAKE, &self.key("rate", key), [each_us, each_us * u64::from(burst)]);
        let wait_us: u64 = self.ask(&script, COUNTED_WITHIN).await?;
        Some(if wait_us == 0 { Ok(()) } else { Err(Duration::from_micros(wait_us)) })
    }

    /// Puts what a ticket stands for where all nodes find it, under a hash of its word. False when it may not be there.
    pub async fn put_ticket(&self, word: &str, contents: &[u8], seconds: u32) -> bool {
        let mut command = cmd("SET");
        command.arg(self.key("ticket", word)).arg(contents).arg("NX").arg("EX").arg(seconds);
        self.ask::<bool>(&command, TICKET_WITHIN).await == Some(true)
    }

    /// What a ticket stands for, to whoever comes first.
    pub async fn take_ticket(&self, word: &str) -> Option<Vec<u8>> {
        let mut command = cmd("GETDEL");
        command.arg(self.key("ticket", word));
        self.ask::<Option<Vec<u8>>>(&command, TICKET_WITHIN).await.flatten()
    }

    /// Asks all nodes to let go of those connections of a client that are dead.
    pub fn ask_for_probe(&self, client: &str) {
        self.shared.say(NodeMessage::Probe { client });
    }

    /// Waits for another node's word that a client is at its limit. Cancel-safe; for one caller.
    pub async fn next_probe(&self) -> Box<str> {
        loop {
            let asked = self.shared.probes.arrived();
            if let Some(client) = self.shared.probes.take() {
                return client;
            }
            asked.await;
        }
    }

    /// Names are hashed: what a key holds is nobody's business, and names may be long.
    fn key(&self, kind: &str, name: &str) -> String {
        let hash = digest(&SHA256, name.as_bytes());
        self.shared.names.key(kind, &URL_SAFE_NO_PAD.encode(hash))
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd, within: Duration) -> Option<T> {
        let line = self.shared.line.lock().clone()?;
        let answer: RedisResult<T> = timeout(self.within.unwrap_or(within), line.ask(command)).await.ok()?;
        answer.inspect_err(|error| tracing::debug!(%error, "Redis does not count with us")).ok()
    }
}

/// A script for one key. Its text goes along each time: a Redis that was restarted knows none.
fn script(text: &str, key: &str, arguments: impl IntoIterator<Item = u64>) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(text).arg(1).arg(key);
    for argument in arguments {
        command.arg(argument);
    }
    command
}

impl fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedLimits").field(&self.shared).finish()
    }
}
