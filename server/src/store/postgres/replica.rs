//! The read replica: asked for versions, and believed only where it has all that this node wrote.
//!
//! Every doubt (it is behind, it does not answer, it is no replica of this database) is answered by the primary.

use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use sqlx::{
    PgPool,
    postgres::{PgConnection, PgPoolOptions},
};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{
    lease::{Lease, View},
    place::Place,
    refusal::unusable,
    session,
};
use crate::store::StoreError;

/// Connections to the replica.
const CONNECTIONS_MAX: u32 = 4;

/// How long a read waits for a connection before the primary is asked instead.
const CONNECTION_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long a read may take before the primary is asked instead.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a replica that failed is left alone.
const REST: Duration = Duration::from_secs(10);

/// Instead of a position in the log: none is enough.
const UNREACHABLE: i64 = i64::MAX;

/// A connection pool to the replica, and what is known of it.
pub(super) struct Replica {
    pool: PgPool,
    place: Place,
    identity: Uuid,
    /// Position in the write-ahead log that it must have replayed.
    needed: AtomicI64,
    /// Positions are asked for one after the other, so that the last one that is told is the newest.
    telling: tokio::sync::Mutex<()>,
    resting_until: Mutex<Option<Instant>>,
}

impl Replica {
    /// Connects when there is something to read.
    pub(super) fn new(place: Place, identity: Uuid, needed: i64) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(CONNECTION_WAIT_MAX)
            .test_before_acquire(true)
            .after_connect(|connection, _| Box::pin(async move { session::settle(connection, None).await }))
            .connect_lazy_with(place.options().clone());
        Self {
            pool,
            place,
            identity,
            needed: AtomicI64::new(needed),
            telling: tokio::sync::Mutex::default(),
            resting_until: Mutex::new(None),
        }
    }

    /// From now on it must have replayed what the primary has by now. Where that cannot be found out, it is not asked again
    /// before the next write could tell.
    pub(super) async fn must_have(&self, position: impl Future<Output = Result<i64, StoreError>>) {
        let _telling = self.telling.lock().await;
        self.needed.store(position.await.unwrap_or(UNREACHABLE), Ordering::Release);
    }

    /// Answers from the replica, or `None`: then the primary is to be asked.
    pub(super) async fn ask<T>(&self, read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>) -> Option<T> {
        if self.resting_until.lock().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let asked = timeout(ANSWER_WITHIN, self.read(read)).await;
        match asked.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into())) {
            Ok(answer) => {
                self.resting_until.lock().take();
                answer
            }
            Err(error) => {
                *self.resting_until.lock() = Some(Instant::now() + REST);
                tracing::warn!(replica = %self.place, %error, "the replica failed; versions are read from the primary");
                None
            }
        }
    }

    async fn read<T>(
        &self,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut lease = Lease::take(&self.pool, &self.place).await?;
        if !self.is_caught_up(lease.connection()).await? {
            lease.give_back();
            return Ok(None);
        }
        lease.begin(View::Still).await?;
        let answer = read(lease.connection()).await;
        lease.end(answer).await.map(Some)
    }

    async fn is_caught_up(&self, connection: &mut PgConnection) -> Result<bool, StoreError> {
        let (identity, replayed): (String, Option<i64>) = sqlx::query_as(
            "SELECT identity::text, CASE WHEN pg_is_in_recovery() \
                 THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END FROM store",
        )
        .fetch_one(connection)
        .await?;
        match replayed {
            Some(replayed) if identity == self.identity.to_string() => {
                Ok(replayed >= self.needed.load(Ordering::Acquire))
            }
            _ => Err(unusable("it is not a replica of this database: correct SYNAPTI_DATABASE_REPLICA_URL".to_owned())),
        }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Connections open, and of these idle.
    pub(super) fn connections_max(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    pub(super) fn open_and_idle(&self) -> (u32, u32) {
        (self.pool.size(), u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX))
    }
}

/// Where the primary's write-ahead log ends now.
pub(super) async fn newest_position(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let position = sqlx::query_scalar("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint");
    Ok(position.fetch_one(connection).await?)
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place.server())
    }
}
