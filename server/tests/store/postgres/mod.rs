//! A database of one's own on a real server, and what is `PostgreSQL`'s own.

mod cluster;
mod damage;
mod follow;
mod jobs;
mod nodes;
mod opening;
mod outage;
mod replica;
mod versions;

use std::{str::FromStr as _, sync::Arc};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _,
    postgres::{PgConnectOptions, PgConnection},
};
use synapti_server::store::{PostgresStore, SharedStore, StoreError};

use crate::place::Place;

/// A name for a database that nobody else has, removed at the end of the test.
pub struct Home {
    server: String,
    name: String,
}

impl Home {
    /// On the server that the tests share.
    pub fn new() -> Self {
        let server = std::env::var("TEST_POSTGRES_URL").unwrap_or_else(|_| {
            panic!(
                "TEST_POSTGRES_URL is not set: `make test` starts a PostgreSQL for the tests; to use another one, set it to \
                 the URL of a superuser, as in postgres://postgres@127.0.0.1:5432/postgres"
            )
        });
        Self::at(&server)
    }

    /// On a server named by the URL of one of its databases.
    pub fn at(server: &str) -> Self {
        // A name that has to be quoted everywhere.
        Self { server: server.to_owned(), name: format!("synapti.db-{:016x}", rand::random::<u64>()) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> String {
        let (address, parameters) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let (server, _) = address.rsplit_once('/').unwrap();
        format!("{server}/{}?{parameters}", self.name)
    }

    pub async fn open(&self) -> SharedStore {
        Arc::new(PostgresStore::open(&self.url(), None).await.unwrap())
    }

    /// What opening says when it must not succeed.
    pub async fn refusal(&self) -> String {
        refusal(&self.url()).await
    }

    /// A connection behind the store's back.
    pub async fn connect(&self) -> PgConnection {
        connect(&self.url()).await
    }

    /// Runs statements behind the store's back, without the checks of foreign keys.
    pub async fn raw(&self, sql: &str) {
        let mut connection = self.connect().await;
        connection.execute("SET session_replication_role = replica").await.unwrap();
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Makes the database itself, which opening would do otherwise.
    pub async fn create(&self, how: &str) {
        admin(&self.server, &format!("CREATE DATABASE \"{}\" {how}", self.name)).await;
    }

    /// Changes a setting of the database.
    pub async fn set(&self, setting: &str) {
        admin(&self.server, &format!("ALTER DATABASE \"{}\" SET {setting}", self.name)).await;
    }
}

/// Runs a statement on the server.
pub async fn admin(server: &str, sql: &str) {
    let mut connection = connect(server).await;
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}

pub async fn connect(url: &str) -> PgConnection {
    PgConnectOptions::from_str(url).unwrap().connect().await.unwrap()
}

pub async fn refusal(url: &str) -> String {
    match PostgresStore::open(url, None).await {
        Err(StoreError::Unusable(message)) => message,
        Err(other) => panic!("expected Unusable, got {other:?}"),
        Ok(_) => panic!("{url} was opened"),
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name);
        let server = self.server.clone();
        // Of its own, because this may run inside of another one.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // A server that a test stopped takes its databases with it.
                if let Ok(mut connection) = PgConnectOptions::from_str(&server).unwrap().connect().await {
                    connection.execute(AssertSqlSafe(drop)).await.ok();
                }
            });
        });
        dropping.join().ok();
    }
}

impl Place for Home {
    async fn open(&self) -> SharedStore {
        Home::open(self).await
    }

    /// The server has all that was committed.
    async fn crash(&mut self) {}

    async fn age(&self) {
        self.raw("UPDATE snapshots SET begun_at = begun_at - interval '2 hours'").await;
    }

    async fn count_rows(&self) -> (i64, i64, i64) {
        let mut connection = self.connect().await;
        let counts = sqlx::query_as(
            "SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM snapshots), (SELECT count(*) FROM snapshot_slices)",
        );
        let counts = counts.fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        counts
    }
}
