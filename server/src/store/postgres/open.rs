//! Opening, in phases: from a URL to a store that is checked, migrated and warm.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgPool,
    postgres::{PgConnection, PgPoolOptions},
};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    PostgresStore,
    jobs::Changes,
    lease::{CONNECTION_WAIT_MAX, Lease},
    place::Place,
    refusal::{MADE_MEANWHILE, NO_SUCH_DATABASE, code, damaged_identity, name_failure, unusable},
    replica::{Replica, newest_position},
    schema, server,
    session::{self, Pinned},
    turn::Turns,
};
use crate::store::{MigrationReport, StoreError};

/// Connections that are there from the start and stay.
const CONNECTIONS_MIN: u32 = 5;

/// Connections under load.
const CONNECTIONS_MAX: u32 = 20;

/// How long opening may take: bringing the schema up to date is most of it, and other nodes' doing the same.
const OPENED_WITHIN: Duration = Duration::from_mins(10);

impl PostgresStore {
    /// Opens the database, making it if it is not there, and brings it up to date.
    ///
    /// Takes `postgres://USER:PASSWORD@HOST:PORT/NAME` with the usual parameters. Everything that is wrong with the server or
    /// the database is [`StoreError::Unusable`] and tells the operator what to do. A replica may be away: it is only asked
    /// for what the primary can answer as well.
    pub async fn open(url: &str, replica: Option<&str>) -> Result<Self, StoreError> {
        let place = Place::parse(url)?;
        let replica = replica.map(Place::parse).transpose()?;
        within(&place, Self::open_at(&place, replica)).await
    }

    /// Makes the database if need be, brings it up to date, and ends.
    pub async fn migrate_only(url: &str) -> Result<MigrationReport, StoreError> {
        let place = Place::parse(url)?;
        let (connection, _, report) = within(&place, prepare(&place)).await?;
        close(connection).await;
        Ok(report)
    }

    /// Opens a database that is there and of this version, to look at it: nothing is made or brought up to date.
    pub async fn open_to_check(url: &str) -> Result<Self, StoreError> {
        let place = Place::parse(url)?;
        let opened = async {
            let mut connection = connect(&place).await?;
            let pinned = server::check(&mut connection, &place).await?;
            schema::check_is_current(&mut connection, &place).await?;
            Self::from_connection(&place, None, connection, pinned).await
        };
        opened.await.map_err(|error| name_failure(&place, error))
    }

    async fn open_at(place: &Place, replica: Option<Place>) -> Result<Self, StoreError> {
        let (connection, pinned, report) = prepare(place).await?;
        for migration in &report.applied {
            tracing::info!(migration, "the database schema was brought up to date");
        }
        Self::from_connection(place, replica, connection, pinned).await
    }

    async fn from_connection(
        place: &Place,
        replica: Option<Place>,
        mut connection: PgConnection,
        pinned: Pinned,
    ) -> Result<Self, StoreError> {
        let identity = read_identity(&mut connection).await?;
        let position = newest_position(&mut connection).await?;
        close(connection).await;
        tracing::info!(phase = "pool", min = CONNECTIONS_MIN, max = CONNECTIONS_MAX, "opening connections");
        let pool = open_pool(place, pinned, identity).await?;
        let replica = replica.map(|place| Replica::new(place, identity, position));
        tracing::info!(phase = "ready", %identity, "the database is open");
        let (turns, changes) = (Turns::new(place.clone()), Changes::new(place.clone(), identity));
        Ok(Self { turns, changes, place: place.clone(), pool, identity, replica })
    }
}

/// Bounds opening, and names what went wrong with it.
async fn within<T>(place: &Place, opening: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    // In a box: it holds all that opening needs at once.
    let Ok(opened) = timeout(OPENED_WITHIN, Box::pin(opening)).await else {
        let minutes = OPENED_WITHIN.as_secs() / 60;
        return Err(unusable(format!(
            "{place} could not be opened within {minutes} minutes: see what holds its locks"
        )));
    };
    opened.map_err(|error| name_failure(place, error))
}

