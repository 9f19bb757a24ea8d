//! A client that polls.

use anyhow::{Context as _, ensure};
use synapti_protocol::{
    bundle,
    message::{encode_step1, encode_update},
};
use tokio::time::Instant;

use super::line::{Answer, Line};
use crate::{client::answered, crowd::NOTHING, wire::Address};

/// How long a poll may wait at most, in seconds: what the server takes.
pub const WAIT_S: u32 = 55;

/// A client with a place in a room's feed.
pub struct Poller {
    line: Line,
    path: String,
    cursor: String,
}

impl Poller {
    /// Connects and asks for everything; answers that, too.
    pub async fn join(address: &Address, room: &str) -> anyhow::Result<(Self, Answer)> {
        let path = path(address, room)?;
        let mut line = Line::open(address).await?;
        line.post(&path, &bundled(&encode_step1(NOTHING))).await?;
        let (answer, _) = answered("the first poll", line.answer()).await?;
        ensure!(answer.status == 200, "the server answers {} when a client that polls joins", answer.status);
        let cursor = answer.cursor.clone().context("the server's answer to a poll has no Synapti-Cursor")?;
        Ok((Self { line, path, cursor }, answer))
    }

    /// Asks for what comes next, and does not wait for the answer.
    pub async fn ask(&mut self) -> anyhow::Result<()> {
        let target = format!("{}?wait={WAIT_S}&cursor={}", self.path, self.cursor);
        self.line.post(&target, &[]).await
    }

    /// The answer. Cancel-safe.
    pub async fn answer(&mut self) -> anyhow::Result<(Answer, Instant)> {
        let (answer, now) = self.line.answer().await?;
        ensure!(matches!(answer.status, 200 | 204), "the server answers {} to a poll", answer.status);
        self.cursor = answer.cursor.clone().context("the server's answer to a poll has no Synapti-Cursor")?;
        Ok((answer, now))
    }
}

/// A client that only writes, over the same door.
pub struct Writer {
    line: Line,
    path: String,
}

impl Writer {
    /// Connects.
    pub async fn open(address: &Address, room: &str) -> anyhow::Result<Self> {
        Ok(Self { line: Line::open(address).await?, path: path(address, room)? })
    }

    /// Sends an edit and waits until it is on disk; answers when it was sent.
    pub async fn edit(&mut self, update: &[u8]) -> anyhow::Result<Instant> {
        let sent = Instant::now();
        self.line.post(&self.path, &bundled(&encode_update(update))).await?;
        let (answer, _) = answered("an edit", self.line.answer()).await?;
        let is_saved = answer.status == 200 && answer.durable == Some(1);
        ensure!(is_saved, "an edit is answered with {}, and is not on disk", answer.status);
        Ok(sent)
    }
}

fn path(address: &Address, room: &str) -> anyhow::Result<String> {
    Ok(format!("{}/sync", address.graph_path(room)?))
}

fn bundled(message: &[u8]) -> Vec<u8> {
    [&bundle::header(message.len()), message].concat()
}
