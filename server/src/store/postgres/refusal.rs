//! Failures in words that tell the operator what to do.

use std::io::ErrorKind;

use sqlx::migrate::MigrateError;

use super::place::Place;
use crate::store::{GraphKey, StoreError};

/// Codes from <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const INVALID_AUTHORIZATION: &str = "28000";
const INVALID_PASSWORD: &str = "28P01";
pub(super) const NO_SUCH_DATABASE: &str = "3D000";
const NO_RIGHT: &str = "42501";
const TOO_MANY_CONNECTIONS: &str = "53300";
const DISK_FULL: &str = "53100";
const SHUTTING_DOWN: [&str; 3] = ["57P01", "57P02", "57P03"];
pub(super) const NOT_NULL: &str = "23502";
/// Somebody else made it at the same moment.
pub(super) const MADE_MEANWHILE: [&str; 2] = ["42P04", "23505"];
/// Pages that are not what was written: `data_corrupted` and `index_corrupted`.
const CORRUPT: [&str; 2] = ["XX001", "XX002"];

/// Turns what the server or the network says while a database is opened into what the operator can do about it.
pub(super) fn name_failure(place: &Place, error: StoreError) -> StoreError {
    let StoreError::Backend(error) = error else {
        return error;
    };
    let (server, user, database) = (place.server(), place.user(), place.database());
    let advice = match code(&error).as_deref() {
        Some(INVALID_PASSWORD) => {
            format!("{server} does not take the password of {user}: correct it in the database URL")
        }
        Some(INVALID_AUTHORIZATION) => {
            format!("{server} does not let {user} in: check the user's name, and that pg_hba.conf allows this machine")
        }
        Some(NO_SUCH_DATABASE) => format!("there is no database {database} at {server}: create it, owned by {user}"),
        Some(NO_RIGHT) => format!(
            "{user} may not do in database {database} what synapti needs: make {user} its owner, or \
             GRANT CREATE, USAGE ON SCHEMA public TO {user} and own its tables"
        ),
        Some(TOO_MANY_CONNECTIONS) => {
            format!("{server} has no connection left: raise its max_connections, or stop what else uses them")
        }
        Some(DISK_FULL) => format!("the disk of {server} is full: make room"),
        Some(code) if SHUTTING_DOWN.contains(&code) => {
            format!("{server} is starting or stopping: try again when it is up")
        }
        Some(code) if CORRUPT.contains(&code) => format!("database {database} is damaged: restore it from a backup"),
        Some(_) => format!("database {database} at {server} cannot be used"),
        None => name_connection_failure(&server, &error),
    };
    unusable(format!("{advice} ({error})"))
}

fn name_connection_failure(server: &str, error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(io) => match io.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => {
                format!("nobody answers at {server}: start PostgreSQL, or correct host and port in the database URL")
            }
            ErrorKind::TimedOut => format!("{server} does not answer: check the network and the firewall between"),
            _ => format!("cannot reach {server}: check the host's name and the network"),
        },
        sqlx::Error::Tls(_) => format!("{server} and this program do not agree on encryption: check sslmode"),
        sqlx::Error::PoolTimedOut => format!("{server} gave no connection in time: check its load and max_connections"),
        sqlx::Error::Protocol(_) => format!("what answers at {server} does not speak PostgreSQL's protocol"),
        _ => format!("cannot use {server}"),
    }
}

pub(super) fn name_migration_failure(place: &Place, error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMismatch(version) => unusable(format!(
            "{place} was made by a different build of synapti (migration {version} is not the same): run the program \
             that made it"
        )),
        MigrateError::VersionMissing(version) => unusable(format!(
            "{place} is from another version of synapti (this program does not know migration {version}): run that one"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => name_failure(place, error.into()),
        other => unusable(format!("cannot bring {place} up to date: {other}")),
    }
}

pub(super) fn unusable(message: String) -> StoreError {
    StoreError::Unusable(message)
}

/// What a call on a graph that is deleted, or never was, gets.
pub(super) fn gone(key: GraphKey) -> StoreError {
    StoreError::Gone(format!("graph key {}", key.0))
}

pub(super) fn damaged(key: GraphKey, what: String) -> StoreError {
    StoreError::Damaged { key: key.0, what }
}

/// The row that the first migration made is not there.
pub(super) fn damaged_identity() -> StoreError {
    unusable("the database has lost its identity (table `store`): restore it from a backup".to_owned())
}

pub(super) fn invalid(what: String) -> StoreError {
    sqlx::Error::InvalidArgument(what).into()
}

/// Whether the server says that stored pages are not what it wrote.
pub(super) fn is_corruption(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| CORRUPT.contains(&code.as_str()))
}

/// The server's code for what went wrong.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