/// Checks the server and makes the database one of this version; answers the connection that did it.
async fn prepare(place: &Place) -> Result<(PgConnection, Pinned, MigrationReport), StoreError> {
    tracing::info!(phase = "connect", database = %place, "connecting");
    let mut connection = match connect(place).await {
        Err(StoreError::Backend(error)) if code(&error).as_deref() == Some(NO_SUCH_DATABASE) => create(place).await?,
        other => other?,
    };
    let pinned = server::check(&mut connection, place).await?;
    tracing::info!(phase = "schema", "checking the schema");
    let report = schema::update(&mut connection, place).await?;
    Ok((connection, pinned, report))
}

async fn connect(place: &Place) -> Result<PgConnection, StoreError> {
    let connecting = timeout(CONNECTION_WAIT_MAX, place.options().connect()).await;
    let too_slow = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    Ok(connecting.map_err(too_slow)??)
}

/// Makes the database by way of one that is always there, and connects to it.
async fn create(place: &Place) -> Result<PgConnection, StoreError> {
    let database = place.database();
    let mut refused = None;
    for other in place.maintenance() {
        match create_from(&other, database).await {
            Ok(()) => {
                tracing::info!(database, "the database was created");
                return connect(place).await;
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let (server, user) = (place.server(), place.user());
    let why = refused.map_or_else(String::new, |error| format!(" ({error})"));
    Err(unusable(format!(
        "there is no database {database} at {server}, and {user} cannot create it{why}: \
         as an administrator, CREATE DATABASE \"{database}\" OWNER \"{user}\" ENCODING 'UTF8' TEMPLATE template0"
    )))
}

async fn create_from(other: &Place, database: &str) -> Result<(), StoreError> {
    let mut connection = connect(other).await?;
    let name = database.replace('"', "\"\"");
    let statement = format!("CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0");
    let created = sqlx::query(AssertSqlSafe(statement)).persistent(false).execute(&mut connection).await;
    close(connection).await;
    match created {
        // Another node was first.
        Err(error) if code(&error).is_some_and(|code| MADE_MEANWHILE.contains(&code.as_str())) => Ok(()),
        other => Ok(other.map(|_| ())?),
    }
}

async fn read_identity(connection: &mut PgConnection) -> Result<Uuid, StoreError> {
    let identity: Option<String> =
        sqlx::query_scalar("SELECT identity::text FROM store").fetch_optional(connection).await?;
    identity.and_then(|text| text.parse().ok()).ok_or_else(damaged_identity)
}

/// Opens the connections one after the other, so that a server that is short of something is asked for no more.
async fn open_pool(place: &Place, pinned: Pinned, identity: Uuid) -> Result<PgPool, StoreError> {
    let pool = PgPoolOptions::new()
        .min_connections(CONNECTIONS_MIN)
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(CONNECTION_WAIT_MAX)
        .test_before_acquire(true)
        .after_connect(move |connection, _| {
            let pinned = pinned.clone();
            Box::pin(async move {
                session::settle(connection, Some(&pinned)).await?;
                session::verify(connection, &pinned).await?;
                session::verify_identity(connection, identity).await?;
                session::warm(connection).await
            })
        })
        .connect_lazy_with(place.options().clone());
    let mut leases = Vec::new();
    for nth in 1..=CONNECTIONS_MIN {
        leases.push(Lease::take(&pool, place).await?);
        tracing::debug!(phase = "pool", nth, "a connection is open, checked and warm");
    }
    leases.into_iter().for_each(Lease::give_back);
    Ok(pool)
}

/// Says goodbye; dropped after that, the connection is closed all the same.
async fn close(connection: PgConnection) {
    let _ = timeout(CONNECTION_WAIT_MAX, connection.close()).await;
}
