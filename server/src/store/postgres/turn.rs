//! Whose turn it is to compact a graph: one node's at a time.
//!
//! The turn is an advisory lock, held by a connection of its own. It only saves the others the work: whoever loses it
//! half way, with the connection, may go on, because what makes a snapshot current is decided under the graph's lock.

use sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnection};
use tokio::{sync::Mutex, time::timeout};

use super::{lease::CONNECTION_WAIT_MAX, place::Place, session};
use crate::store::{GraphKey, SnapshotId, StoreError};

/// "SYNP" in the upper half of the locks' numbers; advisory locks are shared by all that use the database.
const LOCKS: i64 = 0x5359_4E50 << 32;

/// The server ends the turn of a process that began a snapshot and forgot it.
const FORGOTTEN_AFTER: &str = "SET idle_session_timeout = '10min'";

/// The process's turn, if it has one.
pub(super) struct Turns {
    place: Place,
    held: Mutex<Option<Held>>,
}

struct Held {
    connection: PgConnection,
    /// The snapshot that is being written; unset while it is being begun.
    snapshot: Option<SnapshotId>,
}

impl Turns {
    pub(super) fn new(place: Place) -> Self {
        Self { place, held: Mutex::new(None) }
    }

    /// Takes the graph's turn unless another node has it. What this process held before is given up.
    pub(super) async fn take(&self, key: GraphKey) -> Result<bool, StoreError> {
        let mut held = self.held.lock().await;
        let mut connection = match held.take() {
            Some(Held { connection, .. }) => match released(connection).await {
                Some(connection) => connection,
                None => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCKS.wrapping_add(key.0))
            .fetch_one(&mut connection)
            .await?;
        if taken {
            *held = Some(Held { connection, snapshot: None });
        } else {
            close(connection).await;
        }
        Ok(taken)
    }

    /// Says which snapshot the turn is for.
    pub(super) async fn is_for(&self, snapshot: SnapshotId) {
        if let Some(held) = &mut *self.held.lock().await {
            held.snapshot = Some(snapshot);
        }
    }

    /// Gives the turn up if it is this snapshot's; one that no snapshot came of is `None`'s.
    pub(super) async fn give_up(&self, snapshot: Option<SnapshotId>) {
        let mut held = self.held.lock().await;
        if let Some(Held { connection, .. }) = held.take_if(|held| held.snapshot == snapshot) {
            // Released before it is closed: the server notices a closed connection in its own time.
            if let Some(connection) = released(connection).await {
                close(connection).await;
            }
        }
    }

    /// Gives up whatever is held.
    pub(super) async fn close(&self) {
        if let Some(Held { connection, .. }) = self.held.lock().await.take()
            && let Some(connection) = released(connection).await
        {
            close(connection).await;
        }
    }

    /// Connections open at this moment.
    pub(super) fn open(&self) -> u32 {
        self.held.try_lock().map_or(1, |held| u32::from(held.is_some()))
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        let connecting = async {
            let mut connection = self.place.options().connect().await?;
            session::settle(&mut connection, None).await?;
            sqlx::query(FORGOTTEN_AFTER).execute(&mut connection).await?;
            Ok(connection)
        };
        let too_slow = |_| sqlx::Error::PoolTimedOut;
        timeout(CONNECTION_WAIT_MAX, connecting).await.map_err(too_slow).flatten().map_err(StoreError::Backend)
    }
}

/// The connection without its locks, if it still works.
async fn released(mut connection: PgConnection) -> Option<PgConnection> {
    let release = sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut connection);
    timeout(CONNECTION_WAIT_MAX, release).await.ok()?.ok()?;
    Some(connection)
}

async fn close(connection: PgConnection) {
    // Dropped after that, it is closed all the same.
    let _ = timeout(CONNECTION_WAIT_MAX, connection.close()).await;
}
