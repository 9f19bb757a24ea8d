//! A server of our own: the program that is measured, on a data folder and a free port.

use std::{
    collections::VecDeque,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
    sync::oneshot,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{cores::Cores, process::Process};

/// How long a start may take: the database is made and migrated.
const STARTED_WITHIN: Duration = Duration::from_secs(30);

/// How long a stop may take: clients are sent away and everything is saved.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// How long a command may take that is not serving: it reads every map.
const PERFORMED_WITHIN: Duration = Duration::from_mins(5);

/// Lines of the server's log that are kept for an error message.
const LOG_LINES_MAX: usize = 10;

/// Settings of a server that takes whatever one connection sends: where few connections stand for many people.
pub fn without_rates() -> Vec<(&'static str, String)> {
    ["SYNAPTI_LIMITS_MESSAGES_PER_SECOND", "SYNAPTI_LIMITS_BYTES_PER_SECOND"].map(|name| (name, "0".to_owned())).into()
}

/// A running server. It is killed when this is dropped.
pub struct Server {
    child: Child,
    address: String,
    log: Log,
    // Reads the log until the server ends: a pipe that nobody empties would stop the server.
    _reading: JoinSet<()>,
}

type Log = Arc<Mutex<VecDeque<String>>>;

/// How a server is started.
pub struct Launch {
    command: Command,
    program: PathBuf,
    whole_log: Option<PathBuf>,
}

impl Launch {
    /// `binary` on the database in `folder`, with these settings and no others.
    pub fn synapti(binary: &Path, folder: &Path, settings: &[(&str, String)]) -> anyhow::Result<Self> {
        let binary = binary.canonicalize().with_context(|| format!("there is no program {}", binary.display()))?;
        let folder = folder.canonicalize().with_context(|| format!("there is no folder {}", folder.display()))?;
        let mut command = Command::new(&binary);
        // Settings of whoever runs the measurement must not steer what is measured.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SYNAPTI_")) {
            command.env_remove(name);
        }
        command
            .env("SYNAPTI_LISTEN", "127.0.0.1:0")
            .env("SYNAPTI_DATABASE_URL", format!("sqlite:{}", folder.join("synapti.db").display()))
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .current_dir(folder);
        Ok(Self { command, program: binary, whole_log: None })
    }

    /// The relay of this program.
    pub fn relay() -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(&program);
        command.args(["relay", "--listen", "127.0.0.1:0"]);
        Ok(Self { command, program, whole_log: None })
    }

    /// Keeps all that it logs in this file.
    #[must_use]
    pub fn log_to(self, file: &Path) -> Self {
        Self { whole_log: Some(file.to_owned()), ..self }
    }

    /// Starts it and kills it after so long, wherever it is by then.
    pub async fn start_and_kill(mut self, after: Duration) -> anyhow::Result<()> {
        let null = || Stdio::null();
        let spawned = self.command.stdin(null()).stdout(null()).stderr(null()).kill_on_drop(true).spawn();
        let mut child = spawned.with_context(|| format!("cannot start {}", self.program.display()))?;
        sleep(after).await;
        Ok(child.kill().await?)
    }

    /// Has it do something else than to serve; answers what it said.
    pub async fn perform(mut self, command: &str) -> anyhow::Result<Output> {
        let output = self.command.arg(command).stdin(Stdio::null()).kill_on_drop(true).output();
        let output = timeout(PERFORMED_WITHIN, output).await;
        output.with_context(|| format!("`{} {command}` does not end", self.program.display()))?.map_err(Into::into)
    }

    /// Starts it, on a core of its own if there are cores to choose from; returns when it listens.
    pub async fn start(self, cores: Option<Cores>) -> anyhow::Result<Server> {
        let Self { mut command, program, whole_log } = self;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut spawn = || command.spawn().with_context(|| format!("cannot start {}", program.display()));
        let mut child = match cores {
            Some(cores) => cores.start_on_server_core(&mut spawn),
            None => spawn(),
        }?;
        let stderr = child.stderr.take().context("the server has no standard error")?;
        let log = Log::default();
        let (found, address) = oneshot::channel();
        let mut reading = JoinSet::new();
        let whole_log = whole_log.map(File::create).transpose()?;
        reading.spawn(read_log(stderr, log.clone(), whole_log, found));
        let address = match timeout(STARTED_WITHIN, address).await {
            Ok(Ok(address)) => address,
            Ok(Err(_)) => bail!("the server ended before it listened{}", last_words(&log)),
            Err(_) => bail!("the server does not listen after {} s{}", STARTED_WITHIN.as_secs(), last_words(&log)),
        };
        Ok(Server { child, address, log, _reading: reading })
    }
}

