//! A connection to Redis, whichever kind of Redis it is, and the few things that we ask of it.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use redis::{
    Cmd, FromRedisValue, Pipeline, RedisResult, aio::MultiplexedConnection, cluster_async::ClusterConnection, cmd,
};

/// Channels of a cluster that are asked for at one time: each is a command of its own, to the shard that has it.
const SHARD_REQUESTS_MAX: usize = 256;

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) enum Line {
    /// To one server.
    Plain(MultiplexedConnection),
    /// To all shards of a Redis Cluster.
    Cluster(ClusterConnection),
}

impl Line {
    /// Asks one thing.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self.clone() {
            Self::Plain(mut connection) => command.query_async(&mut connection).await,
            Self::Cluster(mut connection) => command.query_async(&mut connection).await,
        }
    }

    /// Asks for a sign of life, of every shard.
    pub async fn ping(&self) -> RedisResult<()> {
        self.ask(&cmd("PING")).await
    }

    /// Listens to channels; returns when all of them are confirmed.
    pub async fn subscribe(&self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::Plain(connection) => connection.clone().subscribe(channels.to_vec()).await,
            Self::Cluster(connection) => {
                let ask = |channel: &String| {
                    let (mut connection, channel) = (connection.clone(), channel.clone());
                    async move { connection.ssubscribe(channel).await }.boxed()
                };
                all(channels.iter().map(ask).collect()).await
            }
        }
    }

    /// Listens to channels no more.
    pub async fn unsubscribe(&self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::Plain(connection) => connection.clone().unsubscribe(channels).await,
            Self::Cluster(connection) => {
                let ask = |channel: &String| {
                    let (mut connection, channel) = (connection.clone(), channel.clone());
                    async move { connection.sunsubscribe(channel).await }.boxed()
                };
                all(channels.iter().map(ask).collect()).await
            }
        }
    }

    /// Publishes messages; of one channel in their order.
    pub async fn publish(&self, messages: Vec<(String, Bytes)>) -> RedisResult<()> {
        match self {
            Self::Plain(connection) => {
                let mut pipeline = Pipeline::with_capacity(messages.len());
                for (channel, message) in &messages {
                    pipeline.cmd("PUBLISH").arg(channel).arg(&message[..]).ignore();
                }
                pipeline.query_async(&mut connection.clone()).await
            }
            Self::Cluster(connection) => {
                let mut channels: HashMap<String, Pipeline> = HashMap::new();
                for (channel, message) in &messages {
                    let pipeline = channels.entry(channel.clone()).or_default();
                    pipeline.cmd("SPUBLISH").arg(channel).arg(&message[..]).ignore();
                }
                let ask = |pipeline: Pipeline| {
                    let mut connection = connection.clone();
                    async move { pipeline.query_async(&mut connection).await }.boxed()
                };
                all(channels.into_values().map(ask).collect()).await
            }
        }
    }
}

/// Waits for many answers, some of them at a time; ends at the first error.
async fn all(asked: Vec<BoxFuture<'static, RedisResult<()>>>) -> RedisResult<()> {
    let mut answers = stream::iter(asked).buffer_unordered(SHARD_REQUESTS_MAX);
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(())
}
