//! Hearing of jobs that changed, on a connection of its own.

use std::time::Duration;

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    super::{lease::CONNECTION_WAIT_MAX, place::Place, session},
    CHANNEL,
};
use crate::store::JobId;

/// After such a silence the connection is asked whether it is still there: nothing else would tell.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Wait before the connection is made again, and the longest one: it doubles with each failure.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(10);

/// What other nodes tell of jobs. Nothing is connected before somebody listens.
pub(in crate::store::postgres) struct Changes {
    place: Place,
    identity: Uuid,
    ear: Mutex<Ear>,
    closed: CancellationToken,
}

#[derive(Default)]
struct Ear {
    /// The pool is of this one connection.
    listening: Option<(PgListener, PgPool)>,
    /// Since something was heard, or nothing was to be heard for a while.
    failures: u32,
}

impl Changes {
    pub(in crate::store::postgres) fn new(place: Place, identity: Uuid) -> Self {
        Self { place, identity, ear: Mutex::default(), closed: CancellationToken::new() }
    }

    /// Waits for the next change. An empty name after each time that the connection was made, the first one too: what came before
    /// was not heard. `None` once it is closed.
    pub(super) async fn next(&self) -> Option<Option<JobId>> {
        let hearing = async { self.hear(&mut *self.ear.lock().await).await };
        tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            heard = hearing => Some(heard),
        }
    }

    /// Ends the connection, and whoever waits for the next change.
    pub(in crate::store::postgres) async fn close(&self) {
        self.closed.cancel();
        if let Some((listener, pool)) = self.ear.lock().await.listening.take() {
            drop(listener);
            pool.close().await;
        }
    }

    /// Connections open at this moment.
    pub(in crate::store::postgres) fn open(&self) -> u32 {
        self.ear.try_lock().map_or(1, |ear| u32::from(ear.listening.is_some()))
    }

    /// Given up half way nothing is lost: what was heard is answered without another wait.
    async fn hear(&self, ear: &mut Ear) -> Option<JobId> {
        loop {
            let Some((listener, _)) = &mut ear.listening else {
                sleep(back_off(ear.failures)).await;
                match self.connect().await {
                    Ok(listening) => {
                        ear.listening = Some(listening);
                        return None;
                    }
                    Err(error) => ear.fails(&error),
                }
                continue;
            };
            match timeout(SILENCE_MAX, listener.try_recv()).await {
                Ok(Ok(Some(told))) => {
                    ear.failures = 0;
                    return told.payload().parse().ok().map(JobId);
                }
                Ok(Ok(None)) => ear.fails(&sqlx::Error::Io(std::io::ErrorKind::ConnectionAborted.into())),
                Ok(Err(error)) => ear.fails(&error),
                Err(_) => match answers(listener).await {
                    Ok(()) => ear.failures = 0,
                    Err(error) => ear.fails(&error),
                },
            }
        }
    }

    async fn connect(&self) -> Result<(PgListener, PgPool), sqlx::Error> {
        let identity = self.identity;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECTION_WAIT_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    session::settle(connection, None).await?;
                    session::verify_identity(connection, identity).await
                })
            })
            .connect_lazy_with(self.place.options().clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        // It answers that it was cut off, rather than going on as if nothing had been missed.
        listener.eager_reconnect(false);
        bounded(listener.listen(CHANNEL)).await?;
        Ok((listener, pool))
    }
}

impl Ear {
    fn fails(&mut self, error: &sqlx::Error) {
        self.listening = None;
        // Once, not with every attempt.
        if self.failures == 0 {
            tracing::warn!(%error, "other nodes' changes of jobs are not heard until PostgreSQL is reached again");
        }
        self.failures = self.failures.saturating_add(1);
    }
}

fn back_off(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    BACK_OFF.saturating_mul(1 << (failures - 1).min(10)).min(BACK_OFF_MAX)
}

async fn answers(listener: &mut PgListener) -> Result<(), sqlx::Error> {
    bounded(sqlx::query("SELECT 1").persistent(false).execute(listener)).await.map(|_| ())
}

async fn bounded<T>(call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let too_slow = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
    timeout(CONNECTION_WAIT_MAX, call).await.unwrap_or_else(too_slow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let waits = [0, 1, 2, 3, 8, 1_000].map(|failures| back_off(failures).as_millis());
        assert_eq!(waits, [0, 100, 200, 400, 10_000, 10_000]);
    }
}
