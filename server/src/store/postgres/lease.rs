//! One connection of the pool, which nobody after us finds in the middle of something.

use std::time::Duration;

use sqlx::{PgPool, Postgres, pool::PoolConnection, postgres::PgConnection};

use super::place::Place;
use crate::store::StoreError;

/// How long a call waits for a connection.
pub(super) const CONNECTION_WAIT_MAX: Duration = Duration::from_secs(5);

/// A connection until it is given back. A caller that fails or is cancelled does not give it back: it is then closed,
/// which rolls back whatever was begun, so nobody has to know in which state an error left it.
pub(super) struct Lease {
    connection: PoolConnection<Postgres>,
    is_sound: bool,
}

impl Lease {
    /// Waits for a connection that answers.
    pub(super) async fn take(pool: &PgPool, place: &Place) -> Result<Self, StoreError> {
        match pool.acquire().await {
            Ok(connection) => Ok(Self { connection, is_sound: false }),
            // The pool's own words would not say whose connections, nor for how long.
            Err(sqlx::Error::PoolTimedOut) => Err(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!(
                    "no connection to {} within {} s: check that it runs and has connections left",
                    place.server(),
                    CONNECTION_WAIT_MAX.as_secs()
                ),
            ))
            .into()),
            Err(other) => Err(other.into()),
        }
    }

    /// The connection, outside of any transaction.
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Gives the connection back: only when no transaction is open.
    pub(super) fn give_back(mut self) {
        self.is_sound = true;
    }

    /// Ends a call of single statements, and gives the connection back unless the database failed.
    pub(super) fn settle<T>(self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if !matches!(answer, Err(StoreError::Backend(_))) {
            self.give_back();
        }
        answer
    }

    /// Begins a transaction; [`Lease::end`] ends it.
    pub(super) async fn begin(&mut self, kind: View) -> Result<(), StoreError> {
        let begin = match kind {
            View::Still => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            View::Newest => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        };
        sqlx::query(begin).execute(self.connection()).await?;
        Ok(())
    }

    /// Commits after success; after a refusal rolls back. Gives the connection back unless the database failed.
    pub(super) async fn end<T>(mut self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let end = match &answer {
            Ok(_) => "COMMIT",
            Err(StoreError::Backend(_)) => return answer,
            Err(_) => "ROLLBACK",
        };
        sqlx::query(end).execute(self.connection()).await?;
        self.give_back();
        answer
    }
}

/// What the statements of a transaction see.
pub(super) enum View {
    /// All of them the same, and none changes anything.
    Still,
    /// Each what is committed when it begins.
    Newest,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_sound {
            self.connection.close_on_drop();
        }
    }
}
