//! What every connection is told before it is used, whatever the server's own settings say.

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::{append, load, read};

/// The driver has no timeouts and no keepalives of its own: every call is bounded on this side (`mod.rs`), and the server
/// is told to give up what a vanished program left.
const SETTINGS: [(&str, &str); 9] = [
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "30s"),
    ("tcp_keepalives_interval", "10s"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30s"),
    // What appends rely on to see the newest row of a graph once they have its lock.
    ("default_transaction_isolation", "read committed"),
    // A batch of the usual size is unpacked in memory.
    ("work_mem", "32MB"),
    // Compiling a statement takes longer than any of ours.
    ("jit", "off"),
];

/// How a commit is made durable. It is found out once, checked, and pinned on every connection, so that a change of the
/// server's setting cannot make a running program acknowledge what is not on disk.
#[derive(Clone, Debug)]
pub(super) struct Pinned {
    pub(super) synchronous_commit: String,
}

/// Applies the settings.
pub(super) async fn settle(connection: &mut PgConnection, pinned: Option<&Pinned>) -> Result<(), sqlx::Error> {
    let (mut names, mut values): (Vec<&str>, Vec<&str>) = SETTINGS.into_iter().unzip();
    if let Some(pinned) = pinned {
        names.push("synchronous_commit");
        values.push(&pinned.synchronous_commit);
    }
    sqlx::query("SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS setting (name, value)")
        .bind(names)
        .bind(values)
        .persistent(false)
        .execute(connection)
        .await?;
    Ok(())
}

/// Checks that the connection answers and kept what it was told.
pub(super) async fn verify(connection: &mut PgConnection, pinned: &Pinned) -> Result<(), sqlx::Error> {
    let now: String = sqlx::query_scalar("SELECT current_setting('synchronous_commit')").fetch_one(connection).await?;
    if now == pinned.synchronous_commit {
        return Ok(());
    }
    let wanted = &pinned.synchronous_commit;
    Err(sqlx::Error::Configuration(
        format!("synchronous_commit is {now} in spite of {wanted}: connect to PostgreSQL without a pooler between")
            .into(),
    ))
}

/// Checks that it is still the same database: in one that was put in its place under a running program, a graph's key is
/// another graph's.
pub(super) async fn verify_identity(connection: &mut PgConnection, identity: Uuid) -> Result<(), sqlx::Error> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT identity::text FROM store").persistent(false).fetch_optional(connection).await?;
    if found.and_then(|found| found.parse().ok()) == Some(identity) {
        return Ok(());
    }
    Err(sqlx::Error::Configuration("another database was put in this one's place: restart synapti".into()))
}

/// Has the hot statements prepared by running them on nothing, so that no user waits for it.
pub(super) async fn warm(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    append::warm(connection).await?;
    read::warm(connection).await?;
    load::warm(connection).await
}
