//! A `PostgreSQL` that runs: databases for the runs, and what it uses.

use std::{io::ErrorKind, process::Stdio, time::Duration};

use anyhow::{Context as _, anyhow, bail, ensure};
use tokio::{process::Command, time::timeout};

use crate::{
    process::{Family, Process},
    subject::Service,
};

/// How long it may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// One of its processes lives as long as it does and tells which process is the first.
const ABOUT: &str = "SELECT current_setting('server_version'), current_setting('fsync'), \
                     (SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer')";

/// A server.
pub struct Postgres {
    url: String,
    version: String,
    fsync: String,
    process: Option<Process>,
}

/// A database of one run. The nodes make it.
pub struct Database<'a> {
    postgres: &'a Postgres,
    name: String,
}

impl Postgres {
    /// Looks whether it is there.
    pub async fn reach(url: &str) -> anyhow::Result<Self> {
        named(url, "postgres")?;
        let said = psql(url, ABOUT).await.context("cannot use the PostgreSQL of --database-url")?;
        let [version, fsync, pid] = said.trim().splitn(3, '|').collect::<Vec<_>>()[..] else {
            bail!("psql answers what is not understood: {said}");
        };
        let version = version.split_whitespace().next().unwrap_or_default().to_owned();
        Ok(Self { url: url.to_owned(), version, fsync: fsync.to_owned(), process: pid.parse().ok().and_then(first) })
    }

    /// For people.
    pub fn about(&self) -> String {
        let unseen = if self.process.is_none() { ", whose processes are not seen from here" } else { "" };
        format!("PostgreSQL {} with fsync {}{unseen}", self.version, self.fsync)
    }

    /// What can be asked about its use of the machine, if it runs on this one.
    pub fn service(&self) -> Option<Service> {
        Some(Service { name: "PostgreSQL", family: Family::of(self.process?) })
    }

    /// A database that is not there.
    pub fn fresh(&self) -> Database<'_> {
        Database { postgres: self, name: format!("synapti_load_{:016x}", rand::random::<u64>()) }
    }
}

impl Database<'_> {
    /// Where it is.
    pub fn url(&self) -> anyhow::Result<String> {
        named(&self.postgres.url, &self.name)
    }

    /// Removes it, whoever still uses it.
    pub async fn remove(&self) -> anyhow::Result<()> {
        let Self { postgres, name } = self;
        let dropped = psql(&postgres.url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        dropped.map(drop).with_context(|| format!("the database {name} stays on the server"))
    }
}

/// The URL of another database of the same server.
fn named(url: &str, name: &str) -> anyhow::Result<String> {
    let (place, parameters) = url.split_once('?').map_or((url, None), |(place, parameters)| (place, Some(parameters)));
    let place = place.strip_prefix("postgres://").or_else(|| place.strip_prefix("postgresql://"));
    // The URL may have a password in it, so it is not repeated.
    let place =
        place.context("--database-url is no address of a PostgreSQL: they look like postgres://USER@HOST:5432/NAME")?;
    let host = place.split('/').next().unwrap_or_default();
    ensure!(!host.is_empty(), "--database-url names no host");
    let parameters = parameters.map(|parameters| format!("?{parameters}")).unwrap_or_default();
    Ok(format!("postgres://{host}/{name}{parameters}"))
}

/// The server's first process, which starts the others, if that is on this machine.
fn first(checkpointer: u32) -> Option<Process> {
    let parent = status_of(checkpointer, "PPid:")?.parse().ok()?;
    let is_postgres = [checkpointer, parent]
        .into_iter()
        .all(|pid| status_of(pid, "Name:").is_some_and(|name| name.starts_with("postgres")));
    is_postgres.then(|| Process::new(parent))
}

fn status_of(pid: u32, field: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix(field))?.trim().to_owned())
}

/// Has it perform a statement; answers the rows, with `|` between the columns.
async fn psql(url: &str, statement: &str) -> anyhow::Result<String> {
    let mut command = Command::new("psql");
    command
        .args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"])
        .args(["--set", "ON_ERROR_STOP=1", "--dbname", url, "--command", statement])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = match timeout(ANSWERED_WITHIN, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {
            bail!("psql is missing. On Debian: apt-get install postgresql-client")
        }
        Ok(Err(error)) => return Err(anyhow!(error).context("cannot start psql")),
        Err(_) => bail!("PostgreSQL does not answer within {} s", ANSWERED_WITHIN.as_secs()),
    };
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    ensure!(output.status.success(), "{}", said(&output.stderr));
    Ok(said(&output.stdout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server() {
        let named = |url| named(url, "other").unwrap();
        assert_eq!(named("postgres://me:a%40b@host:5433/maps"), "postgres://me:a%40b@host:5433/other");
        assert_eq!(named("postgresql://host"), "postgres://host/other");
        assert_eq!(named("postgres://host/maps?sslmode=require"), "postgres://host/other?sslmode=require");
        assert_eq!(named("postgres://host?sslmode=require"), "postgres://host/other?sslmode=require");
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for url in ["sqlite:secret", "postgres:///secret", "me:secret@host"] {
            let error = named(url, "other").unwrap_err().to_string();
            assert!(error.starts_with("--database-url") && !error.contains("secret"), "{error}");
        }
    }
}
