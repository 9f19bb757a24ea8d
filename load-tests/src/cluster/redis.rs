//! A Redis of our own, which keeps nothing.

use std::{io::ErrorKind, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    cores::Cores,
    ports::free_port,
    process::{Family, Process},
    subject::Service,
};

/// How long a start may take.
const STARTED_WITHIN: Duration = Duration::from_secs(10);
const ASKED_EVERY: Duration = Duration::from_millis(20);

/// A Redis. One that was started here is killed when this is dropped.
pub struct Redis {
    url: String,
    own: Option<(Child, TempDir)>,
}

impl Redis {
    /// One that somebody else looks after.
    pub fn that_runs(url: &str) -> Self {
        Self { url: url.to_owned(), own: None }
    }

    /// Starts one on a free port, on the servers' core if there are cores to choose from.
    pub async fn start(folder: &Path, cores: Option<Cores>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(folder).with_context(|| format!("no data folder in {}", folder.display()))?;
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut spawn = || command.spawn().map_err(|error| not_started(&error));
        let mut child = match cores {
            Some(cores) => cores.start_on_server_core(&mut spawn),
            None => spawn(),
        }?;
        answers(&mut child, port).await?;
        Ok(Self { url: format!("redis://127.0.0.1:{port}"), own: Some((child, folder)) })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What can be asked about its use of the machine: nothing of one that ran before.
    pub fn service(&self) -> Option<Service> {
        let (child, _) = self.own.as_ref()?;
        Some(Service { name: "Redis", family: Family::of(Process::new(child.id()?)) })
    }

    /// Ends it, if it was started here. There is nothing that it would have to save.
    pub async fn end(self) -> anyhow::Result<()> {
        if let Some((mut child, _folder)) = self.own {
            child.kill().await.context("redis-server does not end")?;
        }
        Ok(())
    }
}

fn not_started(error: &std::io::Error) -> anyhow::Error {
    if error.kind() == ErrorKind::NotFound {
        return anyhow!(
            "redis-server is missing. On Debian: apt-get install redis-server; or name one with --redis-url"
        );
    }
    anyhow!("cannot start redis-server: {error}")
}

async fn answers(child: &mut Child, port: u16) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < STARTED_WITHIN {
        if let Some(status) = child.try_wait()? {
            bail!("redis-server ended before it answered: {status}");
        }
        if let Ok(Ok(())) = timeout(STARTED_WITHIN, ping(port)).await {
            return Ok(());
        }
        sleep(ASKED_EVERY).await;
    }
    bail!("redis-server does not answer after {} s", STARTED_WITHIN.as_secs())
}

async fn ping(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    if &answer == b"+PONG" { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}
