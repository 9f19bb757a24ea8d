//! Answers that all nodes share, in the same Redis. Whoever asks while Redis is away or slow is told that there is nothing.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, Value,
    aio::MultiplexedConnection,
    cluster_async::ClusterConnection,
    cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo},
    cmd,
};
use tokio::time::timeout;

use super::{Shared, State, line::Line};
use crate::breaker::{Breaker, Position};

/// Name of the breaker of the shared cache.
pub const SHARED_CACHE_BREAKER: &str = "redis-cache";

/// Failures in a row after which Redis is not asked for answers any more.
const FAILURES_MAX: u32 = 5;

/// For how long.
const OPEN_FOR: Duration = Duration::from_mins(1);

/// How long an answer may take: somebody waits, who would else ask a model.
const READ_WITHIN: Duration = Duration::from_millis(250);

/// How long a value may take to be written.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// How long removing everything may take.
const CLEARED_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of one value: larger ones would hold up what else goes over the connection.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// Keys that are looked at, and removed, with one command.
const KEYS_AT_ONCE: usize = 500;

/// What the keys of answers begin with, behind what all keys begin with.
const KIND: &str = "cache";

/// How the cache is that nodes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedCacheState {
    /// There is none: this is the only node.
    Off,
    /// It answers.
    Up,
    /// Redis cannot be reached, or is left alone because it failed.
    Away,
}

/// The cache that the nodes of one store share. Cheap to clone.
#[derive(Clone)]
pub struct SharedCache {
    shared: Arc<Shared>,
    breaker: Breaker,
    /// How long every question may take, when not what is usual.
    within: Option<Duration>,
}

/// Why Redis did not answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("Redis cannot be reached")]
    Away,
    #[error("Redis does not answer in time")]
    Slow,
    #[error("{0}")]
    Redis(#[from] RedisError),
}

impl SharedCache {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, breaker: Breaker::new(SHARED_CACHE_BREAKER, FAILURES_MAX, OPEN_FOR), within: None }
    }

    /// The same, waiting so long for every answer: for those who would rather wait than go without.
    #[must_use]
    pub fn waiting(self, within: Duration) -> Self {
        Self { within: Some(within), ..self }
    }

    /// What guards it.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// How it is.
    pub fn state(&self) -> SharedCacheState {
        let is_up = *self.shared.state.borrow() == State::Up && self.breaker.report().position != Position::Open;
        if is_up { SharedCacheState::Up } else { SharedCacheState::Away }
    }

    /// The value of a name, if there is one and Redis says so in time.
    pub async fn get(&self, name: &str) -> Option<Bytes> {
        let mut command = cmd("GET");
        command.arg(self.key(name));
        let value: Option<Vec<u8>> = self.guarded(READ_WITHIN, async |line| Ok(line.ask(&command).await?)).await?;
        value.map(Bytes::from)
    }

    /// Keeps a value for so long. False when it is not kept.
    pub async fn put(&self, name: &str, value: &[u8], ttl: Duration) -> bool {
        let ttl_ms = ttl.as_millis() as u64;
        if value.len() > VALUE_BYTES_MAX || ttl_ms == 0 {
            return false;
        }
        let mut command = cmd("SET");
        command.arg(self.key(name)).arg(value).arg("PX").arg(ttl_ms);
        self.guarded(WRITTEN_WITHIN, async |line| Ok(line.ask::<()>(&command).await?)).await.is_some()
    }

    /// Removes the values of all nodes; how many there were. Those of a shard that does not answer end by themselves.
    pub async fn clear(&self) -> u64 {
        let pattern = self.key("*");
        self.guarded(CLEARED_WITHIN, async |line| match line {
            Line::Plain(connection) => clear_server(connection, &pattern).await,
            Line::Cluster(connection) => clear_cluster(line, connection, &pattern).await,
        })
        .await
        .unwrap_or(0)
    }

    fn key(&self, name: &str) -> String {
        self.shared.names.key(KIND, name)
    }

    /// Asks, unless Redis is left alone; how it went is for the breaker.
    async fn guarded<T>(&self, within: Duration, ask: impl AsyncFnOnce(&Line) -> Result<T, Failure>) -> Option<T> {
        let permit = self.breaker.permit().ok()?;
        let line = self.shared.line.lock().clone();
        let answer = match line {
            None => Err(Failure::Away),
            Some(line) => timeout(self.within.unwrap_or(within), ask(&line)).await.unwrap_or(Err(Failure::Slow)),
        };
        match answer {
            Ok(answer) => {
                permit.succeed();
                Some(answer)
            }
            Err(failure) => {
                permit.fail(&failure.to_string());
                None
            }
        }
    }
}

async fn clear_server(connection: &MultiplexedConnection, pattern: &str) -> Result<u64, Failure> {
    let (mut cursor, mut removed) = (0, 0);
    loop {
        let (next, keys): (u64, Vec<String>) = scan(cursor, pattern).query_async(&mut connection.clone()).await?;
        if !keys.is_empty() {
            let mut unlink = cmd("UNLINK");
            unlink.arg(keys);
            removed += unlink.query_async::<u64>(&mut connection.clone()).await?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(removed);
        }
    }
}

/// Goes through all shards one after another. What moves to another shard meanwhile may stay.
async fn clear_cluster(line: &Line, connection: &ClusterConnection, pattern: &str) -> Result<u64, Failure> {
    let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
    let Value::Map(shards) = connection.clone().route_command(scan(0, pattern), all).await? else {
        return Err(unexpected().into());
    };
    let mut removed = 0;
    for (address, page) in shards {
        let shard = shard_at(&String::from_redis_value(address).map_err(RedisError::from)?)?;
        let mut page = page;
        loop {
            let (cursor, keys): (u64, Vec<String>) =
                FromRedisValue::from_redis_value(page).map_err(RedisError::from)?;
            removed += keys.len() as u64;
            // Each key has its own slot, so each is a command of its own.
            line.tell(keys.iter().map(|key| unlink(key)).collect()).await?;
            if cursor == 0 {
                break;
            }
            page = connection.clone().route_command(scan(cursor, pattern), shard.clone()).await?;
        }
    }
    Ok(removed)
}

fn scan(cursor: u64, pattern: &str) -> Cmd {
    let mut command = cmd("SCAN");
    command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(KEYS_AT_ONCE);
    command
}

fn unlink(key: &str) -> Cmd {
    let mut command = cmd("UNLINK");
    command.arg(key);
    command
}

fn shard_at(address: &str) -> RedisResult<RoutingInfo> {
    let (host, port) = address.rsplit_once(':').ok_or_else(unexpected)?;
    let port = port.parse().map_err(|_| unexpected())?;
    Ok(RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port }))
}

fn unexpected() -> RedisError {
    (ErrorKind::UnexpectedReturnType, "the cluster did not say which shards it has").into()
}

impl fmt::Debug for SharedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedCache").field(&self.shared).finish()
    }
}
