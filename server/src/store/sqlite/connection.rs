//! One connection that its users take turns with, and that is never left in the middle of something.

use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tokio::sync::{Mutex, MutexGuard};

use super::refusal::unusable;
use crate::store::StoreError;

/// A connection used by one caller at a time, first come, first served.
///
/// A caller that fails or is cancelled does not give its [`Lease`] back: the connection is then closed, which rolls back
/// whatever it had begun, and the next caller gets a fresh one. So nobody has to know in which state an error left it.
pub(super) struct SoloConnection {
    options: SqliteConnectOptions,
    slot: Mutex<Slot>,
}

enum Slot {
    Ready(SqliteConnection),
    Lost,
    Closed,
    /// The store was opened for reading only.
    Absent,
}

/// The right to use the connection until it is given back or dropped.
pub(super) struct Lease<'a> {
    slot: MutexGuard<'a, Slot>,
    connection: SqliteConnection,
}

impl SoloConnection {
    /// Starts with an open connection; `options` open the later ones and must not create the file.
    pub(super) fn new(connection: SqliteConnection, options: SqliteConnectOptions) -> Self {
        Self { options, slot: Mutex::new(Slot::Ready(connection)) }
    }

    /// In the place of a connection that a store does not have which was opened for reading only.
    pub(super) fn absent() -> Self {
        Self { options: SqliteConnectOptions::new(), slot: Mutex::new(Slot::Absent) }
    }

    /// Waits for its turn, and opens a connection if the last one was lost.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let mut slot = self.slot.lock().await;
        let connection = match std::mem::replace(&mut *slot, Slot::Lost) {
            Slot::Ready(connection) => connection,
            Slot::Lost => self.options.connect().await?,
            Slot::Closed => {
                *slot = Slot::Closed;
                return Err(sqlx::Error::PoolClosed.into());
            }
            Slot::Absent => {
                *slot = Slot::Absent;
                return Err(unusable("this database was opened for reading only".to_owned()));
            }
        };
        Ok(Lease { slot, connection })
    }

    /// Waits for the caller that is using it, then closes it for good.
    pub(super) async fn close(&self) -> Result<(), sqlx::Error> {
        match std::mem::replace(&mut *self.slot.lock().await, Slot::Closed) {
            Slot::Ready(connection) => connection.close().await,
            Slot::Lost | Slot::Closed | Slot::Absent => Ok(()),
        }
    }

    /// Connections open and idle at this moment: each zero or one.
    pub(super) fn open_and_idle(&self) -> (u32, u32) {
        match self.slot.try_lock().as_deref() {
            Err(_) => (1, 0),
            Ok(Slot::Ready(_)) => (1, 1),
            Ok(Slot::Lost | Slot::Closed | Slot::Absent) => (0, 0),
        }
    }
}

impl Lease<'_> {
    /// The connection, outside of any transaction.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// The same, for work that nobody waits for: a crash may undo it, as a whole, unless a later commit was flushed. Then give it
    /// back with [`Lease::give_back_flushing`].
    pub(super) async fn unflushed(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut self.connection).await?;
        Ok(&mut self.connection)
    }

    /// As [`Lease::give_back`], after [`Lease::unflushed`].
    pub(super) async fn give_back_flushing(mut self) -> Result<(), sqlx::Error> {
        sqlx::query("PRAGMA synchronous = FULL").execute(&mut self.connection).await?;
        self.give_back();
        Ok(())
    }

    /// Hands the connection to the next caller: only after success, when no transaction is open.
    pub(super) fn give_back(mut self) {
        *self.slot = Slot::Ready(self.connection);
    }
}
