//! Which backend a URL means.

use std::sync::Arc;

use super::{MigrationReport, PostgresStore, SharedStore, SqliteStore, StoreError};
use crate::config::{DatabaseUrl, Secret};

/// Opens the store that the URL names, making the database and bringing it up to date. From a replica, which only
/// `PostgreSQL` has, versions are read where it knows enough.
///
/// # Errors
/// [`StoreError::Unusable`], which tells the operator what to do.
pub async fn open(url: &DatabaseUrl, replica: Option<&Secret>) -> Result<SharedStore, StoreError> {
    Ok(match url {
        DatabaseUrl::Sqlite(path) => Arc::new(SqliteStore::open(path).await?),
        DatabaseUrl::Postgres(url) => Arc::new(PostgresStore::open(url.expose(), replica.map(Secret::expose)).await?),
    })
}

/// Opens a store that is there, to look at it, whether a server uses it or not: nothing is made or changed.
///
/// # Errors
/// [`StoreError::Unusable`], which tells the operator what to do.
pub async fn open_to_check(url: &DatabaseUrl) -> Result<SharedStore, StoreError> {
    Ok(match url {
        DatabaseUrl::Sqlite(path) => Arc::new(SqliteStore::open_read_only(path).await?),
        DatabaseUrl::Postgres(url) => Arc::new(PostgresStore::open_to_check(url.expose()).await?),
    })
}

/// Makes the database if need be, brings it up to date, and closes it again.
///
/// # Errors
/// [`StoreError::Unusable`], which tells the operator what to do.
pub async fn migrate(url: &DatabaseUrl) -> Result<MigrationReport, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => SqliteStore::migrate_only(path).await,
        DatabaseUrl::Postgres(url) => PostgresStore::migrate_only(url.expose()).await,
    }
}