impl Server {
    /// Starts `binary` on the database in `folder`; returns when it listens.
    pub async fn start(binary: &Path, folder: &Path) -> anyhow::Result<Self> {
        Launch::synapti(binary, folder, &[])?.start(None).await
    }

    /// What it uses.
    pub fn process(&self) -> anyhow::Result<Process> {
        let pid =
            self.child.id().with_context(|| format!("the server has ended by itself{}", last_words(&self.log)))?;
        Ok(Process::new(pid))
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        &self.address
    }

    /// Where its rooms are.
    pub fn rooms_url(&self) -> String {
        format!("ws://{}/v1/ws", self.address)
    }

    /// See [`Process::waited_for_processor`].
    pub fn waited_for_processor(&self) -> anyhow::Result<Duration> {
        self.process()?.waited_for_processor()
    }

    /// Stops it as an operator does, and waits until everything is saved.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let status = self.signal(Signal::TERM).await?;
        ensure!(status.success(), "the server did not stop cleanly: {status}{}", last_words(&self.log));
        Ok(())
    }

    /// Ends it as a failure does: it gets no chance to tidy up.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL).await.map(drop)
    }

    /// How it has ended by itself, with the last lines of its log; `None` while it runs.
    pub fn end(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(format!("the server has ended by itself: {status}{}", last_words(&self.log)))
    }

    /// The last lines of its log, for an error message.
    pub fn last_words(&self) -> String {
        last_words(&self.log)
    }

    /// Tells it something, and does not wait.
    pub fn tell(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let pid = pid.with_context(|| format!("the server has ended by itself{}", last_words(&self.log)))?;
        Ok(kill_process(pid, signal)?)
    }

    /// Tells it to end; answers how it did. (It starts no processes: there is nobody else to end.)
    pub async fn signal(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        self.tell(signal)?;
        match timeout(STOPPED_WITHIN, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("the server still runs {} s after {signal:?}", STOPPED_WITHIN.as_secs()),
        }
    }
}

async fn read_log(stderr: ChildStderr, log: Log, mut whole_log: Option<File>, found: oneshot::Sender<String>) {
    let mut found = Some(found);
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = listening_address(&line)
            && let Some(found) = found.take()
        {
            // Whoever started the server has given up when this fails.
            let _ = found.send(address);
        }
        if let Some(file) = &mut whole_log {
            // It is there for people; the figures do not need it.
            let _ = writeln!(file, "{line}");
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LOG_LINES_MAX {
            log.pop_front();
        }
        log.push_back(line);
    }
}

/// The address in the line of the log that says that the server listens.
fn listening_address(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    (line["message"] == "listening").then(|| line["address"].as_str().map(str::to_owned))?
}

fn last_words(log: &Log) -> String {
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.iter().fold(String::new(), |words, line| words + "\n  " + line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_stands_in_the_line_that_says_listening() {
        let line =
            r#"{"level":"INFO","message":"listening","address":"127.0.0.1:4711","page":"http://127.0.0.1:4711/"}"#;
        assert_eq!(listening_address(line).as_deref(), Some("127.0.0.1:4711"));
        for other in ["", "listening", r#"{"message":"synapti starts","address":"x"}"#, r#"{"message":"listening"}"#] {
            assert_eq!(listening_address(other), None, "{other}");
        }
    }
}
