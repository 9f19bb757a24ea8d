//! A Redis server for a test: on a free port, with nothing on disk, gone with the test.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{PATIENCE, eventually};

/// Attempts to find a free port: another program may take it before the server does.
const PORTS_TRIED_MAX: usize = 5;

pub struct RedisServer {
    child: Child,
    pub port: u16,
    _folder: TempDir,
    arguments: Vec<String>,
}

impl RedisServer {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With settings, as `redis-server` takes them.
    pub async fn with(arguments: &[&str]) -> Self {
        Self::with_port_setting("--port", arguments).await
    }

    async fn with_port_setting(setting: &str, arguments: &[&str]) -> Self {
        for _ in 0..PORTS_TRIED_MAX {
            let port = free_port();
            let folder = tempfile::tempdir().unwrap();
            let mut all: Vec<String> =
                [setting, &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"].map(str::to_owned).into();
            all.push(folder.path().to_str().unwrap().to_owned());
            all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
            let mut server = Self { child: spawn(&all), port, _folder: folder, arguments: all };
            if server.listens().await {
                return server;
            }
        }
        panic!("redis-server does not start on any of {PORTS_TRIED_MAX} free ports");
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As new, on the same port.
    pub async fn restart(&mut self) {
        self.child = spawn(&self.arguments);
        assert!(self.listens().await, "redis-server does not start again");
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Runs one command.
    pub async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        command(&self.url(), words).await
    }

    async fn listens(&mut self) -> bool {
        let mut has_ended = false;
        eventually("redis-server listens or has ended", PATIENCE, async || {
            has_ended = self.child.try_wait().unwrap().is_some();
            has_ended || tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok()
        })
        .await;
        !has_ended
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs one command.
pub async fn command<T: redis::FromRedisValue>(url: &str, words: &[&str]) -> T {
    let client = redis::Client::open(url).unwrap();
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(10)))
        .set_response_timeout(Some(Duration::from_secs(10)));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut connection).await.unwrap()
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need the program `redis-server` (version 7 or newer) in the PATH: install Redis")
}
