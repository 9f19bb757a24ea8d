//! Whether a server can keep maps: found out before anything is written to it.

use sqlx::{Row, postgres::PgConnection};

use super::{place::Place, refusal::unusable, session::Pinned};
use crate::store::StoreError;

/// The oldest version that is tested.
const MAJOR_VERSION_MIN: i32 = 15;

/// Settings of a commit that is on disk when it is acknowledged; the last three wait for standbys as well.
const DURABLE: [&str; 4] = ["on", "local", "remote_write", "remote_apply"];

/// What the server says of itself.
struct Server {
    version_number: i32,
    version: String,
    is_standby: bool,
    is_read_only: bool,
    synchronous_commit: String,
    fsync: String,
    full_page_writes: String,
    encoding: String,
}

/// Refuses a server that would lose edits or cannot take them; answers how its commits are made durable.
pub(super) async fn check(connection: &mut PgConnection, place: &Place) -> Result<Pinned, StoreError> {
    let server = ask(connection).await?;
    refuse(&server, place)?;
    for (name, value) in [("fsync", &server.fsync), ("full_page_writes", &server.full_page_writes)] {
        if value != "on" {
            tracing::warn!(
                setting = name,
                value,
                "this PostgreSQL can lose or damage maps when the machine fails: set {name} = on in postgresql.conf"
            );
        }
    }
    tracing::info!(
        version = server.version,
        synchronous_commit = server.synchronous_commit,
        "PostgreSQL answers and can keep maps"
    );
    Ok(Pinned { synchronous_commit: server.synchronous_commit })
}

async fn ask(connection: &mut PgConnection) -> Result<Server, StoreError> {
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::int AS version_number, current_setting('server_version') AS version, \
         pg_is_in_recovery() AS is_standby, current_setting('transaction_read_only')::bool AS is_read_only, \
         current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync, \
         current_setting('full_page_writes') AS full_page_writes, current_setting('server_encoding') AS encoding",
    )
    .fetch_one(connection)
    .await?;
    Ok(Server {
        version_number: row.try_get("version_number")?,
        version: row.try_get("version")?,
        is_standby: row.try_get("is_standby")?,
        is_read_only: row.try_get("is_read_only")?,
        synchronous_commit: row.try_get("synchronous_commit")?,
        fsync: row.try_get("fsync")?,
        full_page_writes: row.try_get("full_page_writes")?,
        encoding: row.try_get("encoding")?,
    })
}

fn refuse(server: &Server, place: &Place) -> Result<(), StoreError> {
    let why = if server.version_number / 10_000 < MAJOR_VERSION_MIN {
        format!("is version {}: PostgreSQL {MAJOR_VERSION_MIN} or newer is needed", server.version)
    } else if server.is_standby {
        "is a standby: name the primary in SYNAPTI_DATABASE_URL, and the standby in SYNAPTI_DATABASE_REPLICA_URL"
            .to_owned()
    } else if server.is_read_only {
        "takes no writes: set default_transaction_read_only = off for this database and user".to_owned()
    } else if !DURABLE.contains(&server.synchronous_commit.as_str()) {
        format!(
            "acknowledges commits that are not on disk (synchronous_commit = {}): set it to on for this database or user, \
             as in ALTER ROLE \"{}\" SET synchronous_commit = on",
            server.synchronous_commit,
            place.user()
        )
    } else if server.encoding != "UTF8" {
        format!(
            "is encoded as {}: make a new one, as in CREATE DATABASE \"{}\" ENCODING 'UTF8' TEMPLATE template0",
            server.encoding,
            place.database()
        )
    } else {
        return Ok(());
    };
    Err(unusable(format!("{place} {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server {
            version_number: 150_004,
            version: "15.4".to_owned(),
            is_standby: false,
            is_read_only: false,
            synchronous_commit: "remote_write".to_owned(),
            fsync: "on".to_owned(),
            full_page_writes: "on".to_owned(),
            encoding: "UTF8".to_owned(),
        }
    }

    #[test]
    fn only_a_server_that_keeps_what_it_acknowledges_is_taken() {
        let place = Place::parse("postgres://bee@localhost/maps").unwrap();
        assert!(refuse(&server(), &place).is_ok());
        let cases = [
            (Server { version_number: 140_011, version: "14.11".to_owned(), ..server() }, "14.11"),
            (Server { is_standby: true, ..server() }, "SYNAPTI_DATABASE_REPLICA_URL"),
            (Server { is_read_only: true, ..server() }, "default_transaction_read_only"),
            (Server { synchronous_commit: "off".to_owned(), ..server() }, "synchronous_commit = on"),
            (Server { encoding: "LATIN1".to_owned(), ..server() }, "ENCODING 'UTF8'"),
        ];
        for (server, words) in cases {
            let refused = refuse(&server, &place);
            assert!(
                matches!(&refused, Err(StoreError::Unusable(said)) if said.contains(words)),
                "{words}: {refused:?}"
            );
        }
    }
}
