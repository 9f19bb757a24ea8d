//! The sending half of a socket.

use std::{cell::RefCell, io::ErrorKind};

use anyhow::{Context as _, ensure};
use bytes::{Buf as _, BytesMut};
use tokio::net::tcp::OwnedWriteHalf;
use tokio_tungstenite::tungstenite::protocol::frame::{
    Frame,
    coding::{Data, OpCode},
};

/// Bytes that may wait for a server that does not read: far more than any measurement has on the way.
const WAITING_BYTES_MAX: usize = 256 << 20;

/// Whole frames on their way out. Whoever has something to send puts it at the end.
pub struct Outbox {
    half: OwnedWriteHalf,
    waiting: RefCell<BytesMut>,
}

/// A message as it goes over the network: with header, and masked as clients must.
pub fn wire_frame(message: Vec<u8>) -> Vec<u8> {
    masked(Frame::message(message, OpCode::Data(Data::Binary), true))
}

fn masked(mut frame: Frame) -> Vec<u8> {
    frame.header_mut().mask = Some(rand::random());
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("a vector takes what is written to it");
    bytes
}

impl Outbox {
    pub(super) fn new(half: OwnedWriteHalf) -> Self {
        Self { half, waiting: RefCell::default() }
    }

    /// Puts a frame of [`wire_frame`] behind what waits. It goes with the next [`Self::send_some`].
    pub fn push(&self, frame: &[u8]) -> anyhow::Result<()> {
        let mut waiting = self.waiting.borrow_mut();
        ensure!(waiting.len() + frame.len() <= WAITING_BYTES_MAX, "the server does not read what it is sent");
        waiting.extend_from_slice(frame);
        Ok(())
    }

    /// Hands over what the network takes now. Answers whether that was everything.
    pub fn send_some(&self) -> anyhow::Result<bool> {
        let mut waiting = self.waiting.borrow_mut();
        while !waiting.is_empty() {
            match self.half.try_write(&waiting) {
                Ok(written) => waiting.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error).context("the connection broke while sending"),
            }
        }
        Ok(true)
    }

    /// Waits until everything is handed over.
    pub async fn flush(&self) -> anyhow::Result<()> {
        while !self.send_some()? {
            self.half.writable().await?;
        }
        Ok(())
    }

    /// Hands over what waits, and then waits for ever.
    pub async fn flush_and_wait(&self) -> anyhow::Result<()> {
        self.flush().await?;
        std::future::pending().await
    }

    /// Sends one message.
    pub async fn send(&self, message: Vec<u8>) -> anyhow::Result<()> {
        self.push(&wire_frame(message))?;
        self.flush().await
    }

    /// Answers a ping. What the network does not take now goes with the next frame.
    pub(super) fn pong(&self, payload: &[u8]) -> anyhow::Result<()> {
        self.push(&masked(Frame::pong(payload.to_vec())))?;
        self.send_some().map(drop)
    }
}
