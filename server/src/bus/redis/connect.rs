//! From an address to two connections: one that listens and one that publishes.

use std::{sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, ProtocolVersion, RedisError, RedisResult, Value,
    aio::{AsyncPushSender, MultiplexedConnection},
    cluster::ClusterClientBuilder,
    cmd,
    io::tcp::TcpSettings,
};
use tokio::time::timeout;

use super::{
    address::{Address, trusting},
    line::Line,
};

/// How long a connection may take, with TLS and signing in.
const CONNECTED_WITHIN: Duration = Duration::from_secs(1);

/// How long all connections of a Redis Cluster may take.
const CLUSTER_CONNECTED_WITHIN: Duration = Duration::from_secs(3);

/// How long Redis may take for an answer; after that the connection counts as dead.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// Requests that may wait for the connection to take them; whoever asks more than this waits as well.
const REQUESTS_MAX: usize = 1024;

/// Attempts for one command in a cluster: a shard that has moved is asked at its new place, and no more.
const CLUSTER_RETRIES: u32 = 2;

/// Who is told what Redis sends by itself, and that a connection is lost.
pub(super) type Ears = Arc<dyn AsyncPushSender>;

/// The two connections.
pub(super) struct Lines {
    pub listening: Line,
    pub publishing: Line,
}

/// Why there is no connection, or none any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no answer within {} s", CONNECTED_WITHIN.as_secs())]
    TooSlow,
    #[error("the cluster's nodes do not answer within {} s", CLUSTER_CONNECTED_WITHIN.as_secs())]
    ClusterTooSlow,
    #[error("this Redis is too old: version 6.2 or newer is needed")]
    TooOld,
    #[error("this is a Redis Sentinel, which carries no messages between nodes: name the Redis server itself")]
    Sentinel,
    #[error("the connection was lost")]
    Lost,
    #[error("no sign of life within {} s", ANSWERED_WITHIN.as_secs())]
    Silent,
    #[error("{0}")]
    Redis(RedisError),
}

impl From<RedisError> for ConnectError {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::RESP3NotSupported => Self::TooOld,
            _ if error.is_timeout() => Self::Silent,
            _ => Self::Redis(error),
        }
    }
}

/// Connects twice.
pub(super) async fn connect(address: &Address, authorities: Option<&[u8]>, ears: &Ears) -> Result<Lines, ConnectError> {
    let client = address.client(authorities)?;
    let (listening, publishing) = tokio::try_join!(open(&client, ears), open(&client, ears))?;
    match mode(&publishing).await?.as_deref() {
        Some("cluster") => {
            drop((listening, publishing));
            connect_to_cluster(address, authorities, ears).await
        }
        Some("sentinel") => Err(ConnectError::Sentinel),
        _ => Ok(Lines { listening: Line::Plain(listening), publishing: Line::Plain(publishing) }),
    }
}

async fn open(client: &Client, ears: &Ears) -> Result<MultiplexedConnection, ConnectError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTED_WITHIN))
        .set_response_timeout(Some(ANSWERED_WITHIN))
        .set_pipeline_buffer_size(REQUESTS_MAX)
        .set_push_sender(ears.clone());
    let opened = timeout(CONNECTED_WITHIN, client.get_multiplexed_async_connection_with_config(&config)).await;
    Ok(opened.map_err(|_| ConnectError::TooSlow)??)
}

/// What kind of Redis it is. Its greeting says so to everybody, while `INFO` may be forbidden.
async fn mode(connection: &MultiplexedConnection) -> RedisResult<Option<String>> {
    let greeting: Value = cmd("HELLO").query_async(&mut connection.clone()).await?;
    let Value::Map(entries) = greeting else { return Ok(None) };
    let text = |value: Value| redis::from_redis_value::<String>(value).ok();
    let mode = entries.into_iter().find(|(name, _)| text(name.clone()).as_deref() == Some("mode"));
    Ok(mode.and_then(|(_, mode)| text(mode)))
}

async fn connect_to_cluster(address: &Address, authorities: Option<&[u8]>, ears: &Ears) -> Result<Lines, ConnectError> {
    // A cluster has only the database 0.
    let settings = address.info().redis_settings().clone().set_db(0);
    let mut builder = ClusterClientBuilder::new([address.info().clone().set_redis_settings(settings)])
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(CONNECTED_WITHIN)
        .response_timeout(ANSWERED_WITHIN)
        .overall_response_timeout(Some(ANSWERED_WITHIN))
        .retries(CLUSTER_RETRIES)
        .tcp_settings(TcpSettings::default().set_nodelay(true))
        .push_sender(ears.clone());
    if let Some(authorities) = authorities.filter(|_| address.is_tls()) {
        builder = builder.certs(trusting(authorities));
    }
    let client = builder.build()?;
    let both = async { tokio::try_join!(client.get_async_connection(), client.get_async_connection()) };
    let (listening, publishing) =
        timeout(CLUSTER_CONNECTED_WITHIN, both).await.map_err(|_| ConnectError::ClusterTooSlow)??;
    Ok(Lines { listening: Line::Cluster(listening), publishing: Line::Cluster(publishing) })
}
